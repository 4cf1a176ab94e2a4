"""The services' own keys, `alias/aws/…`: one an account, region and service, made when it is first asked for."""

from __future__ import annotations

import uuid

from controlplane.core.context import Context
from controlplane.services.kms import creating, keys, policies, specs
from controlplane.services.kms.errors import NotFoundException
from controlplane.services.kms.keys import Key
from controlplane.services.kms.queries import aliases

PREFIX = "alias/aws/"
SERVICES = frozenset(
    (
        "acm", "backup", "codebuild", "dynamodb", "ebs", "elasticfilesystem", "es", "fsx", "glue", "kafka", "kinesis",
        "kinesisvideo", "lambda", "logs", "rds", "redshift", "s3", "secretsmanager", "ses", "sns", "sqs", "ssm",
        "workspaces", "xray",
    )
)  # fmt: skip
_PROTECTED = {"s3": "S3 objects"}
"""What a service's key is said to protect, where that is not its data."""
_ROTATION_DAYS = 365


async def find(ctx: Context, name: str) -> Key:
    """The key of a name, as `keys.find`; a service's own key is made for that service and for DescribeKey."""
    try:
        return await keys.find(ctx, name)
    except NotFoundException:
        service = name[name.index(PREFIX) + len(PREFIX) :] if PREFIX in name else ""
        asks = ctx.operation == "DescribeKey" or "kms:ViaService" in ctx.facts or ctx.principal.kind == "service"
        if service not in SERVICES or not asks or not name.startswith((PREFIX, _own_arn(ctx))):
            raise
    return await _make(ctx, service)


def _own_arn(ctx: Context) -> str:
    return f"arn:aws:kms:{ctx.region}:{ctx.account_id}:{PREFIX}"


async def _make(ctx: Context, service: str) -> Key:
    """Two requests that come first make it once: the second finds the alias taken, and runs again."""
    id = str(uuid.uuid4())
    await creating.insert(
        ctx,
        id,
        spec=specs.SPECS[specs.SYMMETRIC],
        usage=specs.ENCRYPT,
        manager=keys.AWS_MANAGED,
        description=f"Default key that protects my {_PROTECTED.get(service, f'{service} data')} when no other key is "
        "defined",
        policy=policies.of_service(ctx.account_id, ctx.region, service),
        rotation_days=_ROTATION_DAYS,
    )
    await aliases.insert(ctx, f"{PREFIX}{service}", id)
    made = await keys.by_id(ctx, id)
    assert made is not None
    return made
