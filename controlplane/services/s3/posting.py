"""Forms that upload: the fields before the file, the policy that limits them, and the file as a stream."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from controlplane.services.s3.errors import (
    AccessDenied,
    EntityTooLarge,
    EntityTooSmall,
    InvalidArgument,
    PreconditionFailed,
    S3Error,
)

_MOST_FIELDS_BYTES = 20 * 1024
_FREE = frozenset({"policy", "file", "awsaccesskeyid", "signature", "x-amz-signature", "submit"})
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_VARIABLE = re.compile(r"\$\{filename\}")


class MalformedPost(S3Error):
    code = "MalformedPOSTRequest"
    text = "The body of your POST request is not well-formed multipart/form-data."


class InvalidPolicyDocument(S3Error):
    code = "InvalidPolicyDocument"


class MaxPostPreDataLengthExceeded(S3Error):
    code = "MaxPostPreDataLengthExceeded"
    text = "Your POST request fields preceding the upload file were too large."


class Form:
    """Reads a form up to its file; `file` then gives the file's bytes. Names of `fields` are in lower case."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise PreconditionFailed(Condition="Bucket POST must be of the enclosure-type multipart/form-data")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._body = body
        self._name = ""
        self._text = bytearray()
        self._header = [bytearray(), bytearray()]
        self._headers: dict[str, bytes] = {}
        self._file: list[bytes] = []
        self._begun = self._ended = False
        self._held = 0
        callbacks: Any = {
            "on_part_begin": self._part_begins,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._part_ends,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def _part_begins(self) -> None:
        self._headers, self._text, self._name = {}, bytearray(), ""

    def _header_ends(self) -> None:
        self._hold(sum(map(len, self._header)))
        self._headers[self._header[0].decode("latin-1").lower()] = bytes(self._header[1])
        self._header = [bytearray(), bytearray()]

    def _hold(self, size: int) -> None:
        """Everything that comes before the file is held, and counts."""
        self._held += size
        if self._held > _MOST_FIELDS_BYTES:
            raise MaxPostPreDataLengthExceeded

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b"").decode("latin-1"))
        self._name = options.get(b"name", b"").decode("utf-8", "replace").lower()
        if self._name == "file" and not self._begun:
            self._begun = True
            if b"filename" in options:
                self.filename = options[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file" and self._begun and not self._ended:
            self._file.append(data[start:end])
        elif not self._begun:
            self._hold(end - start)
            self._text += data[start:end]

    def _part_ends(self) -> None:
        if self._name == "file" and self._begun:
            self._ended = True
        elif not self._begun:
            self.fields[self._name] = self._text.decode("utf-8", "replace")

    async def read_fields(self) -> None:
        """Read to the beginning of the file. Raises MalformedPost, InvalidArgument."""
        async for chunk in self._body:
            self._feed(chunk)
            if self._begun:
                return
        if not self._begun:
            raise InvalidArgument(
                "POST requires exactly one file upload per request.", ArgumentName="file", ArgumentValue="0"
            )

    def _feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedPost from error

    async def file(self, least: int, most: int) -> AsyncIterator[bytes]:
        """The file's bytes. Raises MalformedPost, EntityTooLarge, EntityTooSmall at its end."""
        size = 0
        while True:
            pieces, self._file = self._file, []
            for piece in pieces:
                size += len(piece)
                if size > most:
                    raise EntityTooLarge(ProposedSize=size, MaxSizeAllowed=most)
                yield piece
            if self._ended:
                break
            try:
                self._feed(await anext(self._body))
            except StopAsyncIteration:
                raise MalformedPost from None
        if size < least:
            raise EntityTooSmall(ProposedSize=size, MinSizeAllowed=least)
        async for _ in self._body:
            pass


def with_filename(text: str, filename: str | None) -> str:
    """A key with `${filename}` filled in, where the file has a name."""
    if filename is None:
        return text
    return _VARIABLE.sub(lambda _: filename.replace("\\", "/").rpartition("/")[2], text)


def check_policy(text: str, fields: Mapping[str, str], bucket: str) -> tuple[int, int]:
    """The least and greatest size of the file that a policy allows. Raises AccessDenied, InvalidPolicyDocument."""
    try:
        document = orjson.loads(b64decode(text, validate=True))
        expiration = document["expiration"]
        conditions = document["conditions"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidPolicyDocument("Invalid Policy: Invalid JSON.") from error
    if not isinstance(conditions, list) or not conditions:
        raise InvalidPolicyDocument("Invalid Policy: Invalid conditions.")
    if _moment(str(expiration)) <= datetime.now(UTC):
        raise AccessDenied("Invalid according to Policy: Policy expired.")
    least, most, named = 0, 5 * 1024**3, set[str]()
    given = {**fields, "bucket": bucket}
    for condition in conditions:
        bounds = _check(condition, given, named)
        if bounds is not None:
            least, most = max(least, bounds[0]), min(most, bounds[1])
    for name in given:
        if name not in named and name not in _FREE and not name.startswith("x-ignore-"):
            raise AccessDenied(f"Invalid according to Policy: Extra input fields: {name[:100]}")
    return least, most


def _moment(text: str) -> datetime:
    if _MOMENT.fullmatch(text):
        with suppress(ValueError):
            return datetime.fromisoformat(f"{text[:19]}+00:00")
    raise InvalidPolicyDocument("Invalid Policy: Invalid 'expiration' value.")


def _check(condition: Any, given: Mapping[str, str], named: set[str]) -> tuple[int, int] | None:
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise InvalidPolicyDocument(
                "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
            )
        name, value = next(iter(condition.items()))
        parts: list[Any] = ["eq", f"${name}", value]
    elif isinstance(condition, list) and len(condition) == 3:
        parts = condition
    else:
        raise InvalidPolicyDocument("Invalid Policy: Invalid JSON: condition must be an object or an array of three.")
    operator = str(parts[0]).lower()
    if operator == "content-length-range":
        return _bounds(parts)
    name = str(parts[1]).removeprefix("$").lower()
    if operator not in ("eq", "starts-with") or not isinstance(parts[1], str) or not isinstance(parts[2], str):
        raise InvalidPolicyDocument(f"Invalid Policy: Invalid condition: {_shown(parts)}")
    named.add(name)
    value = given.get(name, "")
    good = value == parts[2] if operator == "eq" else value.startswith(parts[2])
    if not parts[1].startswith("$") or not good or (name not in given and operator == "eq"):
        raise _failed(parts)
    return None


def _bounds(parts: list[Any]) -> tuple[int, int]:
    try:
        low, high = int(parts[1]), int(parts[2])
    except (TypeError, ValueError) as error:
        raise _failed(parts) from error
    if low < 0 or high < 0:
        raise InvalidPolicyDocument("Invalid Policy: Invalid content-length-range.")
    return low, high


def _failed(parts: list[Any]) -> AccessDenied:
    return AccessDenied(f"Invalid according to Policy: Policy Condition failed: {_shown(parts)}")


def _shown(parts: list[Any]) -> str:
    return json.dumps(parts, ensure_ascii=False)[:300]
