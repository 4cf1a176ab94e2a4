"""Sessions for holders of certificates, and the subjects that were seen."""

from __future__ import annotations

import base64
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane.access import directory
from controlplane.access.sessions import issue_for_role, starting
from controlplane.core.arn import Arn
from controlplane.core.context import Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, SIGNED_BY_CERTIFICATE, Resource, operation
from controlplane.core.principal import service_principal
from controlplane.services.rolesanywhere import queries, resources
from controlplane.services.rolesanywhere.certificates import (
    Untrusted,
    attributes,
    bundle,
    check_path,
    is_revoked,
    revocation_list,
)
from controlplane.services.rolesanywhere.errors import AccessDenied, ValidationException
from controlplane.services.rolesanywhere.operations.profiles import SERVICE
from controlplane.services.rolesanywhere.resources import PROFILE, SUBJECT, TRUST_ANCHOR, Kind

_SOURCE_IDENTITY = 64


async def _part(ctx: Context, kind: Kind, arn: str, account_id: str) -> Any:
    """An enabled resource that a session is made with. Raises AccessDeniedException, which tells no more."""
    id = kind.id_of(arn)
    row = await queries.find(ctx, kind.name, id, account_id)
    if row is None or not row["enabled"] or arn != kind.arn(account_id, ctx.region, id):
        raise AccessDenied(f"Unable to assume the role: the {kind.name} cannot be used.")
    return row


@operation("CreateSession", on=SIGNED_BY_CERTIFICATE)
async def create_session(ctx: Context, request: Any) -> dict[str, Any]:
    """Credentials of a role for the holder of a certificate that a trust anchor vouches for.

    Raises AccessDeniedException, ValidationException.
    """
    certificates = ctx.principal.session["certificates"]
    leaf = certificates[0]
    try:
        account = Arn.parse(request["trustAnchorArn"]).account
    except ValueError as error:
        raise ValidationException("Invalid trust anchor ARN.") from error
    if not await queries.is_open(ctx, account):
        raise AccessDenied("Unable to assume the role.")
    anchor = await _part(ctx, TRUST_ANCHOR, request["trustAnchorArn"], account)
    profile = await _part(ctx, PROFILE, request["profileArn"], account)
    try:
        check_path(certificates, bundle(anchor["content"]["source"]["sourceData"]["x509CertificateData"]))
    except Untrusted as error:
        raise AccessDenied("Untrusted certificate. Insufficient certificate", detail=str(error)) from error
    lists = [revocation_list(_bytes(row)) for row in await queries.lists_of(ctx, account, request["trustAnchorArn"])]
    if is_revoked(certificates, lists):
        raise AccessDenied("Certificate revoked")
    settings = profile["content"]
    if settings.get("requireInstanceProperties") and not request.get("instanceProperties"):
        raise ValidationException("The profile requires instance properties.")
    found = attributes(leaf)
    tags = _tags(found, settings["attributeMappings"])
    source_identity = found["x509Subject"].get("CN", "")[:_SOURCE_IDENTITY]
    role = await _role(ctx, request, settings, account, tags, source_identity)
    name = _session_name(request, settings, leaf.serial_number)
    seconds = int(request.get("durationSeconds") or settings["durationSeconds"])
    if seconds > settings["durationSeconds"] or seconds > role["max_session_seconds"]:
        raise ValidationException("durationSeconds exceeds what profile and role allow.")
    session = starting(
        seconds,
        issuer_arn=directory.role_arn_of(role),
        issuer_id=role["id"],
        policies=[settings["sessionPolicy"]] if settings.get("sessionPolicy") else [],
        policy_arns=settings.get("managedPolicyArns") or [],
        tags=tags,
        source_identity=source_identity,
    )
    made, arn, id = issue_for_role(ctx.engine("sealing"), role, name, session)
    subject = await _note(ctx, account, leaf, request.get("instanceProperties"))
    credentials = {
        "accessKeyId": made.access_key_id,
        "secretAccessKey": made.secret_access_key,
        "sessionToken": made.token,
        "expiration": made.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    shown = {
        "assumedRoleUser": {"arn": arn, "assumedRoleId": id},
        "credentials": credentials,
        "packedPolicySize": 0,
        "roleArn": request["roleArn"],
        "sourceIdentity": source_identity,
    }
    return {"credentialSet": [shown], "subjectArn": SUBJECT.arn(account, ctx.region, subject)}


def _bytes(row: Any) -> bytes:
    return base64.b64decode(row["content"]["crlData"])


def _tags(found: dict[str, dict[str, str]], mappings: list[dict[str, Any]]) -> dict[str, str]:
    """Session tags such as `x509Subject/CN`, as far as the profile's mappings go."""
    tags: dict[str, str] = {}
    for mapping in mappings:
        field = mapping["certificateField"]
        wanted = {rule["specifier"] for rule in mapping["mappingRules"]}
        for specifier, value in found[field].items():
            if "*" in wanted or specifier in wanted:
                tags[f"{field}/{specifier}"] = value
    return tags


async def _role(
    ctx: Context, request: Any, settings: Any, account: str, tags: dict[str, str], source_identity: str
) -> Any:
    """The role, if the profile names it and it trusts the service for this one. Raises AccessDeniedException."""
    refused = AccessDenied("Unable to assume the role, verify that the profile and the role's trust policy allow it.")
    role = await directory.role(ctx.db, request["roleArn"])
    if role is None or role["account_id"] != account or request["roleArn"] not in settings["roleArns"]:
        raise refused
    inner = replace(ctx, account_id=account, principal=service_principal(SERVICE, account), facts={})
    conditions: dict[str, Any] = {"aws:SourceArn": request["trustAnchorArn"], "aws:SourceAccount": account}
    conditions |= {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}
    conditions |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    conditions |= {"aws:TagKeys": list(tags), "sts:SourceIdentity": source_identity}
    resource = Resource(request["roleArn"], role["tags"], orjson.loads(role["trust_policy"]), conditions, role)
    try:
        for action in ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"):
            await inner.authorize(action, resource)
    except AwsError as error:
        raise refused from error
    return role


def _session_name(request: Any, settings: Any, serial: int) -> str:
    given = request.get("roleSessionName")
    if given and not settings.get("acceptRoleSessionName"):
        raise ValidationException("The profile does not accept session names.")
    return str(given or f"{serial:x}"[:64])


async def _note(ctx: Context, account: str, leaf: Any, properties: Any) -> str:
    """Remember the subject with its certificate; its id."""
    now = datetime.now(UTC).isoformat()
    name = leaf.subject.rfc4514_string()
    credential = {
        "seenAt": now,
        "serialNumber": str(leaf.serial_number),
        "issuer": leaf.issuer.rfc4514_string(),
        "enabled": True,
        "x509CertificateData": leaf.public_bytes(Encoding.PEM).decode(),
        "failed": False,
    }
    seen = [{"seenAt": now, "properties": dict(properties), "failed": False}] if properties else []
    content = {"x509Subject": name, "lastSeenAt": now, "credentials": [credential], "instanceProperties": seen}
    return await queries.seen(ctx, str(uuid.uuid4()), account, name, content)


def _subject(row: Any, *, details: bool) -> dict[str, Any]:
    shown = resources.shown(SUBJECT, row)
    shown["lastSeenAt"] = datetime.fromisoformat(shown["lastSeenAt"])
    for member in ("credentials", "instanceProperties"):
        items = shown.pop(member)
        if details:
            shown[member] = [{**item, "seenAt": datetime.fromisoformat(item["seenAt"])} for item in items]
    return shown


@operation("GetSubject", on=resources.named(SUBJECT))
async def get_subject(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"subject": _subject(await resources.get(ctx, SUBJECT, request), details=True)}


@operation("ListSubjects", on=ANY)
async def list_subjects(ctx: Context, request: Any) -> dict[str, Any]:
    """Subjects by id."""
    return await resources.listed(ctx, SUBJECT, request, lambda row: _subject(row, details=False))
