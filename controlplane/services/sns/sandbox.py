"""Numbers that an account has verified: in the sandbox, text messages go to no others."""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from controlplane.access.attempts import TooManyAttempts
from controlplane.core.context import Context
from controlplane.services.sns.errors import ResourceNotFound, Throttled, UserError, VerificationFailed

_MOST_NUMBERS = 10
_MOST_CODES = 5
# One at a time for each account and region, so that none slips by the bound.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('sns-sandbox ' || $1 || ' ' || $2, 0))"
_COUNT = "SELECT count(*) FROM sns_sandbox_numbers WHERE account_id = $1 AND region = $2 AND number <> $3"
_RECENT = "n.codes_since > now() - interval '1 day'"
_ENTER = f"""
INSERT INTO sns_sandbox_numbers AS n (account_id, region, number, code) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, region, number) DO UPDATE SET code = excluded.code, tried_at = now(),
    codes = CASE WHEN {_RECENT} THEN n.codes ELSE 0 END + 1,
    codes_since = CASE WHEN {_RECENT} THEN n.codes_since ELSE now() END
WHERE NOT ({_RECENT} AND n.codes >= $5) RETURNING true
"""
_FIND_CODE = """
SELECT code, tried_at < now() - interval '15 minutes' AS expired FROM sns_sandbox_numbers
WHERE account_id = $1 AND region = $2 AND number = $3
"""
_FIND = "SELECT * FROM sns_sandbox_numbers WHERE account_id = $1 AND region = $2 AND number = $3"
_TRIED = """
UPDATE sns_sandbox_numbers SET verified = true, tried_at = now()
WHERE account_id = $1 AND region = $2 AND number = $3
"""
_LEAVE = """
DELETE FROM sns_sandbox_numbers WHERE account_id = $1 AND region = $2 AND number = $3
AND (NOT $4 OR tried_at < now() - interval '1 day') RETURNING number
"""
_PAGE = """
SELECT * FROM sns_sandbox_numbers WHERE account_id = $1 AND region = $2 AND number > $3 ORDER BY number LIMIT $4
"""


async def is_verified(ctx: Context, number: str) -> bool:
    """Whether the context's account has verified a number."""
    row = await ctx.db.cached_row(_FIND, ctx.account_id, ctx.region, number)
    return row is not None and row["verified"]


async def enter(ctx: Context, number: str) -> str:
    """Enter a number; the code that proves it. Raises UserError for too many numbers, Throttled for too many codes."""
    await ctx.db.execute(_LOCK, ctx.account_id, ctx.region)
    if await ctx.db.fetchval(_COUNT, ctx.account_id, ctx.region, number) >= _MOST_NUMBERS:
        raise UserError(f"An account can have up to {_MOST_NUMBERS} phone numbers in the SMS sandbox")
    code = f"{secrets.randbelow(10**6):06}"
    if not await ctx.db.fetchval(_ENTER, ctx.account_id, ctx.region, number, code, _MOST_CODES):
        raise Throttled(f"A phone number can get up to {_MOST_CODES} verification codes every 24 hours")
    return code


async def verify(ctx: Context, number: str, code: str) -> None:
    """Prove a number, within 15 minutes of its code. Raises ResourceNotFound, VerificationFailed, and Throttled for who
    guesses."""
    row = await ctx.db.fetchrow(_FIND_CODE, ctx.account_id, ctx.region, number)
    if row is None:
        raise ResourceNotFound("Phone number does not exist in sandbox")
    attempts, target = ctx.engine("attempts"), f"sms:{ctx.account_id}:{ctx.region}:{number}"
    try:
        await attempts.begin(target)
    except TooManyAttempts as error:
        raise Throttled("Too many verification attempts. Please try again later") from error
    if not hmac.compare_digest(row["code"].encode(), code.encode()):
        raise VerificationFailed("The one-time password is incorrect")
    if row["expired"]:
        raise VerificationFailed("The one-time password has expired")
    await attempts.succeeded(target)
    await ctx.db.execute(_TRIED, ctx.account_id, ctx.region, number)


async def leave(ctx: Context, number: str) -> None:
    """Take a number out. Raises ResourceNotFound, and UserError within a day of the last code: numbers would else be
    changed as quickly as messages."""
    if await ctx.db.fetchval(_LEAVE, ctx.account_id, ctx.region, number, ctx.cloud.sms_sandbox):
        return
    if await ctx.db.fetchrow(_FIND, ctx.account_id, ctx.region, number) is None:
        raise ResourceNotFound("Phone number does not exist in sandbox")
    raise UserError("A phone number can be deleted 24 hours after its verification or the last attempt at it")


async def page(ctx: Context, after: str, most: int) -> list[Any]:
    """Numbers behind one."""
    return await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after, most)
