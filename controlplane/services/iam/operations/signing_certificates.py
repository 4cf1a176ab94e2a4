"""X.509 signing certificates of users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256

from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import operation
from controlplane.services.iam import identities as common
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.certificates import certificate
from controlplane.services.iam.errors import (
    DuplicateCertificate,
    InvalidCertificate,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
)
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import identities, user_credentials

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        DeleteSigningCertificateRequestTypeDef,
        ListSigningCertificatesRequestTypeDef,
        UpdateSigningCertificateRequestTypeDef,
        UploadSigningCertificateRequestTypeDef,
    )

KIND = "certificate"
MAX_CERTIFICATES = 2


def _shown(name: str, id: str, status: str, body: str, created: Any) -> dict[str, Any]:
    shown = {"UserName": name, "CertificateId": id, "CertificateBody": body, "Status": status}
    return {**shown, "UploadDate": created}


@operation("UploadSigningCertificate", on=permissions.named(USER))
async def upload_signing_certificate(ctx: Context, request: UploadSigningCertificateRequestTypeDef) -> dict[str, Any]:
    """Keep a certificate of a user. Raises Malformed-, Invalid-, DuplicateCertificate, LimitExceeded."""
    user = await identities.lock(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    body = request["CertificateBody"]
    parsed = certificate(body)
    if parsed.not_valid_after_utc < datetime.now(UTC):
        raise InvalidCertificate("The certificate has expired.")
    if await user_credentials.count(ctx, user["id"], KIND) >= MAX_CERTIFICATES:
        raise LimitExceeded(f"Cannot exceed quota for SigningCertificatesPerUser: {MAX_CERTIFICATES}")
    id = principal_id("")[:24] + principal_id("")[:8]
    digest = parsed.fingerprint(SHA256()).hex()
    created = await user_credentials.insert(ctx, id, user["id"], KIND, {"body": body}, fingerprint=digest)
    if created is None:
        raise DuplicateCertificate("The certificate was uploaded already.")
    return {"Certificate": _shown(user["name"], id, "Active", body, created)}


@operation("ListSigningCertificates", on=permissions.named(USER))
async def list_signing_certificates(ctx: Context, request: ListSigningCertificatesRequestTypeDef) -> dict[str, Any]:
    """The certificates of a user. Raises NoSuchEntity."""
    user = await common.get(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    after, limit = shapes.asked(request)
    rows = await user_credentials.page(ctx, user["id"], KIND, None, after, limit + 1)

    def show(row: Any) -> dict[str, Any]:
        return _shown(user["name"], row["id"], row["status"], row["content"]["body"], row["created_at"])

    return shapes.page("Certificates", rows, limit, show, lambda row: str(row["id"]))


@operation("UpdateSigningCertificate", on=permissions.named(USER))
async def update_signing_certificate(ctx: Context, request: UpdateSigningCertificateRequestTypeDef) -> None:
    """Make a certificate active or inactive. Raises NoSuchEntity, InvalidInput."""
    user = await identities.lock(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    if request["Status"] == "Expired":
        raise InvalidInput("Status must be Active or Inactive.")
    if not await user_credentials.set_status(ctx, user["id"], KIND, request["CertificateId"], request["Status"]):
        raise _missing(request["CertificateId"])


@operation("DeleteSigningCertificate", on=permissions.named(USER))
async def delete_signing_certificate(ctx: Context, request: DeleteSigningCertificateRequestTypeDef) -> None:
    """Delete a certificate. Raises NoSuchEntity."""
    user = await identities.lock(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    if not await user_credentials.delete(ctx, user["id"], KIND, request["CertificateId"]):
        raise _missing(request["CertificateId"])


def _missing(id: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Certificate with id {id} cannot be found.")
