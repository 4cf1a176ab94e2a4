"""Roles for holders of an OpenID Connect provider's token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from controlplane.access import oidc
from controlplane.access.issuers import IssuerUnreachable
from controlplane.core.context import Context
from controlplane.core.operation import UNAUTHENTICATED, operation
from controlplane.services.sts import packing
from controlplane.services.sts.errors import (
    ExpiredToken,
    IdpRejectedClaim,
    InvalidIdentityToken,
    InvalidParameterValue,
)
from controlplane.services.sts.federation import Vouched, account_of_role, assume, find_provider

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import AssumeRoleWithWebIdentityRequestTypeDef

ACTION = "sts:AssumeRoleWithWebIdentity"
_TAGS = "https://aws.amazon.com/tags"
_SOURCE = "https://aws.amazon.com/source_identity"
_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


@operation("AssumeRoleWithWebIdentity", on=UNAUTHENTICATED)
async def assume_role_with_web_identity(
    ctx: Context, request: AssumeRoleWithWebIdentityRequestTypeDef
) -> dict[str, Any]:
    """Credentials of a role for a token's subject; the token is the only credential.

    Raises InvalidIdentityToken, ExpiredTokenException, IDPRejectedClaim, AccessDenied, ValidationError.
    """
    if request.get("ProviderId"):
        raise InvalidParameterValue("ProviderId is for OAuth 2.0 providers, which this cloud does not know.")
    account, token = account_of_role(request["RoleArn"]), request["WebIdentityToken"]
    try:
        name = oidc.issuer_of(token).removeprefix("https://").rstrip("/")
        arn = f"arn:aws:iam::{account}:oidc-provider/{name}"
        content = await find_provider(ctx, "oidc", account, arn)
        if content is None:
            raise InvalidIdentityToken(f"No OpenIDConnect provider found in your account for https://{name[:255]}")
        provider = oidc.Provider(content["url"], content["clients"], content["thumbprints"])
        claims = await oidc.verify(token, provider, ctx.engine("outbound").resolve)
    except oidc.ExpiredToken as error:
        raise ExpiredToken(str(error)) from error
    except oidc.BadToken as error:
        raise InvalidIdentityToken(str(error)) from error
    except IssuerUnreachable as error:
        raise InvalidIdentityToken(
            "Couldn't retrieve verification key from your identity provider,  please reference "
            "AssumeRoleWithWebIdentity documentation for requirements",
            detail=str(error),
        ) from error
    answer = await assume(ctx, request, ACTION, _vouched(arn, provider.url, claims, request["RoleSessionName"]))
    more = {"SubjectFromWebIdentityToken": claims["sub"], "Audience": oidc.audience_of(claims), "Provider": arn}
    return {**answer, **more}


def _vouched(arn: str, url: str, claims: Mapping[str, Any], session_name: str) -> Vouched:
    conditions: dict[str, Any] = {}
    for claim, value in claims.items():
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            conditions[f"{url}:{claim}"] = value
    conditions[f"{url}:aud"] = oidc.audience_of(claims)
    if isinstance(claims["aud"], str):
        conditions[f"{url}:oaud"] = claims["aud"]
    source = claims.get(_SOURCE) or ""
    if not isinstance(source, str) or (source and not _SOURCE_IDENTITY.fullmatch(source)):
        raise IdpRejectedClaim("The source identity in the token is not valid.")
    tags, transitive = _tags(claims.get(_TAGS))
    return Vouched(arn, claims["sub"], session_name, conditions, tags, transitive, source)


def _tags(claim: Any) -> tuple[dict[str, str], tuple[str, ...]]:
    """The session tags in a token: `{"principal_tags": {key: [value]}, "transitive_tag_keys": [key]}`."""
    if claim is None:
        return {}, ()
    given = claim.get("principal_tags", {}) if isinstance(claim, Mapping) else None
    transitive = claim.get("transitive_tag_keys", []) if isinstance(claim, Mapping) else None
    if not isinstance(given, Mapping) or not isinstance(transitive, list):
        raise IdpRejectedClaim("The session tags in the token are not valid.")
    tags = []
    for key, value in given.items():
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, str) or not 1 <= len(key) <= 128 or len(value) > 256:
            raise IdpRejectedClaim("The session tags in the token are not valid.")
        tags.append({"Key": key, "Value": value})
    if not {str(key).lower() for key in transitive} <= {tag["Key"].lower() for tag in tags}:
        raise IdpRejectedClaim("The transitive tags in the token are not among its tags.")
    return packing.check_tags(tags), tuple(map(str, transitive))
