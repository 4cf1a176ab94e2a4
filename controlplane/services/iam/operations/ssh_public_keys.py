"""SSH public keys of users."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import operation
from controlplane.services.iam import identities as common
from controlplane.services.iam import permissions, shapes
from controlplane.services.iam.errors import (
    DuplicateSSHPublicKey,
    InvalidInput,
    InvalidPublicKey,
    LimitExceeded,
    NoSuchEntity,
    UnrecognizedPublicKeyEncoding,
)
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import identities, user_credentials

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        DeleteSSHPublicKeyRequestTypeDef,
        GetSSHPublicKeyRequestTypeDef,
        ListSSHPublicKeysRequestTypeDef,
        UpdateSSHPublicKeyRequestTypeDef,
        UploadSSHPublicKeyRequestTypeDef,
    )

KIND = "ssh-key"
MAX_KEYS = 5
_SMALLEST = 2048


def _read(body: str) -> RSAPublicKey:
    """An RSA key in OpenSSH's or PEM form. Raises InvalidPublicKey, UnrecognizedPublicKeyEncoding."""
    text = body.strip().encode()
    if not text.startswith((b"ssh-", b"-----BEGIN", b"ecdsa-")):
        raise UnrecognizedPublicKeyEncoding("The public key is not in SSH or PEM encoding.")
    try:
        key = load_pem_public_key(text) if text.startswith(b"-----BEGIN") else load_ssh_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPublicKey("The public key is not valid.") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < _SMALLEST:
        raise InvalidPublicKey(f"The public key must be an RSA key of at least {_SMALLEST} bits.")
    return key


def _fingerprint(key: RSAPublicKey) -> str:
    """MD5 over the key's DER form, as IAM shows it."""
    digest = hashlib.md5(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), usedforsecurity=False)
    return ":".join(f"{byte:02x}" for byte in digest.digest())


def _shown(name: str, row: Any) -> dict[str, Any]:
    return {
        "UserName": name,
        "SSHPublicKeyId": row["id"],
        "Status": row["status"],
        "UploadDate": row["created_at"],
    }


@operation("UploadSSHPublicKey", on=permissions.named(USER))
async def upload_ssh_public_key(ctx: Context, request: UploadSSHPublicKeyRequestTypeDef) -> dict[str, Any]:
    """Keep a user's key. Raises NoSuchEntity, InvalidPublicKey, DuplicateSSHPublicKey, LimitExceeded."""
    user = await identities.lock(ctx, USER, request["UserName"])
    key = _read(request["SSHPublicKeyBody"])
    if await user_credentials.count(ctx, user["id"], KIND) >= MAX_KEYS:
        raise LimitExceeded(f"Cannot exceed quota for SSHPublicKeysPerUser: {MAX_KEYS}")
    id, fingerprint, body = principal_id("APKA"), _fingerprint(key), request["SSHPublicKeyBody"]
    created = await user_credentials.insert(ctx, id, user["id"], KIND, {"body": body}, fingerprint=fingerprint)
    if created is None:
        raise DuplicateSSHPublicKey(f"The SSH public key was uploaded already for user {user['name']}.")
    row = {"id": id, "status": "Active", "created_at": created}
    return {"SSHPublicKey": {**_shown(user["name"], row), "Fingerprint": fingerprint, "SSHPublicKeyBody": body}}


@operation("GetSSHPublicKey", on=permissions.named(USER))
async def get_ssh_public_key(ctx: Context, request: GetSSHPublicKeyRequestTypeDef) -> dict[str, Any]:
    """A user's key, in OpenSSH's or PEM form. Raises NoSuchEntity."""
    user = await common.get(ctx, USER, request["UserName"])
    row = await user_credentials.find(ctx, user["id"], KIND, request["SSHPublicKeyId"])
    if row is None:
        raise _missing(request["SSHPublicKeyId"])
    key = _read(row["content"]["body"])
    if request["Encoding"] == "PEM":
        body = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    else:
        body = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    shown = {**_shown(user["name"], row), "Fingerprint": row["fingerprint"], "SSHPublicKeyBody": body.decode()}
    return {"SSHPublicKey": shown}


@operation("ListSSHPublicKeys", on=permissions.named(USER))
async def list_ssh_public_keys(ctx: Context, request: ListSSHPublicKeysRequestTypeDef) -> dict[str, Any]:
    """The keys of a user. Raises NoSuchEntity."""
    user = await common.get(ctx, USER, common.name_or_own(ctx, request.get("UserName")))
    after, limit = shapes.asked(request)
    rows = await user_credentials.page(ctx, user["id"], KIND, None, after, limit + 1)
    return shapes.page("SSHPublicKeys", rows, limit, lambda row: _shown(user["name"], row), lambda row: str(row["id"]))


@operation("UpdateSSHPublicKey", on=permissions.named(USER))
async def update_ssh_public_key(ctx: Context, request: UpdateSSHPublicKeyRequestTypeDef) -> None:
    """Make a key active or inactive. Raises NoSuchEntity, InvalidInput."""
    user = await identities.lock(ctx, USER, request["UserName"])
    if request["Status"] == "Expired":
        raise InvalidInput("Status must be Active or Inactive.")
    if not await user_credentials.set_status(ctx, user["id"], KIND, request["SSHPublicKeyId"], request["Status"]):
        raise _missing(request["SSHPublicKeyId"])


@operation("DeleteSSHPublicKey", on=permissions.named(USER))
async def delete_ssh_public_key(ctx: Context, request: DeleteSSHPublicKeyRequestTypeDef) -> None:
    """Delete a key. Raises NoSuchEntity."""
    user = await identities.lock(ctx, USER, request["UserName"])
    if not await user_credentials.delete(ctx, user["id"], KIND, request["SSHPublicKeyId"]):
        raise _missing(request["SSHPublicKeyId"])


def _missing(id: str) -> NoSuchEntity:
    return NoSuchEntity(f"The Public Key with id {id} cannot be found.")
