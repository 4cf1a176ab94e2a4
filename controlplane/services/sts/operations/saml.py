"""Roles for people whom a SAML provider asserts."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controlplane.access.saml import ATTRIBUTE, Assertion, BadAssertion, ExpiredAssertion, Metadata, read_assertion
from controlplane.core.context import Context
from controlplane.core.operation import UNAUTHENTICATED, operation
from controlplane.services.sts import packing
from controlplane.services.sts.errors import AccessDenied, ExpiredToken, IdpRejectedClaim, InvalidIdentityToken
from controlplane.services.sts.federation import Vouched, account_of_role, assume, find_provider

if TYPE_CHECKING:
    from types_boto3_sts.type_defs import AssumeRoleWithSAMLRequestTypeDef

ACTION = "sts:AssumeRoleWithSAML"
_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_SHORTEST, _LONGEST = 900, 43200
_EDU_PERSON = "urn:oid:1.3.6.1.4.1.5923.1.1.1."
# Attributes that conditions may speak of, by the keys that AWS gives them.
_KEYS = {
    f"{_EDU_PERSON}1": "saml:eduPersonAffiliation",
    f"{_EDU_PERSON}2": "saml:eduPersonNickname",
    f"{_EDU_PERSON}3": "saml:eduPersonOrgDN",
    f"{_EDU_PERSON}4": "saml:eduPersonOrgUnitDN",
    f"{_EDU_PERSON}5": "saml:eduPersonPrimaryAffiliation",
    f"{_EDU_PERSON}6": "saml:eduPersonPrincipalName",
    f"{_EDU_PERSON}7": "saml:eduPersonEntitlement",
    f"{_EDU_PERSON}8": "saml:eduPersonPrimaryOrgUnitDN",
    f"{_EDU_PERSON}9": "saml:eduPersonScopedAffiliation",
    "urn:oid:0.9.2342.19200300.100.1.3": "saml:mail",
    "urn:oid:2.5.4.3": "saml:cn",
    "urn:oid:2.5.4.4": "saml:surname",
    "urn:oid:2.5.4.42": "saml:givenName",
    "urn:oid:2.5.4.45": "saml:uid",
}


@operation("AssumeRoleWithSAML", on=UNAUTHENTICATED)
async def assume_role_with_saml(ctx: Context, request: AssumeRoleWithSAMLRequestTypeDef) -> dict[str, Any]:
    """Credentials of a role for an assertion's subject; the assertion is the only credential.

    Raises InvalidIdentityToken, ExpiredTokenException, IDPRejectedClaim, AccessDenied, ValidationError.
    """
    account, arn = account_of_role(request["RoleArn"]), request["PrincipalArn"]
    content = await find_provider(ctx, "saml", account, arn)
    if content is None:
        raise InvalidIdentityToken("Specified provider doesn't exist")
    metadata = Metadata.read(content["metadata"])
    if metadata.valid_until < datetime.now(UTC):
        raise InvalidIdentityToken("The metadata of the specified provider has expired")
    try:
        assertion = read_assertion(request["SAMLAssertion"], metadata)
    except ExpiredAssertion as error:
        raise ExpiredToken(str(error)) from error
    except BadAssertion as error:
        raise InvalidIdentityToken(str(error)) from error
    if (request["RoleArn"], arn) not in assertion.roles():
        raise AccessDenied(f"Not authorized to perform {ACTION}")
    vouched = _vouched(arn, account, assertion)
    asked = request.get("DurationSeconds") or _duration(assertion)
    answer = await assume(ctx, {**request, "DurationSeconds": asked} if asked else request, ACTION, vouched)
    return {
        **answer,
        "Subject": assertion.subject,
        "SubjectType": assertion.subject_type,
        "Issuer": assertion.issuer,
        "Audience": assertion.recipient,
        "NameQualifier": str(vouched.conditions["saml:namequalifier"]),
    }


def _one(assertion: Assertion, name: str) -> str:
    values = assertion.values(name)
    if len(values) > 1:
        raise IdpRejectedClaim(f"{name} in AuthnResponse must have one value")
    return values[0] if values else ""


def _duration(assertion: Assertion) -> int | None:
    given = _one(assertion, "SessionDuration")
    if not given:
        return None
    if not given.isdecimal() or not _SHORTEST <= int(given[:9]) <= _LONGEST:
        raise IdpRejectedClaim("SessionDuration in AuthnResponse must be 900 to 43200 seconds")
    return int(given)


def _vouched(arn: str, account: str, assertion: Assertion) -> Vouched:
    name, source = _one(assertion, "RoleSessionName"), _one(assertion, "SourceIdentity")
    if not _NAME.fullmatch(name):
        raise IdpRejectedClaim("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
    if source and not _NAME.fullmatch(source):
        raise IdpRejectedClaim("SourceIdentity in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
    provider = arn.rpartition("/")[2]
    qualifier = hashlib.sha1(f"{assertion.issuer}{account}/{provider}".encode(), usedforsecurity=False).digest()
    conditions: dict[str, Any] = {
        "saml:aud": assertion.recipient,
        "saml:iss": assertion.issuer,
        "saml:sub": assertion.subject,
        "saml:sub_type": assertion.subject_type,
        "saml:namequalifier": base64.b64encode(qualifier).decode(),
        "saml:doc": f"{account}/{provider}",
        **{key: assertion.attributes[name] for name, key in _KEYS.items() if assertion.attributes.get(name)},
    }
    prefix = f"{ATTRIBUTE}PrincipalTag:"
    tags = [
        {"Key": attribute.removeprefix(prefix), "Value": values[0] if values else ""}
        for attribute, values in assertion.attributes.items()
        if attribute.startswith(prefix)
    ]
    if any(not 1 <= len(tag["Key"]) <= 128 or len(tag["Value"]) > 256 for tag in tags):
        raise IdpRejectedClaim("A PrincipalTag in AuthnResponse is not valid")
    longest = None
    if assertion.session_ends is not None:
        longest = max(1, int((assertion.session_ends - datetime.now(UTC)).total_seconds()))
    return Vouched(
        arn,
        assertion.subject,
        name,
        conditions,
        packing.check_tags(tags),
        tuple(assertion.values("TransitiveTagKeys")),
        source,
        longest,
    )
