"""Identities: verified, told, listed, deleted, signed for.

Addresses and domains are verified at once in this cloud, whose mail leaves it nowhere.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

from controlplane.core.arn import arn
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.paging import decode_token, encode_token
from controlplane.services.ses import mailing
from controlplane.services.ses.addresses import DOMAIN, bare
from controlplane.services.ses.errors import InvalidParameterValue

if TYPE_CHECKING:
    from types_boto3_ses.type_defs import (
        DeleteIdentityRequestTypeDef,
        DeleteVerifiedEmailAddressRequestTypeDef,
        GetIdentityDkimAttributesRequestTypeDef,
        GetIdentityVerificationAttributesRequestTypeDef,
        ListIdentitiesRequestTypeDef,
        SetIdentityDkimEnabledRequestTypeDef,
        VerifyDomainDkimRequestTypeDef,
        VerifyDomainIdentityRequestTypeDef,
        VerifyEmailAddressRequestTypeDef,
        VerifyEmailIdentityRequestTypeDef,
    )

_MOST = 1000
_INSERT = """
INSERT INTO ses_identities (account_id, region, name, token, verified) VALUES ($1, $2, $3, $4, true)
ON CONFLICT (account_id, region, name) DO UPDATE SET verified = true RETURNING token
"""
_NAMED = "SELECT * FROM ses_identities WHERE account_id = $1 AND region = $2 AND name = ANY($3)"
_PAGE = """
SELECT name FROM ses_identities WHERE account_id = $1 AND region = $2 AND ($3::text IS NULL OR name > $3)
AND ($4::boolean IS NULL OR (name LIKE '%@%') = $4) ORDER BY name LIMIT $5
"""
_DELETE = "DELETE FROM ses_identities WHERE account_id = $1 AND region = $2 AND name = $3"
_SET_KEY = """
UPDATE ses_identities SET dkim = $4, sealed_key = $5, signs = true WHERE account_id = $1 AND region = $2 AND name = $3
"""
_SET_SIGNS = "UPDATE ses_identities SET signs = $4 WHERE account_id = $1 AND region = $2 AND name = $3 RETURNING true"


def identity_arn(ctx: Context, name: str) -> str:
    return arn("ses", ctx.region, ctx.account_id, f"identity/{name or '*'}")


def _on(member: str) -> Any:
    return lambda ctx, request: Resource(identity_arn(ctx, request[member]))


async def _verify(ctx: Context, name: str) -> str:
    token = base64.b64encode(secrets.token_bytes(32)).decode()
    found: str = await ctx.db.fetchval(_INSERT, ctx.account_id, ctx.region, name, token)
    return found


@operation("VerifyEmailIdentity", on=ANY)
async def verify_email_identity(ctx: Context, request: VerifyEmailIdentityRequestTypeDef) -> dict[str, Any]:
    """Take a mail address to send from."""
    await _verify(ctx, _address(request["EmailAddress"]))
    return {}


def _address(text: str) -> str:
    local, _, domain = bare(text).rpartition("@")
    return f"{local}@{domain.lower()}"


@operation("VerifyEmailAddress", on=ANY)
async def verify_email_address(ctx: Context, request: VerifyEmailAddressRequestTypeDef) -> None:
    """The older name of VerifyEmailIdentity."""
    await _verify(ctx, _address(request["EmailAddress"]))


@operation("VerifyDomainIdentity", on=ANY)
async def verify_domain_identity(ctx: Context, request: VerifyDomainIdentityRequestTypeDef) -> dict[str, Any]:
    """Take a domain to send from. Raises InvalidParameterValue."""
    return {"VerificationToken": await _verify(ctx, _domain(request["Domain"]))}


def _domain(text: str) -> str:
    if not DOMAIN.fullmatch(text):
        raise InvalidParameterValue(f"Invalid domain name {text[:256]}.")
    return text.lower()


@operation("VerifyDomainDkim", on=ANY)
async def verify_domain_dkim(ctx: Context, request: VerifyDomainDkimRequestTypeDef) -> dict[str, Any]:
    """Have mails of a domain signed from now on."""
    domain = _domain(request["Domain"])
    await _verify(ctx, domain)
    rows = await ctx.db.fetch(_NAMED, ctx.account_id, ctx.region, [domain])
    if rows[0]["dkim"] is not None:
        return {"DkimTokens": rows[0]["dkim"]["tokens"]}
    selector, public, private = mailing.new_key()
    tokens = [selector, secrets.token_hex(16), secrets.token_hex(16)]
    facts = {"selector": selector, "public": public, "tokens": tokens}
    sealed = mailing.seal_key(ctx.engine("sealing"), ctx.account_id, domain, private)
    await ctx.db.execute(_SET_KEY, ctx.account_id, ctx.region, domain, facts, sealed)
    return {"DkimTokens": tokens}


@operation("GetIdentityDkimAttributes", on=ANY)
async def get_identity_dkim_attributes(
    ctx: Context, request: GetIdentityDkimAttributesRequestTypeDef
) -> dict[str, Any]:
    """Whether mails of identities are signed, and under which tokens."""
    rows = await ctx.db.fetch(_NAMED, ctx.account_id, ctx.region, list(request["Identities"]))
    return {
        "DkimAttributes": {
            row["name"]: {
                "DkimEnabled": row["signs"],
                "DkimVerificationStatus": "Success" if row["dkim"] else "NotStarted",
                **({"DkimTokens": row["dkim"]["tokens"]} if row["dkim"] else {}),
            }
            for row in rows
        }
    }


@operation("SetIdentityDkimEnabled", on=_on("Identity"))
async def set_identity_dkim_enabled(ctx: Context, request: SetIdentityDkimEnabledRequestTypeDef) -> dict[str, Any]:
    """Begin or cease to sign. Raises InvalidParameterValue."""
    name = request["Identity"]
    if not await ctx.db.fetchval(_SET_SIGNS, ctx.account_id, ctx.region, name, request["DkimEnabled"]):
        raise InvalidParameterValue(f"Identity {name[:320]} is not verified or does not exist.")
    return {}


@operation("GetIdentityVerificationAttributes", on=ANY)
async def get_identity_verification_attributes(
    ctx: Context, request: GetIdentityVerificationAttributesRequestTypeDef
) -> dict[str, Any]:
    """The state of those identities that there are."""
    rows = await ctx.db.fetch(_NAMED, ctx.account_id, ctx.region, list(request["Identities"]))
    return {
        "VerificationAttributes": {
            row["name"]: {
                "VerificationStatus": "Success" if row["verified"] else "Pending",
                **({} if "@" in row["name"] else {"VerificationToken": row["token"]}),
            }
            for row in rows
        }
    }


@operation("ListIdentities", on=ANY)
async def list_identities(ctx: Context, request: ListIdentitiesRequestTypeDef) -> dict[str, Any]:
    """Names of the caller's identities, of one type or all."""
    type = request.get("IdentityType")
    mails = None if type is None else type == "EmailAddress"
    size = min(max(request.get("MaxItems") or _MOST, 1), _MOST)
    rows = await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, _after(request), mails, size + 1)
    names = [row["name"] for row in rows[:size]]
    more = {"NextToken": encode_token(names[-1])} if len(rows) > size else {}
    return {"Identities": names, **more}


def _after(request: Any) -> str | None:
    token = request.get("NextToken")
    if not token:
        return None
    try:
        return str(decode_token(token))
    except ValueError as error:
        raise InvalidParameterValue("Invalid NextToken") from error


@operation("ListVerifiedEmailAddresses", on=ANY)
async def list_verified_email_addresses(ctx: Context, request: Any) -> dict[str, Any]:
    """The mail addresses among the identities."""
    rows = await ctx.db.fetch(_PAGE, ctx.account_id, ctx.region, None, True, _MOST)
    return {"VerifiedEmailAddresses": [row["name"] for row in rows]}


@operation("DeleteIdentity", on=_on("Identity"))
async def delete_identity(ctx: Context, request: DeleteIdentityRequestTypeDef) -> dict[str, Any]:
    """Delete an identity; one that is not there is no error."""
    await ctx.db.execute(_DELETE, ctx.account_id, ctx.region, request["Identity"])
    return {}


@operation("DeleteVerifiedEmailAddress", on=_on("EmailAddress"))
async def delete_verified_email_address(ctx: Context, request: DeleteVerifiedEmailAddressRequestTypeDef) -> None:
    """The older name of DeleteIdentity."""
    await ctx.db.execute(_DELETE, ctx.account_id, ctx.region, request["EmailAddress"])
