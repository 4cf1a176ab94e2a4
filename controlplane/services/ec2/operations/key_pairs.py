"""Key pairs. Of a created pair the private half is told once and never kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.ids import resource_id
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.ec2 import describing, keys, permissions, tagging
from controlplane.services.ec2.describing import column
from controlplane.services.ec2.errors import (
    InvalidKeyPairDuplicate,
    InvalidKeyPairNotFound,
    InvalidParameterValue,
    MissingParameter,
)
from controlplane.services.ec2.nouns import KEY_PAIR
from controlplane.services.ec2.queries import networks

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        CreateKeyPairRequestTypeDef,
        DeleteKeyPairRequestTypeDef,
        DescribeKeyPairsRequestTypeDef,
    )

MAX_NAME = 255

_INSERT = """
INSERT INTO ec2_key_pairs (id, account_id, region, name, type, fingerprint, public_key)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, region, name) DO NOTHING RETURNING id
"""
_FIND = "SELECT id, name FROM ec2_key_pairs WHERE account_id = $1 AND region = $2 AND (name = $3 OR id = $4)"
_DELETE = """
DELETE FROM ec2_key_pairs WHERE account_id = $1 AND region = $2 AND (name = $3 OR id = $4) RETURNING id
"""
FILTERS: dict[str, describing.Extract] = {
    "key-name": column("name"),
    "key-pair-id": column("id"),
    "fingerprint": column("fingerprint"),
}


async def on_key(ctx: Context, request: Any) -> list[Resource]:
    """The key pair that a request names, by name or by id, or makes."""
    carried = tagging.request_tags(tagging.requested(request, KEY_PAIR))
    name, id = request.get("KeyName"), request.get("KeyPairId")
    row = await ctx.db.fetchrow(_FIND, ctx.account_id, ctx.region, name, id)
    if row is not None:
        name, (resource,) = row["name"], await permissions.of(ctx, KEY_PAIR, [row["id"]])
    else:
        name = name or id or "*"
        resource = Resource(tagging.resource_arn(ctx, KEY_PAIR, name))
    return [replace(resource, conditions={"ec2:KeyPairName": name, **carried})]


@operation("CreateKeyPair", on=on_key)
async def create_key_pair(ctx: Context, request: CreateKeyPairRequestTypeDef) -> dict[str, Any]:
    """Make an RSA (default) or ED25519 pair. Raises InvalidKeyPair.Duplicate."""
    key = keys.generate(request.get("KeyType") or "rsa", request.get("KeyFormat") or "pem")
    shown = await _store(ctx, request, key.public)
    return {**shown, "KeyMaterial": key.private}


@operation("ImportKeyPair", on=on_key)
async def import_key_pair(ctx: Context, request: Any) -> dict[str, Any]:
    """Keep the public half of a pair made elsewhere. Raises InvalidKey.Format, InvalidKeyPair.Duplicate."""
    return await _store(ctx, request, keys.parse_public(request["PublicKeyMaterial"]))


async def _store(ctx: Context, request: Any, public: keys.PublicKey) -> dict[str, Any]:
    name = request["KeyName"]
    if not 0 < len(name) <= MAX_NAME or name != name.strip():
        raise InvalidParameterValue(f"Value ({name}) for parameter KeyName is invalid. Must be 1 to 255 characters.")
    tags = tagging.requested(request, KEY_PAIR)
    id = await ctx.db.fetchval(
        _INSERT,
        resource_id("key"),
        ctx.account_id,
        ctx.region,
        name,
        public.type,
        public.fingerprint,
        public.openssh,
    )
    if id is None:
        raise InvalidKeyPairDuplicate(f"The keypair already exists: {name}")
    await tagging.create(ctx, KEY_PAIR, [id], tags)
    return {
        "KeyPairId": id,
        "KeyName": name,
        "KeyFingerprint": public.fingerprint,
        "Tags": tagging.shape(tags),
    }


@operation("DescribeKeyPairs", on=ANY)
async def describe_key_pairs(ctx: Context, request: DescribeKeyPairsRequestTypeDef) -> dict[str, Any]:
    """Key pairs by name or id. Raises InvalidKeyPair.NotFound."""
    rows = await networks.listing(ctx, KEY_PAIR.table)
    wanted_names, wanted_ids = set(request.get("KeyNames") or ()), set(request.get("KeyPairIds") or ())
    if lacking := wanted_names - {row["name"] for row in rows}:
        raise InvalidKeyPairNotFound(f"The key pair '{sorted(lacking)[0]}' does not exist")
    if lacking := wanted_ids - {row["id"] for row in rows}:
        raise InvalidKeyPairNotFound(f"The key pair '{sorted(lacking)[0]}' does not exist")
    if wanted_names or wanted_ids:
        rows = [row for row in rows if row["name"] in wanted_names or row["id"] in wanted_ids]
    found = describing.matching(rows, request, FILTERS)
    return {"KeyPairs": [_shape(row, public=bool(request.get("IncludePublicKey"))) for row in found]}


def _shape(row: Any, *, public: bool) -> dict[str, Any]:
    shown = {
        "KeyPairId": row["id"],
        "KeyName": row["name"],
        "KeyType": row["type"],
        "KeyFingerprint": row["fingerprint"],
        "CreateTime": row["created_at"],
        "Tags": tagging.shape(row["tags"]),
    }
    return {**shown, "PublicKey": row["public_key"]} if public else shown


@operation("DeleteKeyPair", on=on_key)
async def delete_key_pair(ctx: Context, request: DeleteKeyPairRequestTypeDef) -> dict[str, Any]:
    """Forget a key pair; one that is not there is no error. Running instances keep the key."""
    name, id = request.get("KeyName"), request.get("KeyPairId")
    if not name and not id:
        raise MissingParameter("The request must contain the parameter KeyName or KeyPairId")
    gone = await ctx.db.fetchval(_DELETE, ctx.account_id, ctx.region, name, id)
    if gone:
        await tagging.forget(ctx.db, [gone])
    return {"Return": True, "KeyPairId": gone}
