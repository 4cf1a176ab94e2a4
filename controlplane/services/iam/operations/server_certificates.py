"""Server certificates: a certificate, its chain and its private key, which is never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import Resource, operation
from controlplane.core.tags import to_list
from controlplane.services.iam import certificates, shapes
from controlplane.services.iam import identities as common
from controlplane.services.iam.errors import EntityAlreadyExists, LimitExceeded, NoSuchEntity
from controlplane.services.iam.queries import server_certificates as rows

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        DeleteServerCertificateRequestTypeDef,
        GetServerCertificateRequestTypeDef,
        ListServerCertificatesRequestTypeDef,
        UpdateServerCertificateRequestTypeDef,
        UploadServerCertificateRequestTypeDef,
    )

MAX_CERTIFICATES = 20
PRIVATE_KEY = "server-certificate-key"


def _arn(account_id: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account_id}:server-certificate{path}{name}"


async def on_new(ctx: Context, request: Any) -> list[Resource]:
    """The certificate to be."""
    return [Resource(_arn(ctx.account_id, request.get("Path") or "/", request.get("ServerCertificateName") or ""))]


async def on_named(ctx: Context, request: Any) -> list[Resource]:
    """The certificate that a request names."""
    name = request.get("ServerCertificateName") or ""
    row = await rows.find(ctx, name)
    if row is None:
        return [Resource(_arn(ctx.account_id, "/", name))]
    return [Resource(_arn(ctx.account_id, row["path"], row["name"]), dict(row["tags"]))]


async def on_renamed(ctx: Context, request: Any) -> list[Resource]:
    """The certificate as it is named, and as it shall be: AWS asks about both."""
    [old] = await on_named(ctx, request)
    row = await rows.find(ctx, request.get("ServerCertificateName") or "")
    name = request.get("NewServerCertificateName") or (row["name"] if row else "")
    path = request.get("NewPath") or (row["path"] if row else "/")
    return [old, Resource(_arn(ctx.account_id, path, name))]


async def on_all(ctx: Context, request: Any) -> list[Resource]:
    """All of them, for listing."""
    return [Resource(_arn(ctx.account_id, "/", ""))]


def _metadata(row: Any) -> dict[str, Any]:
    return {
        "Path": row["path"],
        "ServerCertificateName": row["name"],
        "ServerCertificateId": row["id"],
        "Arn": _arn(row["account_id"], row["path"], row["name"]),
        "UploadDate": row["created_at"],
        "Expiration": row["expires_at"],
    }


async def _lock(ctx: Context, name: str) -> Any:
    row = await rows.lock(ctx, name)
    if row is None:
        raise _missing(name)
    return row


def _missing(name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Server Certificate with name {name} cannot be found.")


@operation("UploadServerCertificate", on=on_new)
async def upload_server_certificate(ctx: Context, request: UploadServerCertificateRequestTypeDef) -> dict[str, Any]:
    """Keep a certificate. Raises EntityAlreadyExists, MalformedCertificate, KeyPairMismatch, LimitExceeded."""
    name, body = request["ServerCertificateName"], request["CertificateBody"].strip()
    chain = (request.get("CertificateChain") or "").strip() or None
    leaf = certificates.certificate(body)
    certificates.check_key(leaf, request["PrivateKey"])
    if chain:
        certificates.check_chain(leaf, chain)
    tags = common.new_tags(request.get("Tags"))
    if await rows.count(ctx) >= MAX_CERTIFICATES:
        raise LimitExceeded(f"Cannot exceed quota for ServerCertificatesPerAccount: {MAX_CERTIFICATES}")
    id = principal_id("ASCA")
    key = ctx.engine("sealing").seal(PRIVATE_KEY, request["PrivateKey"].encode(), id)
    path = request.get("Path") or "/"
    row = await rows.insert(ctx, id, name, path, body, chain, key, tags, leaf.not_valid_after_utc)
    if row is None:
        raise EntityAlreadyExists(f"The Server Certificate with name {name} already exists.")
    return {"ServerCertificateMetadata": _metadata(row), **({"Tags": to_list(tags)} if tags else {})}


@operation("GetServerCertificate", on=on_named)
async def get_server_certificate(ctx: Context, request: GetServerCertificateRequestTypeDef) -> dict[str, Any]:
    """A certificate without its key. Raises NoSuchEntity."""
    row = await rows.find(ctx, request["ServerCertificateName"])
    if row is None:
        raise _missing(request["ServerCertificateName"])
    shown = {"ServerCertificateMetadata": _metadata(row), "CertificateBody": row["body"], "Tags": to_list(row["tags"])}
    return {"ServerCertificate": {**shown, "CertificateChain": row["chain"]} if row["chain"] else shown}


@operation("ListServerCertificates", on=on_all)
async def list_server_certificates(ctx: Context, request: ListServerCertificatesRequestTypeDef) -> dict[str, Any]:
    """Certificates by name."""
    after, limit = shapes.asked(request)
    found = await rows.page(ctx, request.get("PathPrefix") or "/", after, limit + 1)
    return shapes.page("ServerCertificateMetadataList", found, limit, _metadata, shapes.by_name)


@operation("UpdateServerCertificate", on=on_renamed)
async def update_server_certificate(ctx: Context, request: UpdateServerCertificateRequestTypeDef) -> None:
    """Give a certificate another name or path. Raises NoSuchEntity, EntityAlreadyExists."""
    row = await _lock(ctx, request["ServerCertificateName"])
    name, path = request.get("NewServerCertificateName") or row["name"], request.get("NewPath") or row["path"]
    if not await rows.rename(ctx, row["id"], name, path):
        raise EntityAlreadyExists(f"The Server Certificate with name {name} already exists.")


@operation("DeleteServerCertificate", on=on_named)
async def delete_server_certificate(ctx: Context, request: DeleteServerCertificateRequestTypeDef) -> None:
    """Delete a certificate. Raises NoSuchEntity."""
    row = await _lock(ctx, request["ServerCertificateName"])
    await rows.delete(ctx, row["id"])


@operation("TagServerCertificate", on=on_named)
async def tag_server_certificate(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    row = await _lock(ctx, request["ServerCertificateName"])
    await rows.set_tags(ctx, row["id"], common.merged(dict(row["tags"]), common.new_tags(request["Tags"])))


@operation("UntagServerCertificate", on=on_named)
async def untag_server_certificate(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    row = await _lock(ctx, request["ServerCertificateName"])
    await rows.set_tags(ctx, row["id"], common.without(dict(row["tags"]), request["TagKeys"]))


@operation("ListServerCertificateTags", on=on_named)
async def list_server_certificate_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a certificate. Raises NoSuchEntity."""
    row = await rows.find(ctx, request["ServerCertificateName"])
    if row is None:
        raise _missing(request["ServerCertificateName"])
    return shapes.tag_page(request, row["tags"])
