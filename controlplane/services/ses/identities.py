"""What accounts send from: addresses and domains, for both versions of the API.

Both are verified at once in this cloud; who relays mail to the world decides himself whom he lets in.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.ses import keys, mailing
from controlplane.services.ses.addresses import DOMAIN, bare
from controlplane.services.ses.errors import InvalidParameterValue

_INSERT = """
INSERT INTO ses_identities (account_id, region, name, token, verified) VALUES ($1, $2, $3, $4, true)
ON CONFLICT (account_id, region, name) DO UPDATE SET verified = true RETURNING token
"""
_NEW = """
INSERT INTO ses_identities (account_id, region, name, token, verified, tags, settings)
VALUES ($1, $2, $3, $4, true, $5, $6) ON CONFLICT DO NOTHING RETURNING true
"""
_NAMED = "SELECT * FROM ses_identities WHERE account_id = $1 AND region = $2 AND name = ANY($3)"
_PAGE = """
SELECT * FROM ses_identities WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR name > $3)
AND ($4::boolean IS NULL OR (name LIKE '%@%') = $4) ORDER BY name LIMIT $5
"""
_DELETE = "DELETE FROM ses_identities WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_SET_KEY = """
UPDATE ses_identities SET dkim = $4, sealed_key = $5, signs = true WHERE account_id = $1 AND region = $2 AND name = $3
"""
_SET_SIGNS = "UPDATE ses_identities SET signs = $4 WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"
_SET = """
UPDATE ses_identities SET settings = settings || $4 WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true
"""
_POLICY = """
UPDATE ses_identities SET policies = policies || $4 WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true
"""
_NO_POLICY = "UPDATE ses_identities SET policies = policies - $4 WHERE account_id = $1 AND region = $2 AND name = $3"
_TAG = "UPDATE ses_identities SET tags = $4 WHERE account_id = $1 AND region = $2 AND name = $3"


def identity_arn(ctx: Context, name: str) -> str:
    return arn("ses", ctx.region, ctx.account_id, f"identity/{name or '*'}")


def on(member: str) -> Any:
    """The identity that a member of the request names."""
    return lambda ctx, request: Resource(identity_arn(ctx, request[member]))


def address(text: str) -> str:
    """An address as it is kept. Raises InvalidParameterValue."""
    local, _, domain = bare(text).rpartition("@")
    return f"{local}@{domain.lower()}"


def domain(text: str) -> str:
    """A domain as it is kept. Raises InvalidParameterValue."""
    if not DOMAIN.fullmatch(text):
        raise InvalidParameterValue(f"Invalid domain name {text[:256]}.")
    return text.lower()


def name(text: str) -> str:
    """An address or a domain as it is kept. Raises InvalidParameterValue."""
    return address(text) if "@" in text else domain(text)


def mail_from(identity: str, text: str) -> str:
    """A MAIL FROM domain, which lies below the identity's. Raises InvalidParameterValue."""
    own, name = identity.rpartition("@")[2], domain(text)
    if not name.endswith(f".{own}"):
        raise InvalidParameterValue(
            f"Provided MAIL-FROM domain <{name}> is not subdomain of the domain of the identity <{identity[:320]}>."
        )
    return name


def token() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


async def verify(ctx: Context, name: str) -> str:
    """Take an identity, which may be there; its token."""
    found: str = await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, name, token())
    return found


async def create(ctx: Context, name: str, tags: dict[str, str], settings: dict[str, Any]) -> bool:
    """Take an identity that is not there; False when it is."""
    return bool(await ctx.db.fetchval(_NEW, ctx.account_id, ctx.region, name, token(), tags, settings))


async def named(ctx: Context, names: list[str]) -> list[Any]:
    """The rows of those that there are."""
    return await ctx.db.fetch(_NAMED, ctx.account_id, ctx.region, names)


async def find(ctx: Context, name: str) -> Any:
    """The row, or None."""
    return next(iter(await named(ctx, [name])), None)


async def page(ctx: Context, after: str | None, mails: bool | None, most: int) -> list[Any]:
    """By name; of addresses alone, of domains alone, or of both."""
    return await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, after, mails, most)


async def delete(ctx: Context, name: str) -> bool:
    gone = bool(await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, name))
    if gone:
        await ctx.wake(keys.PUBLISH, keys.ZONE)
    return gone


async def sign(ctx: Context, name: str) -> list[str]:
    """Have mails of a domain signed from now on, with a key that is made when there is none; its tokens."""
    row = await find(ctx, name)
    if row["dkim"] is not None:
        await set_signs(ctx, name, signs=True)
        return list(row["dkim"]["tokens"])
    selector, public, private = mailing.new_key()
    return await keep_key(ctx, name, selector, public, private)


async def keep_key(
    ctx: Context, name: str, selector: str, public: str, private: bytes, *, own: bool = False
) -> list[str]:
    """Sign with this key from now on; `own`: the customer's, which has no tokens. Answers the tokens."""
    tokens = [] if own else [selector, secrets.token_hex(16), secrets.token_hex(16)]
    facts = {"selector": selector, "public": public, "tokens": tokens, "own": own}
    sealed = mailing.seal_key(ctx.engine("sealing"), ctx.account_id, name, private)
    await ctx.db.execute(_SET_KEY, ctx.account_id, ctx.region, name, facts, sealed)
    await ctx.wake(keys.PUBLISH, keys.ZONE)
    return tokens


async def drop_key(ctx: Context, name: str) -> None:
    """Forget the key, so that a new one is made."""
    await ctx.db.execute(_SET_KEY, ctx.account_id, ctx.region, name, None, None)


async def set_signs(ctx: Context, name: str, *, signs: bool) -> bool:
    """False where there is no such identity."""
    return bool(await ctx.db.fetchval(_SET_SIGNS, ctx.account_id, ctx.region, name, signs))


async def change(ctx: Context, name: str, **settings: Any) -> bool:
    """Change settings; False where there is no such identity."""
    return bool(await ctx.db.fetchval(_SET, ctx.account_id, ctx.region, name, settings))


async def put_policy(ctx: Context, name: str, policy: str, text: str) -> bool:
    return bool(await ctx.db.fetchval(_POLICY, ctx.account_id, ctx.region, name, {policy: text}))


async def drop_policy(ctx: Context, name: str, policy: str) -> None:
    await ctx.db.execute(_NO_POLICY, ctx.account_id, ctx.region, name, policy)


async def set_tags(ctx: Context, name: str, tags: dict[str, str]) -> None:
    await ctx.db.execute(_TAG, ctx.account_id, ctx.region, name, tags)
