"""Access control lists: who may do what, as grants, and what they amount to as statements of a policy.

A grant is `[kind, name, permission]`: kind `account` with an account's id, or `group` with the last part of its URI.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from controlplane.access import directory
from controlplane.core.context import Context
from controlplane.services.s3.errors import AccessDenied, InvalidArgument, InvalidRequest, MalformedACL, S3Error

Grant = list[str]

_GROUPS = "http://acs.amazonaws.com/groups/"
_URIS = {
    "AllUsers": f"{_GROUPS}global/AllUsers",
    "AuthenticatedUsers": f"{_GROUPS}global/AuthenticatedUsers",
    "LogDelivery": f"{_GROUPS}s3/LogDelivery",
}
_NAMES = {uri: name for name, uri in _URIS.items()}
PUBLIC = frozenset({"AllUsers", "AuthenticatedUsers"})
_PERMISSIONS = ("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP")
_HEADERS = {
    "GrantFullControl": "FULL_CONTROL",
    "GrantRead": "READ",
    "GrantWrite": "WRITE",
    "GrantReadACP": "READ_ACP",
    "GrantWriteACP": "WRITE_ACP",
}
_WIRE_NAMES = {
    "GrantFullControl": "x-amz-grant-full-control",
    "GrantRead": "x-amz-grant-read",
    "GrantWrite": "x-amz-grant-write",
    "GrantReadACP": "x-amz-grant-read-acp",
    "GrantWriteACP": "x-amz-grant-write-acp",
}
_KINDS = frozenset({"id", "uri", "emailaddress"})
MOST = 100
_BUCKET_ACTIONS = {
    "READ": ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"],
    "READ_ACP": ["s3:GetBucketAcl"],
    "WRITE_ACP": ["s3:PutBucketAcl"],
}
_IN_BUCKET_ACTIONS = {"WRITE": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]}
_OBJECT_ACTIONS = {
    "READ": ["s3:GetObject", "s3:GetObjectVersion"],
    "READ_ACP": ["s3:GetObjectAcl", "s3:GetObjectVersionAcl"],
    "WRITE_ACP": ["s3:PutObjectAcl", "s3:PutObjectVersionAcl"],
}


class UnresolvableGrant(S3Error):
    code = "UnresolvableGrantByEmailAddress"
    text = "The e-mail address you provided does not match any account on record."


def default(owner: str) -> list[Grant]:
    """What holds where nothing was granted."""
    return [["account", owner, "FULL_CONTROL"]]


async def given(ctx: Context, request: Mapping[str, Any], owner: str, bucket_owner: str) -> list[Grant] | None:
    """The grants in a request's canned ACL or headers; None where it has neither."""
    canned = request.get("ACL")
    headers = [(name, permission, request[name]) for name, permission in _HEADERS.items() if request.get(name)]
    if canned and headers:
        raise InvalidRequest("Specifying both Canned ACLs and Header Grants is not allowed")
    if canned:
        return _canned(canned, owner, bucket_owner)
    if not headers:
        return None
    found = []
    for name, permission, text in headers:
        for item in text.split(","):
            kind, _, value = item.strip().partition("=")
            if kind.lower() not in _KINDS:
                raise InvalidArgument(
                    "Argument format not recognized", ArgumentName=_WIRE_NAMES[name], ArgumentValue=item.strip()
                )
            found.append([*await _grantee(ctx, kind, value.strip('"')), permission])
    return found


def _canned(name: str, owner: str, bucket_owner: str) -> list[Grant]:
    more = {
        "private": [],
        "public-read": [["group", "AllUsers", "READ"]],
        "public-read-write": [["group", "AllUsers", "READ"], ["group", "AllUsers", "WRITE"]],
        "authenticated-read": [["group", "AuthenticatedUsers", "READ"]],
        "aws-exec-read": [],
        "bucket-owner-read": [["account", bucket_owner, "READ"]] if owner != bucket_owner else [],
        "bucket-owner-full-control": [["account", bucket_owner, "FULL_CONTROL"]] if owner != bucket_owner else [],
        "log-delivery-write": [["group", "LogDelivery", "WRITE"], ["group", "LogDelivery", "READ_ACP"]],
    }
    if name not in more:
        raise InvalidArgument("", ArgumentName="x-amz-acl", ArgumentValue=name)
    return [*default(owner), *more[name]]


async def _grantee(ctx: Context, kind: str, value: str, of_uri: str = "uri", of_id: str = "id") -> list[str]:
    """Kind and name of who gets something; `of_uri` and `of_id` are what errors call these."""
    if kind in ("uri", "URI"):
        if value not in _NAMES:
            raise InvalidArgument("Invalid group uri", ArgumentName=of_uri, ArgumentValue=value)
        return ["group", _NAMES[value]]
    if kind in ("emailAddress", "EmailAddress"):
        found = await directory.account_of_email(ctx.db, value)
        if found is None:
            raise UnresolvableGrant(ArgumentName="emailAddress", ArgumentValue=value)
        return ["account", found["id"]]
    found = await directory.account_of_canonical_user(ctx.db, value)
    if found is None:
        raise InvalidArgument("Invalid id", ArgumentName=of_id, ArgumentValue=value)
    return ["account", found["id"]]


async def parse(ctx: Context, document: Mapping[str, Any], owner: str) -> list[Grant]:
    """The grants of an AccessControlPolicy. Raises MalformedACL and its kin."""
    if document.get("Owner", {}).get("ID") is None or document.get("Grants") is None:
        raise MalformedACL
    named = await directory.account_of_canonical_user(ctx.db, document["Owner"]["ID"])
    if named is None:
        raise InvalidArgument("Invalid id", ArgumentName="CanonicalUser/ID", ArgumentValue=document["Owner"]["ID"])
    if named["id"] != owner:
        raise AccessDenied
    found = []
    for grant in document["Grants"]:
        grantee, permission = grant.get("Grantee"), grant.get("Permission")
        if not grantee or permission not in _PERMISSIONS:
            raise MalformedACL
        kind = {"CanonicalUser": "ID", "Group": "URI", "AmazonCustomerByEmail": "EmailAddress"}.get(grantee.get("Type"))
        if kind is None or not grantee.get(kind):
            raise MalformedACL
        found.append([*await _grantee(ctx, kind, grantee[kind], "Group/URI", "CanonicalUser/ID"), permission])
    if len(found) > MOST:
        raise MalformedACL
    return found


def owner(account_id: str) -> dict[str, str]:
    """An account as answers name an owner: since 2025 by its id alone."""
    return {"ID": directory.canonical_user(account_id)}


def show(grants: Iterable[Sequence[str]]) -> list[dict[str, Any]]:
    """Grants as GetBucketAcl tells them."""
    shown = []
    for kind, name, permission in grants:
        if kind == "group":
            grantee: dict[str, str] = {"Type": "Group", "URI": _URIS[name]}
        else:
            grantee = {"Type": "CanonicalUser", **owner(name)}
        shown.append({"Grantee": grantee, "Permission": permission})
    return shown


def is_public(grants: Iterable[Sequence[str]] | None) -> bool:
    """Whether somebody outside gets something."""
    return any(kind == "group" and name in PUBLIC for kind, name, _ in grants or ())


def of_bucket(grants: Sequence[Sequence[str]], owner: str, bucket_arn: str, *, public: bool) -> list[dict[str, Any]]:
    """The statements that a bucket's grants amount to; without `public`, those to groups count for nothing."""
    own, inside = tuple(_BUCKET_ACTIONS.items()), tuple(_IN_BUCKET_ACTIONS.items())
    return [
        statement
        for grant in grants
        if grant[:2] != ["account", owner]
        for actions, arn in ((own, bucket_arn), (inside, f"{bucket_arn}/*"))
        for statement in _statements(tuple(grant), actions, arn, public)
    ]


def of_writers(grants: Sequence[Sequence[str]], owner: str, bucket_arn: str, *, public: bool) -> list[dict[str, Any]]:
    """Statements that let those who may write new objects say, as they write one, who may read it and what its tags
    are."""
    return [
        statement
        for grant in grants
        if grant[:2] != ["account", owner]
        for statement in _statements(
            tuple(grant), (("WRITE", ["s3:PutObjectAcl", "s3:PutObjectTagging"]),), f"{bucket_arn}/*", public
        )
    ]


def of_object(grants: Sequence[Sequence[str]], owner: str, arn: str, *, public: bool) -> list[dict[str, Any]]:
    """The statements that an object's grants amount to."""
    actions = tuple(_OBJECT_ACTIONS.items())
    return [
        statement
        for grant in grants
        if grant[:2] != ["account", owner]
        for statement in _statements(tuple(grant), actions, arn, public)
    ]


def _statements(grant: tuple[str, ...], known: Any, arn: str, public: bool) -> list[dict[str, Any]]:
    kind, name, permission = grant
    actions = [action for granted, actions in known if permission in (granted, "FULL_CONTROL") for action in actions]
    if not actions or (kind == "group" and name in PUBLIC and not public):
        return []
    # In a statement a star stands for anything, and a dollar begins a variable: the ARN means only itself.
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": literal(arn)}
    if kind == "account":
        return [{**statement, "Principal": {"AWS": name}}]
    if name == "AllUsers":
        return [{**statement, "Principal": "*"}]
    if name == "AuthenticatedUsers":
        signed = {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}
        return [{**statement, "Principal": "*", "Condition": signed}]
    return [{**statement, "Principal": {"Service": "logging.s3.amazonaws.com"}}]


@lru_cache(maxsize=1024)
def literal(arn: str) -> str:
    """An ARN as a pattern; a trailing `/*` of ours stays."""
    head, tail = (arn[:-2], "/*") if arn.endswith("/*") else (arn, "")
    return head.replace("$", "${$}").replace("*", "${*}").replace("?", "${?}") + tail
