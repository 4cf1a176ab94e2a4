"""Key policies: the default one, those of the services' own keys, and what is checked when one is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from controlplane.access import named_principals
from controlplane.access.authorize import lets_in
from controlplane.access.policy.grammar import MalformedPolicy, statements_of, validate_resource
from controlplane.core.context import Context
from controlplane.services.kms.errors import LimitExceededException, MalformedPolicyDocumentException

NAME = "default"
LARGEST = 32 * 1024

_LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."
_USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"]
_LOOK = ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"]


def default(account_id: str) -> str:
    """The policy of a key that was made without one: the account's own policies decide."""
    return _written(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
    )


def of_service(account_id: str, region: str, service: str) -> str:
    """The policy of a service's own key: everybody of the account, through that service only; the service itself for
    the account's resources; and a look at it for the account's administrators."""
    via = f"{service}.{region}.amazonaws.com"
    return _written(
        {
            "Version": "2012-10-17",
            "Id": f"auto-{service}-1",
            "Statement": [
                {
                    "Sid": f"Allow access through {service} for all principals of the account that may use it",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": _USE,
                    "Resource": "*",
                    "Condition": {"StringEquals": {"kms:CallerAccount": account_id, "kms:ViaService": via}},
                },
                {
                    "Sid": "Allow the service to act for resources of the account",
                    "Effect": "Allow",
                    "Principal": {"Service": f"{service}.amazonaws.com"},
                    "Action": _USE,
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
                },
                {
                    "Sid": "Allow direct access to key metadata to the account",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
                    "Action": _LOOK,
                    "Resource": "*",
                },
            ],
        }
    )


def _written(policy: Mapping[str, Any]) -> str:
    return orjson.dumps(policy, option=orjson.OPT_INDENT_2).decode()


async def check(ctx: Context, document: str, key_arn: str, *, bypass: bool) -> str:
    """A key policy as it is to be kept, its principals by their ids.

    Refuses what is none, names principals that do not exist, or locks the caller out. Raises
    MalformedPolicyDocumentException, LimitExceededException.
    """
    if len(document.encode()) > LARGEST:
        raise LimitExceededException(f"Key policy may not exceed {LARGEST} bytes.")
    try:
        content = validate_resource(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocumentException(str(error)) from error
    for statement in statements_of(content):
        if "Resource" not in statement and "NotResource" not in statement:
            raise MalformedPolicyDocumentException("Missing required field Resource")
    try:
        kept = await named_principals.bind(ctx.db, document)
    except named_principals.UnknownPrincipal as error:
        raise MalformedPolicyDocumentException(
            "Policy contains a statement with one or more invalid principals."
        ) from error
    if not bypass and not lets_in(content, ctx.principal, "kms:PutKeyPolicy", key_arn):
        raise MalformedPolicyDocumentException(_LOCKED_OUT)
    return kept


async def shown(ctx: Context, document: str) -> str:
    """A kept key policy as it is told, principals by their ARNs."""
    return (await named_principals.show(ctx.db, [document]))[0]
