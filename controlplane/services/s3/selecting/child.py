"""Runs one query over one file and writes what it finds to standard output. A process of its own.

It is given its task as JSON on standard input. Nothing of the query can leave it: DuckDB may read that one file and
nothing else, cannot write, load or reach a network, and its configuration is locked before the query is looked at;
memory, time and files are bounded by the kernel. The first line of the output says whether the query runs; what is
wrong behind it is left in a file of this process's folder.
"""

from __future__ import annotations

import bz2
import csv
import io
import json
import os
import re
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import duckdb

_MEMORY = 2 * 1024**3
_CPU_SECONDS = 120
_DUCK_MEMORY = "512MB"
_ROWS = 1000
_FLUSH = 128 * 1024
_PLAIN = re.compile(r"[A-Za-z_]\w*")
_FROM = re.compile(r"\bS3Object(?:\[\*\])?((?:\.[A-Za-z_]\w*|\.\"[^\"]+\")*)(\[\*\])?(?![\w.\[])", re.IGNORECASE)
_QUOTED = re.compile(r"('(?:[^']|'')*')")
_SYNTAX = "ParseUnexpectedToken"
_REFUSAL = "refusal.json"
_OUTPUT: list[int] = []
"""What is written to: the standard output as it was. DuckDB draws bars of its progress on what it finds there."""
_BEGUN: list[bool] = []
"""Whether rows stand in the output."""


class Refused(Exception):
    """A code and a message for the caller."""


def run(task: dict[str, Any]) -> None:
    """Answer a task. Raises Refused, duckdb.Error."""
    path = _prepared(task)
    db = duckdb.connect(
        ":memory:", config={"threads": 1, "memory_limit": _DUCK_MEMORY, "max_temp_directory_size": "0B"}
    )
    db.execute("SET enable_progress_bar = false")
    db.execute("SET autoinstall_known_extensions = false")
    db.execute("SET autoload_known_extensions = false")
    db.execute(f"CREATE VIEW S3Object AS SELECT * FROM {_source(task, path)}")
    db.execute(f"SET allowed_paths = ['{path}']")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    statements = db.extract_statements(_translated(task["expression"]))
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Refused("UnsupportedSqlOperation", "Encountered an unsupported SQL operation: one SELECT is expected")
    found = db.execute(statements[0])
    names = _names([column[0] for column in found.description or ()])
    write = _csv_writer(task["output"]["CSV"]) if "CSV" in task["output"] else _json_writer(task["output"], names)
    rows = found.fetchmany(_ROWS)
    _say({"ok": True})
    _BEGUN.append(True)
    waiting: list[str] = []
    size = 0
    while rows:
        for row in rows:
            text = write(row)
            waiting.append(text)
            size += len(text)
            if size >= _FLUSH:
                _flush(waiting)
                size = 0
        rows = found.fetchmany(_ROWS)
    _flush(waiting)


def _flush(waiting: list[str]) -> None:
    _write("".join(waiting).encode("utf-8", "replace"))
    waiting.clear()


def _say(answer: dict[str, Any]) -> None:
    _write(json.dumps(answer).encode() + b"\n")


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_OUTPUT[0], data) :]


def _prepared(task: dict[str, Any]) -> str:
    """The file as DuckDB reads it: bzip2 is taken apart here, and a range of lines cut out."""
    path = Path(task["path"])
    if task["input"].get("CompressionType") == "BZIP2":
        plain = path.with_suffix(".plain")
        with bz2.open(path) as packed, plain.open("wb") as target:
            shutil.copyfileobj(packed, target)
        path = plain
    if task.get("range"):
        path = _cut(path, *task["range"])
    return str(path)


def _cut(path: Path, start: int, end: int) -> Path:
    """The lines that begin in a range."""
    target = path.with_suffix(".cut")
    with path.open("rb") as source, target.open("wb") as cut:
        if start:
            source.seek(start - 1)
            source.readline()
        while source.tell() < end and (line := source.readline()):
            cut.write(line)
    return target


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _source(task: dict[str, Any], path: str) -> str:
    given = task["input"]
    packed = ", compression = 'gzip'" if given.get("CompressionType") == "GZIP" else ""
    if "Parquet" in given:
        return f"read_parquet({_quoted(path)})"
    if "JSON" in given:
        form = "newline_delimited" if given["JSON"].get("Type") == "LINES" else "auto"
        return f"read_json({_quoted(path)}, format = '{form}', maximum_object_size = 16777216{packed})"
    return _csv_source(given.get("CSV") or {}, path, packed)


def _csv_source(given: dict[str, Any], path: str, packed: str) -> str:
    header = given.get("FileHeaderInfo") or "NONE"
    options = {
        "delim": given.get("FieldDelimiter") or ",",
        "quote": given.get("QuoteCharacter") or '"',
        "escape": given.get("QuoteEscapeCharacter") or '"',
        "comment": given.get("Comments") or "",
    }
    told = "".join(f", {name} = {_quoted(value)}" for name, value in options.items() if value)
    read = (
        f"read_csv({_quoted(path)}, header = {str(header == 'USE').lower()}, skip = {int(header == 'IGNORE')}, "
        f"all_varchar = true, auto_detect = true, null_padding = true, nullstr = ''{told}{packed})"
    )
    if header == "USE":
        return read
    names = [row[0] for row in duckdb.connect(":memory:").execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]
    columns = ", ".join(f'"{name}" AS _{n}' for n, name in enumerate(names, 1))
    return f"(SELECT {columns} FROM {read})"


def _translated(expression: str) -> str:
    """S3's `S3Object[*].path[*]` in DuckDB's words; what is quoted stays."""
    pieces = _QUOTED.split(expression.strip().rstrip(";"))
    return "".join(piece if n % 2 else _FROM.sub(_table, piece) for n, piece in enumerate(pieces))


def _table(match: re.Match[str]) -> str:
    path, many = match[1], match[2]
    if not path:
        return "S3Object"
    if not many:
        return match[0] if "[" not in match[0] else f"(SELECT unnest(S3Object{path}) FROM S3Object)"
    return f"(SELECT unnest(item) FROM (SELECT unnest(S3Object{path}) AS item FROM S3Object))"


def _names(found: list[str]) -> list[str]:
    """What has no name of its own is called by its place."""
    return [name if _PLAIN.fullmatch(name) else f"_{n}" for n, name in enumerate(found, 1)]


def _json_writer(output: dict[str, Any], names: list[str]) -> Any:
    end = output.get("JSON", {}).get("RecordDelimiter") or "\n"
    return lambda row: json.dumps(dict(zip(names, row, strict=True)), default=str, separators=(",", ":")) + end


def _csv_writer(given: dict[str, Any]) -> Any:
    end = given.get("RecordDelimiter") or "\n"
    always = given.get("QuoteFields") == "ALWAYS"
    buffer = io.StringIO()
    writer = csv.writer(
        buffer,
        delimiter=(given.get("FieldDelimiter") or ",")[0],
        quotechar=(given.get("QuoteCharacter") or '"')[0],
        lineterminator=end,
        quoting=csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL,
    )

    def write(row: tuple[Any, ...]) -> str:
        writer.writerow(["" if value is None else value for value in row])
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    return write


def _refusal(error: Exception) -> tuple[str, str]:
    """The code of S3 that comes nearest. What DuckDB says of paths stays here."""
    if isinstance(error, Refused):
        return error.args[0], error.args[1]
    if isinstance(error, duckdb.ParserException):
        return _SYNTAX, str(error)
    if isinstance(error, duckdb.PermissionException):
        return "UnsupportedFunction", "The query reads what it may not read"
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        return "EvaluatorBindingDoesNotExist", str(error)
    if isinstance(error, duckdb.ConversionException):
        return "CastFailed", str(error)
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return "OverMaxRecordSize", "The query needs more memory than there is for it"
    return "InvalidDataSource", "The object is not what the input serialization says"


def main() -> None:
    """Bound this process, then run its task."""
    task = json.load(sys.stdin)
    _OUTPUT.append(os.dup(1))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (task["largest"], task["largest"]))
    try:
        run(task)
    except (Refused, duckdb.Error, MemoryError, OSError, ValueError, EOFError) as error:
        code, message = _refusal(error)
        refusal = {"ok": False, "code": code, "message": message.replace(task["path"], "S3Object")[:1000]}
        if not _BEGUN:
            _say(refusal)
            return
        Path(_REFUSAL).write_text(json.dumps(refusal))
        sys.exit(1)


if __name__ == "__main__":
    main()
