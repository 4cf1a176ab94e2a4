"""Filter patterns: which events a search is for.

Three languages, told apart by how they begin: terms (`ERROR "a phrase" ?this ?or -not`), fields of a line
(`[ip, user, status = 4*, ...]`) and JSON (`{ $.status = 404 && $.user.id IS NULL }`).
Source: "Filter pattern syntax" in the CloudWatch Logs user guide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from controlplane.services.logs.errors import InvalidParameterException
from controlplane.services.logs.patterns import documents, fields, terms
from controlplane.services.logs.patterns.reading import Unreadable

Wanted = Callable[[str], bool]


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Wanted | None:
    """What says whether a message fits; None where all do. Raises InvalidParameterException."""
    text = pattern.strip()
    if not text:
        return None
    language = {"{": documents.compiled, "[": fields.compiled}.get(text[0], terms.compiled)
    try:
        return language(text)
    except Unreadable as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}") from error
