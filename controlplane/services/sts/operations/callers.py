"""Who calls, and sessions of users themselves."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from controlplane.access import keys
from controlplane.access.authorize import MESSAGE
from controlplane.access.queries import access_key
from controlplane.access.sessions import issue, starting
from controlplane.core.context import Context
from controlplane.core.operation import ANY, NO_PERMISSION_NEEDED, Resource, operation
from controlplane.services.sts import multi_factor, packing
from controlplane.services.sts.errors import AccessDenied, InvalidAuthorizationMessage, ValidationError
from controlplane.state.sealing import SealError

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import (
        DecodeAuthorizationMessageRequestTypeDef,
        GetAccessKeyInfoRequestTypeDef,
        GetFederationTokenRequestTypeDef,
        GetSessionTokenRequestTypeDef,
    )

USER_SECONDS = 12 * 3600
ROOT_SECONDS = 3600


@operation("GetCallerIdentity", on=NO_PERMISSION_NEEDED)
async def get_caller_identity(ctx: Context, request: Any) -> dict[str, Any]:
    """Who the credentials stand for; needs no permission."""
    return {"UserId": ctx.principal.user_id, "Account": ctx.principal.account_id, "Arn": ctx.principal.arn}


@operation("GetSessionToken", on=NO_PERMISSION_NEEDED)
async def get_session_token(ctx: Context, request: GetSessionTokenRequestTypeDef) -> dict[str, Any]:
    """Temporary credentials of the caller itself, with MFA where it shows a code. Raises AccessDenied for sessions."""
    principal = ctx.principal
    if principal.session:
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    seconds = _seconds(request.get("DurationSeconds"), root=principal.is_root)
    session = starting(seconds)
    if await multi_factor.present(ctx, request):
        session = replace(session, mfa_at=session.issued_at)
    made = issue(
        ctx.engine("sealing"),
        principal.kind,
        principal.account_id,
        principal.arn,
        principal.user_id,
        principal.name,
        session,
    )
    return {"Credentials": made.as_aws()}


def _seconds(given: int | None, *, root: bool) -> int:
    """Root's sessions last an hour at most, whatever is asked for."""
    return min(given or ROOT_SECONDS, ROOT_SECONDS) if root else given or USER_SECONDS


async def on_federated_user(ctx: Context, request: Any) -> list[Resource]:
    """The federated user to be."""
    return [Resource(f"arn:aws:sts::{ctx.account_id}:federated-user/{request.get('Name') or ''}")]


@operation("GetFederationToken", on=on_federated_user)
async def get_federation_token(ctx: Context, request: GetFederationTokenRequestTypeDef) -> dict[str, Any]:
    """Credentials of a federated user, who may do what both the caller and the given policies allow."""
    principal = ctx.principal
    if principal.session:
        raise AccessDenied("Cannot call GetFederationToken with session credentials")
    tags = packing.tags(request)
    documents, arns = packing.policies(request, principal.account_id)
    if tags:
        await ctx.authorize("sts:TagSession", *await on_federated_user(ctx, request))
    packed = packing.percentage(documents, arns, tags)
    arn = f"arn:aws:sts::{principal.account_id}:federated-user/{request['Name']}"
    id = f"{principal.account_id}:{request['Name']}"
    session = starting(
        _seconds(request.get("DurationSeconds"), root=principal.is_root),
        issuer_arn=principal.arn,
        issuer_id=principal.user_id,
        policies=documents,
        policy_arns=arns,
        tags=tags,
    )
    made = issue(ctx.engine("sealing"), "federated-user", principal.account_id, arn, id, request["Name"], session)
    user = {"FederatedUserId": id, "Arn": arn}
    return {"Credentials": made.as_aws(), "FederatedUser": user, "PackedPolicySize": packed or 0}


@operation("GetAccessKeyInfo", on=ANY)
async def get_access_key_info(ctx: Context, request: GetAccessKeyInfoRequestTypeDef) -> dict[str, Any]:
    """The account that an access key id belongs to, of this account or not. Raises ValidationError."""
    id = request["AccessKeyId"]
    row = await access_key(ctx.db, id)
    if row is not None:
        return {"Account": row["account_id"]}
    try:
        return {"Account": keys.account_of(id)}
    except ValueError as error:
        raise ValidationError(f"The specified value for parameter AccessKeyId is invalid: {id}") from error


@operation("DecodeAuthorizationMessage", on=ANY)
async def decode_authorization_message(
    ctx: Context, request: DecodeAuthorizationMessageRequestTypeDef
) -> dict[str, Any]:
    """What an encoded denial of this account says. Raises InvalidAuthorizationMessageException."""
    encoded = request["EncodedMessage"]
    try:
        sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        message = ctx.engine("sealing").open(MESSAGE, sealed, ctx.account_id)
    except (binascii.Error, ValueError, SealError) as error:
        raise InvalidAuthorizationMessage("Message is not valid") from error
    return {"DecodedMessage": message.decode()}
