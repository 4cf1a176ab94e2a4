"""The code of an MFA device that a request carries."""

from __future__ import annotations

from typing import Any

from controlplane.access import mfa
from controlplane.access.attempts import TooManyAttempts
from controlplane.core.context import Context
from controlplane.services.sts.errors import AccessDenied, ValidationError

_FAILED = "MultiFactorAuthentication failed"


async def present(ctx: Context, request: Any) -> bool:
    """Whether the request carries a code, which then is right and used up. Raises AccessDenied, ValidationError."""
    serial, code = request.get("SerialNumber"), request.get("TokenCode")
    if not serial and not code:
        return False
    if not serial or not code:
        raise ValidationError("Both SerialNumber and TokenCode must be given, or neither.")
    if ctx.principal.session or ctx.principal.kind not in ("user", "root"):
        raise AccessDenied(f"{_FAILED}: temporary credentials cannot be used together with an MFA code.")
    device = await mfa.device(ctx.db, serial, ctx.principal.user_id)
    if device is None:
        raise AccessDenied(
            f"{_FAILED}, unable to validate MFA code.  Please verify your MFA serial number is valid and associated "
            "with this user."
        )
    try:
        right = await mfa.verify(ctx.db, ctx.engine("sealing"), ctx.engine("attempts"), device, code)
    except TooManyAttempts as error:
        raise AccessDenied(f"{_FAILED}: too many wrong codes; please try again later.") from error
    if not right:
        raise AccessDenied(f"{_FAILED} with invalid MFA one time pass code. ")
    return True
