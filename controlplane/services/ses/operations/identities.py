"""Identities: verified, told, listed, deleted, signed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.core.paging import encode_token
from controlplane.services.ses import identities
from controlplane.services.ses.errors import InvalidParameterValue
from controlplane.services.ses.paging import after

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


@operation("VerifyEmailIdentity", on=ANY)
async def verify_email_identity(ctx: Context, request: VerifyEmailIdentityRequestTypeDef) -> dict[str, Any]:
    """Take a mail address to send from."""
    await identities.verify(ctx, identities.address(request["EmailAddress"]))
    return {}


@operation("VerifyEmailAddress", on=ANY)
async def verify_email_address(ctx: Context, request: VerifyEmailAddressRequestTypeDef) -> None:
    """The older name of VerifyEmailIdentity."""
    await identities.verify(ctx, identities.address(request["EmailAddress"]))


@operation("VerifyDomainIdentity", on=ANY)
async def verify_domain_identity(ctx: Context, request: VerifyDomainIdentityRequestTypeDef) -> dict[str, Any]:
    """Take a domain to send from. Raises InvalidParameterValue."""
    return {"VerificationToken": await identities.verify(ctx, identities.domain(request["Domain"]))}


@operation("VerifyDomainDkim", on=ANY)
async def verify_domain_dkim(ctx: Context, request: VerifyDomainDkimRequestTypeDef) -> dict[str, Any]:
    """Have mails of a domain signed from now on."""
    domain = identities.domain(request["Domain"])
    await identities.verify(ctx, domain)
    return {"DkimTokens": await identities.sign(ctx, domain)}


@operation("GetIdentityDkimAttributes", on=ANY)
async def get_identity_dkim_attributes(
    ctx: Context, request: GetIdentityDkimAttributesRequestTypeDef
) -> dict[str, Any]:
    """Whether mails of identities are signed, and under which tokens."""
    rows = await identities.named(ctx, list(request["Identities"]))
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


@operation("SetIdentityDkimEnabled", on=identities.on("Identity"))
async def set_identity_dkim_enabled(ctx: Context, request: SetIdentityDkimEnabledRequestTypeDef) -> dict[str, Any]:
    """Begin or cease to sign. Raises InvalidParameterValue."""
    name = request["Identity"]
    if not await identities.set_signs(ctx, name, signs=request["DkimEnabled"]):
        raise InvalidParameterValue(f"Identity {name[:320]} is not verified or does not exist.")
    return {}


@operation("GetIdentityVerificationAttributes", on=ANY)
async def get_identity_verification_attributes(
    ctx: Context, request: GetIdentityVerificationAttributesRequestTypeDef
) -> dict[str, Any]:
    """The state of those identities that there are."""
    rows = await identities.named(ctx, list(request["Identities"]))
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
    rows = await identities.page(ctx, after(request), mails, size + 1)
    names = [row["name"] for row in rows[:size]]
    more = {"NextToken": encode_token(names[-1])} if len(rows) > size else {}
    return {"Identities": names, **more}


@operation("ListVerifiedEmailAddresses", on=ANY)
async def list_verified_email_addresses(ctx: Context, request: Any) -> dict[str, Any]:
    """The mail addresses among the identities."""
    rows = await identities.page(ctx, None, True, _MOST)
    return {"VerifiedEmailAddresses": [row["name"] for row in rows]}


@operation("DeleteIdentity", on=identities.on("Identity"))
async def delete_identity(ctx: Context, request: DeleteIdentityRequestTypeDef) -> dict[str, Any]:
    """Delete an identity; one that is not there is no error."""
    await identities.delete(ctx, request["Identity"])
    return {}


@operation("DeleteVerifiedEmailAddress", on=identities.on("EmailAddress"))
async def delete_verified_email_address(ctx: Context, request: DeleteVerifiedEmailAddressRequestTypeDef) -> None:
    """The older name of DeleteIdentity."""
    await identities.delete(ctx, request["EmailAddress"])
