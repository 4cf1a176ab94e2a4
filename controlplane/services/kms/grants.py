"""Grants: what they let whom do, as statements that the policy engine reads beside the key policy."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.core.context import Context
from controlplane.services.kms.errors import InvalidGrantTokenException
from controlplane.services.kms.keys import Key
from controlplane.state.sealing import Sealer, SealError

TOKEN = "kms-grant-token"  # noqa: S105 (the name of a purpose, not a secret)

_WITH_CONTEXT = {
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
}


def policy_of(ctx: Context, key: Key, action: str, context: Mapping[str, str] | None) -> Mapping[str, Any]:
    """The key's policy with a statement for each grant that covers an action (without `kms:`) in this context."""
    extra = [
        _statement(grant["grantee"], grant["grantee_is_service"], action, grant["constraints"].get("SourceArn"))
        for grant in key.grants
        if action in grant["operations"] and _within(grant["constraints"], action, context or {})
        if action != "CreateGrant" or is_narrower(ctx.request, grant)
    ]
    return with_statements(key.document, extra)


def with_statements(document: Mapping[str, Any], extra: list[dict[str, Any]]) -> Mapping[str, Any]:
    """A policy with more statements."""
    if not extra:
        return document
    statements = document["Statement"]
    own = [statements] if isinstance(statements, Mapping) else list(statements)
    return {**document, "Statement": [*own, *extra]}


def _statement(principal: str, is_service: bool, action: str, source: str | None = None) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service" if is_service else "AWS": principal},
        "Action": f"kms:{action}",
        "Resource": "*",
        "Condition": {"ArnLike": {"aws:SourceArn": source}} if source else {},
    }


def retiring(grant: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Statements for those who may retire a grant: the retiring principal, and a grantee that has the operation."""
    found = []
    if grant["retiring"]:
        found.append(_statement(grant["retiring"], grant["retiring_is_service"], "RetireGrant"))
    if "RetireGrant" in grant["operations"]:
        found.append(_statement(grant["grantee"], grant["grantee_is_service"], "RetireGrant"))
    return found


def _within(constraints: Mapping[str, Any], action: str, context: Mapping[str, str]) -> bool:
    if action not in _WITH_CONTEXT:
        return True
    exact, subset = constraints.get("EncryptionContextEquals"), constraints.get("EncryptionContextSubset")
    if exact is not None and dict(exact) != dict(context):
        return False
    return subset is None or subset.items() <= context.items()


def is_narrower(request: Mapping[str, Any], parent: Mapping[str, Any]) -> bool:
    """Whether a grant that is asked for lets do no more than the one whose grantee asks."""
    if not set(request.get("Operations") or ()) <= set(parent["operations"]):
        return False
    asked, limits = request.get("Constraints") or {}, parent["constraints"]
    if "SourceArn" in limits and asked.get("SourceArn") != limits["SourceArn"]:
        return False
    exact = asked.get("EncryptionContextEquals")
    if "EncryptionContextEquals" in limits:
        return bool(exact == limits["EncryptionContextEquals"])
    if "EncryptionContextSubset" in limits:
        fixed = exact if exact is not None else asked.get("EncryptionContextSubset")
        return fixed is not None and limits["EncryptionContextSubset"].items() <= fixed.items()
    return True


def token_of(sealer: Sealer, grant: Mapping[str, Any]) -> str:
    """A grant token. Grants work at once, so a token says only which one it was given for."""
    text = f"{grant['region']}/{grant['key_id']}/{grant['id']}"
    return base64.urlsafe_b64encode(sealer.seal(TOKEN, text.encode())).decode()


def read_token(sealer: Sealer, token: str) -> tuple[str, str, str]:
    """Region, key and grant of a token. Raises InvalidGrantTokenException."""
    try:
        sealed = base64.urlsafe_b64decode(token.encode())
        region, key_id, grant_id = sealer.open(TOKEN, sealed).decode().split("/")
    except (binascii.Error, ValueError, SealError) as error:
        raise InvalidGrantTokenException("Invalid grant token.") from error
    return region, key_id, grant_id


def check_tokens(sealer: Sealer, tokens: Iterable[str] | None) -> None:
    """Refuse tokens that were never given. Raises InvalidGrantTokenException."""
    for token in tokens or ():
        read_token(sealer, token)
