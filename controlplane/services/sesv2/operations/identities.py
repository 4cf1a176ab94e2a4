"""Identities: created, told, listed, deleted; what they sign with and whom they tell."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY
from controlplane.services.ses import identities, keys
from controlplane.services.ses.paging import after
from controlplane.services.sesv2.declaring import operation
from controlplane.services.sesv2.errors import AlreadyExistsException, BadRequestException, NotFoundException
from controlplane.services.sesv2.paging import more, shown_tags, size, tags

_MOST = 1000
_BEHAVIOURS = {"USE_DEFAULT_VALUE": "UseDefaultValue", "REJECT_MESSAGE": "RejectMessage"}
_on = identities.on("EmailIdentity")


async def _identity(ctx: Context, request: Any) -> Any:
    row = await identities.find(ctx, request["EmailIdentity"])
    if row is None:
        raise NotFoundException(f"Email identity {request['EmailIdentity'][:320]} does not exist.")
    return row


def _dkim(row: Any) -> dict[str, Any]:
    found = row["dkim"]
    shown: dict[str, Any] = {
        "SigningEnabled": row["signs"],
        "Status": "SUCCESS" if found else "NOT_STARTED",
        "SigningAttributesOrigin": "EXTERNAL" if found and found.get("own") else "AWS_SES",
    }
    if found and not found.get("own"):
        shown |= {"Tokens": found["tokens"], "CurrentSigningKeyLength": "RSA_2048_BIT"}
        shown |= {"NextSigningKeyLength": "RSA_2048_BIT", "SigningHostedZone": keys.ZONE}
    return shown


def _kind(name: str) -> str:
    return "EMAIL_ADDRESS" if "@" in name else "DOMAIN"


@operation("CreateEmailIdentity", on=_on)
async def create_email_identity(ctx: Context, request: Any) -> dict[str, Any]:
    """Take an address or a domain, which signs at once. Raises AlreadyExistsException, BadRequestException."""
    name = identities.name(request["EmailIdentity"])
    used = request.get("ConfigurationSetName")
    settings = {"ConfigurationSetName": used} if used else {}
    if not await identities.create(ctx, name, tags(request.get("Tags")), settings):
        raise AlreadyExistsException(f"Email identity {name} already exist.")
    given = request.get("DkimSigningAttributes") or {}
    if "@" not in name:
        await _sign(ctx, name, given)
    row = await identities.find(ctx, name)
    return {"IdentityType": _kind(name), "VerifiedForSendingStatus": row["verified"], "DkimAttributes": _dkim(row)}


async def _sign(ctx: Context, name: str, given: Any) -> list[str]:
    selector, private = given.get("DomainSigningSelector"), given.get("DomainSigningPrivateKey")
    if bool(selector) != bool(private):
        raise BadRequestException("A selector and a private key are given together.")
    if not selector:
        return await identities.sign(ctx, name)
    public, pem = keys.own(private)
    return await identities.keep_key(ctx, name, keys.selector(selector), public, pem, own=True)


@operation("GetEmailIdentity", on=_on)
async def get_email_identity(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await _identity(ctx, request)
    settings = row["settings"]
    given = settings.get("mail_from")
    behaviour = next(
        new for new, old in _BEHAVIOURS.items() if old == (given["behaviour"] if given else "UseDefaultValue")
    )
    told = {"MailFromDomain": given["domain"], "MailFromDomainStatus": "SUCCESS"} if given else {}
    answer = {
        "IdentityType": _kind(row["name"]),
        "FeedbackForwardingStatus": settings.get("forwarding", True),
        "VerifiedForSendingStatus": row["verified"],
        "DkimAttributes": _dkim(row),
        "MailFromAttributes": {**told, "BehaviorOnMxFailure": behaviour},
        "Policies": row["policies"],
        "Tags": shown_tags(row["tags"]),
        "VerificationStatus": "SUCCESS" if row["verified"] else "PENDING",
    }
    used = settings.get("ConfigurationSetName")
    return {**answer, "ConfigurationSetName": used} if used else answer


@operation("DeleteEmailIdentity", on=_on)
async def delete_email_identity(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    if not await identities.delete(ctx, request["EmailIdentity"]):
        raise NotFoundException(f"Email identity {request['EmailIdentity'][:320]} does not exist.")
    return {}


@operation("ListEmailIdentities", on=ANY)
async def list_email_identities(ctx: Context, request: Any) -> dict[str, Any]:
    """By name."""
    most = size(request, _MOST)
    rows = await identities.page(ctx, after(request), None, most + 1)
    told = [
        {
            "IdentityType": _kind(row["name"]),
            "IdentityName": row["name"],
            "SendingEnabled": row["verified"],
            "VerificationStatus": "SUCCESS" if row["verified"] else "PENDING",
        }
        for row in rows[:most]
    ]
    return {"EmailIdentities": told, **more(rows, most, lambda row: str(row["name"]))}


@operation("PutEmailIdentityDkimAttributes", on=_on)
async def put_dkim_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Begin or cease to sign. Raises NotFoundException."""
    row = await _identity(ctx, request)
    await identities.set_signs(ctx, row["name"], signs=bool(request.get("SigningEnabled")))
    return {}


@operation("PutEmailIdentityDkimSigningAttributes", on=_on)
async def put_dkim_signing_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Sign with a key of the caller's, or with ours. Raises NotFoundException, BadRequestException."""
    row = await _identity(ctx, request)
    given = request.get("SigningAttributes") or {}
    own = request["SigningAttributesOrigin"] == "EXTERNAL"
    if own and not given.get("DomainSigningPrivateKey"):
        raise BadRequestException("DomainSigningPrivateKey and DomainSigningSelector are required.")
    if not own and row["dkim"] and row["dkim"].get("own"):
        await identities.drop_key(ctx, row["name"])
    tokens = await _sign(ctx, row["name"], given if own else {})
    return {"DkimStatus": "SUCCESS", "DkimTokens": tokens}


@operation("PutEmailIdentityFeedbackAttributes", on=_on)
async def put_feedback_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await _identity(ctx, request)
    await identities.change(ctx, row["name"], forwarding=bool(request.get("EmailForwardingEnabled")))
    return {}


@operation("PutEmailIdentityMailFromAttributes", on=_on)
async def put_mail_from_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, BadRequestException."""
    row, domain = await _identity(ctx, request), request.get("MailFromDomain")
    behaviour = _BEHAVIOURS[request.get("BehaviorOnMxFailure") or "USE_DEFAULT_VALUE"]
    kept = {"domain": identities.mail_from(row["name"], domain), "behaviour": behaviour} if domain else None
    await identities.change(ctx, row["name"], mail_from=kept)
    return {}


@operation("PutEmailIdentityConfigurationSetAttributes", on=_on)
async def put_configuration_set_attributes(ctx: Context, request: Any) -> dict[str, Any]:
    """Which set mails go with that say none. Raises NotFoundException."""
    row = await _identity(ctx, request)
    await identities.change(ctx, row["name"], ConfigurationSetName=request.get("ConfigurationSetName"))
    return {}


@operation("CreateEmailIdentityPolicy", on=_on)
async def create_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException, AlreadyExistsException."""
    row = await _identity(ctx, request)
    if request["PolicyName"] in row["policies"]:
        raise AlreadyExistsException(f"Policy {request['PolicyName']} already exists.")
    await identities.put_policy(ctx, row["name"], request["PolicyName"], request["Policy"])
    return {}


@operation("UpdateEmailIdentityPolicy", on=_on)
async def update_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await _identity(ctx, request)
    if request["PolicyName"] not in row["policies"]:
        raise NotFoundException(f"Policy {request['PolicyName']} does not exist.")
    await identities.put_policy(ctx, row["name"], request["PolicyName"], request["Policy"])
    return {}


@operation("DeleteEmailIdentityPolicy", on=_on)
async def delete_policy(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    row = await _identity(ctx, request)
    await identities.drop_policy(ctx, row["name"], request["PolicyName"])
    return {}


@operation("GetEmailIdentityPolicies", on=_on)
async def get_policies(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises NotFoundException."""
    return {"Policies": (await _identity(ctx, request))["policies"]}
