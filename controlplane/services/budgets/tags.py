"""Tags of budgets and actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.core.tags import MAX_TAGS, to_dict
from controlplane.services.budgets.errors import InvalidParameterException, ServiceQuotaExceededException


def checked(given: Iterable[Mapping[str, str]] | None, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """What something has that had `own` before. Raises InvalidParameterException, ServiceQuotaExceededException."""
    given = list(given or ())
    added = to_dict(given)
    if len(added) < len(given):
        raise InvalidParameterException("Tag keys must be unique.")
    if any(key.lower().startswith("aws:") for key in added):
        raise InvalidParameterException("Tag keys cannot begin with aws:.")
    found = {**(own or {}), **added}
    if len(found) > MAX_TAGS:
        raise ServiceQuotaExceededException(f"A resource has at most {MAX_TAGS} tags.")
    return found
