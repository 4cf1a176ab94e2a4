"""SelectObjectContent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.core.errors import EngineMissing, Overtaken
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import encryption, reading
from controlplane.services.s3.archive import restores
from controlplane.services.s3.errors import InvalidArgument, InvalidRequest, MalformedXML
from controlplane.services.s3.objects import on_stored, the_object
from controlplane.services.s3.selecting.running import LARGEST, SelectError, select

_LONGEST = 256 * 1024
_COMPRESSIONS = ("NONE", "GZIP", "BZIP2")


@operation("SelectObjectContent", on=on_stored("s3:GetObject"), action="s3:GetObject")
async def select_object_content(ctx: Context, request: Request) -> dict[str, Any]:
    """What a query finds in one object, as a stream of events. Raises NoSuchKey, InvalidRequest, SelectError."""
    _, row = await the_object(ctx)
    task = _task(request)
    if row["size"] > LARGEST:
        raise InvalidRequest(f"Objects of more than {LARGEST} bytes cannot be selected from")
    source = await restores.readable(ctx, row)
    master = await encryption.for_reading(ctx, row["facts"]["sse"], request)
    try:
        body = await reading.bytes_of(ctx, source, master, 0, row["size"])
    except EngineMissing as error:
        raise Overtaken from error
    pieces = select(ctx.account_id, body, task)
    first = await anext(pieces, None)  # what is wrong with the query is said before the stream begins
    return {"Payload": _events(first, pieces, row["size"])}


def _task(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the process is told. Raises InvalidRequest, MalformedXML."""
    if request.get("ExpressionType") != "SQL":
        raise SelectError("InvalidExpressionType", "The ExpressionType is invalid. Only SQL expressions are supported.")
    expression = request.get("Expression") or ""
    if not expression or len(expression.encode()) > _LONGEST:
        raise SelectError("ExpressionTooLong" if expression else "EmptyRequestBody", "The SQL expression is no good")
    given, output = request.get("InputSerialization") or {}, request.get("OutputSerialization") or {}
    kinds = [name for name in ("CSV", "JSON", "Parquet") if given.get(name) is not None]
    if len(kinds) != 1 or len([name for name in ("CSV", "JSON") if output.get(name) is not None]) != 1:
        raise MalformedXML
    if (given.get("CompressionType") or "NONE") not in _COMPRESSIONS:
        raise SelectError("InvalidCompressionFormat", "The file is not in a supported compression format.")
    if (given.get("CSV") or {}).get("FileHeaderInfo") not in (None, "NONE", "USE", "IGNORE"):
        raise SelectError(
            "InvalidFileHeaderInfo", "The FileHeaderInfo is invalid. Only NONE, USE, and IGNORE are supported."
        )
    if "JSON" in given and given["JSON"].get("Type") not in ("LINES", "DOCUMENT"):
        raise SelectError("InvalidJsonType", "The JsonType is invalid. Only DOCUMENT and LINES are supported.")
    for options in (given.get("CSV") or {}, output.get("CSV") or {}):
        for name in ("FieldDelimiter", "QuoteCharacter", "QuoteEscapeCharacter", "Comments"):
            if len(options.get(name) or "") > 1:
                raise InvalidArgument("The value is more than one character", ArgumentName=name)
    task = {"expression": expression, "input": dict(given), "output": {k: v or {} for k, v in output.items()}}
    return task | {"range": _range(request, given, kinds[0])}


def _range(request: Mapping[str, Any], given: Mapping[str, Any], kind: str) -> list[int] | None:
    asked = request.get("ScanRange")
    if not asked:
        return None
    lines = kind == "CSV" or (kind == "JSON" and given["JSON"].get("Type") == "LINES")
    if not lines or (given.get("CompressionType") or "NONE") != "NONE":
        raise SelectError("UnsupportedScanRangeInput", "ScanRange is not supported for this type of input.")
    start, end = asked.get("Start"), asked.get("End")
    if start is None and end is not None:
        raise SelectError("InvalidScanRange", "A range without its start is not supported.")
    start, end = start or 0, LARGEST if end is None else end
    if not 0 <= start < end:
        raise SelectError("InvalidScanRange", "The value of a parameter in ScanRange element is invalid.")
    return [start, min(end, LARGEST)]


async def _events(first: bytes | None, rest: AsyncIterator[bytes], size: int) -> AsyncIterator[dict[str, Any]]:
    returned = 0
    if first is not None:
        returned = len(first)
        yield {"Records": {"Payload": first}}
        async for piece in rest:
            returned += len(piece)
            yield {"Records": {"Payload": piece}}
    yield {"Stats": {"Details": {"BytesScanned": size, "BytesProcessed": size, "BytesReturned": returned}}}
    yield {"End": {}}
