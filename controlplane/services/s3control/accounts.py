"""The account that a request names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.services.s3control.errors import AccessDenied


def check_account(ctx: Context, request: Mapping[str, Any]) -> None:
    """Raises AccessDenied for any account but the caller's."""
    if request["AccountId"] != ctx.account_id:
        raise AccessDenied("Access Denied")
