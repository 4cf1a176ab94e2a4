"""Links that S3 serves: signed in their query string, which may hold what else would be a header."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from controlplane.core.http import HttpRequest
from controlplane.wire.scope import CredentialScope

_HEADER = re.compile(r"x-amz-[a-z0-9!#$%&'*+.^_`|~-]{1,120}|if-(none-)?match", re.ASCII)
# These say how the link is signed; and a link that was made before there was a body knows no checksum of it.
_NO_HEADER = re.compile(
    r"x-amz-(algorithm|credential|date|expires|signedheaders|signature|content-sha256|checksum-.*"
    r"|sdk-checksum-algorithm)"
)
_TOKEN = "x-amz-security-token"  # noqa: S105 (a header's name)


def take_headers(request: HttpRequest, scope: CredentialScope | None) -> None:
    """Read the parameters of a signed link to S3 that are named as headers as these, as AWS does.

    They are part of what is signed. A header that was sent counts instead of a parameter of its name.
    """
    if scope is None or scope.service != "s3" or request.headers.get("authorization"):
        return
    version_4 = b"X-Amz-Signature=" in request.query_string
    found: dict[str, str] = {}
    for pair in request.query_string.split(b"&"):
        raw, _, value = pair.partition(b"=")
        name = unquote_to_bytes(raw).decode("latin-1").lower()
        if not _HEADER.fullmatch(name) or _NO_HEADER.fullmatch(name) or name in request.headers:
            continue
        # Version 4 has the session's token for itself; version 2 signs no conditions.
        if (version_4 and name == _TOKEN) or (not version_4 and name.startswith("if-")):
            continue
        found[name] = unquote_to_bytes(value.replace(b"+", b" ")).decode("latin-1")
    if found:
        request.headers = {**request.headers, **found}
        request.of_link = frozenset(found)
