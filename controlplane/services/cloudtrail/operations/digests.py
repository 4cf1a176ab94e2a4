"""The keys that signed digests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.cloudtrail import queries

if TYPE_CHECKING:
    from types_boto3_cloudtrail.type_defs import ListPublicKeysRequestTypeDef


@operation("ListPublicKeys", on=ANY)
async def list_public_keys(ctx: Context, request: ListPublicKeysRequestTypeDef) -> dict[str, Any]:
    """The public keys of this region that were good in a time range."""
    row = await queries.digest_key(ctx.db, ctx.region)
    end: Any = request.get("EndTime") or datetime.now(UTC)
    if row is None or row["created_at"] > end:
        return {"PublicKeyList": []}
    key = {
        "Value": row["public"],
        "ValidityStartTime": row["created_at"],
        "ValidityEndTime": datetime.now(UTC) + timedelta(days=365),
        "Fingerprint": row["fingerprint"],
    }
    return {"PublicKeyList": [key]}
