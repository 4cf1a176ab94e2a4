"""Policies of buckets, whether they are public, and the block against what is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import orjson

from controlplane.access import directory, facts, named_principals
from controlplane.access.authorize import lets_in
from controlplane.access.policy.grammar import MalformedPolicy as Malformed
from controlplane.access.policy.grammar import statements_of, validate_resource
from controlplane.core.context import Context
from controlplane.core.operation import Request, operation
from controlplane.services.s3 import compatibility, grants, publicity
from controlplane.services.s3.buckets import Bucket, on_bucket, on_bucket_for, the_bucket
from controlplane.services.s3.errors import InvalidRequest, MethodNotAllowed, S3Error
from controlplane.services.s3.queries import buckets as queries

_LARGEST = 20 * 1024
_UNBRACKETED = re.compile(r"\[")
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_GET_BLOCK, _PUT_BLOCK = "s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"


class MalformedPolicy(S3Error):
    code = "MalformedPolicy"


class NoSuchBucketPolicy(S3Error):
    code, status, text = "NoSuchBucketPolicy", 404, "The bucket policy does not exist"


class NoSuchPublicAccessBlockConfiguration(S3Error):
    code, status = "NoSuchPublicAccessBlockConfiguration", 404
    text = "The public access block configuration was not found"


@operation("PutBucketPolicy", on=on_bucket)
async def put_bucket_policy(ctx: Context, request: Request) -> None:
    """Replace a bucket's policy. Raises MalformedPolicy."""
    bucket = the_bucket(ctx)
    _require_owner(ctx, bucket)
    document = request["Policy"]
    policy = await checked(ctx, document, partial(_is_of, bucket))
    if bucket.blocks("BlockPublicPolicy") and publicity.is_public(policy):
        raise publicity.refused(ctx, "policies", "BlockPublicPolicy")
    locked_out = not lets_in(policy, ctx.principal, "s3:PutBucketPolicy", bucket.arn)
    if request.get("ConfirmRemoveSelfBucketAccess") is False and locked_out:
        raise InvalidRequest("The new bucket policy would not allow you to change it.")
    bound = orjson.loads(await named_principals.bind(ctx.db, document))
    await queries.put_setting(ctx.db, bucket.id, "policy", bound)
    await queries.put_setting(ctx.db, bucket.id, "policy_text", document)
    ctx.answer_status = 204


async def checked(ctx: Context, document: str, is_own: Callable[[str], bool]) -> dict[str, Any]:
    """A policy whose statements are all about resources that are its own. Raises MalformedPolicy."""
    if not document.lstrip().startswith("{"):
        raise MalformedPolicy("Policies must be valid JSON and the first byte must be '{'")
    if len(document.encode()) > _LARGEST:
        raise MalformedPolicy("Policy document exceeds the maximum allowed size")
    _require_statements(document)
    try:
        policy = validate_resource(document)
    except Malformed as error:
        raise MalformedPolicy(str(error)) from error
    for statement in statements_of(policy):
        _check_resources(statement, is_own)
        _check_actions(statement)
        if not compatibility.ceph(ctx.cloud):
            _check_pairs(statement)
        for kind, name in _principals(statement):
            if not await _exists(ctx, kind, name):
                raise MalformedPolicy("Invalid principal in policy", Detail=f'"{kind}" : "{name[:256]}"')
    return policy


def _require_statements(document: str) -> None:
    """S3 misses statements before it looks at anything else."""
    try:
        found = orjson.loads(document)
    except orjson.JSONDecodeError:
        return
    if not found.get("Statement"):
        raise MalformedPolicy("Missing required field Statement")


async def _exists(ctx: Context, kind: str, name: str) -> bool:
    if kind == "CanonicalUser":
        return await directory.account_of_canonical_user(ctx.db, name) is not None
    return await directory.principal_exists(ctx.db, kind, name)


def _is_of(bucket: Bucket, resource: str) -> bool:
    prefix, _, path = resource.rpartition(":::")
    return prefix == "arn:aws:s3" and fnmatchcase(bucket.name, _UNBRACKETED.sub(r"[\g<0>]", path.partition("/")[0]))


def _check_resources(statement: Mapping[str, Any], is_own: Callable[[str], bool]) -> None:
    resources = _list(statement.get("Resource", statement.get("NotResource")))
    if not resources:
        raise MalformedPolicy("Missing required field Resource")
    for resource in resources:
        if not is_own(str(resource)):
            raise MalformedPolicy("Policy has invalid resource", Detail=str(resource)[:256])


def _check_actions(statement: Mapping[str, Any]) -> None:
    actions = _list(statement.get("Action", statement.get("NotAction")))
    if not actions:
        raise MalformedPolicy("Missing required field Action")
    known = facts.of_service("s3").actions
    for action in actions:
        prefix, _, name = str(action).partition(":")
        if action != "*" and (
            prefix.lower() != "s3" or ("*" not in name and "?" not in name and name.lower() not in known)
        ):
            raise MalformedPolicy("Policy has invalid action", Detail=str(action)[:256])


def _check_pairs(statement: Mapping[str, Any]) -> None:
    """Each action is about one of the resources at least: `s3:ListBucket` about a bucket, others about objects."""
    resources = [str(resource).partition(":::")[2] for resource in _list(statement.get("Resource"))]
    if not resources or not all(resources):  # all but some (`NotResource`), or of access points
        return
    types = {"object"} if any("/" in name or "*" in name for name in resources) else set()
    types |= {"bucket"} if any("/" not in name for name in resources) else set()
    known = facts.of_service("s3").actions
    for action in _list(statement.get("Action")):
        name = str(action).lower().rpartition(":")[2]
        meant = [known[name]] if name in known else [found for key, found in known.items() if fnmatchcase(key, name)]
        if not any(types & set(found.resource_types) for found in meant):
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def _principals(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    element = statement.get("Principal", statement.get("NotPrincipal"))
    if element is None:
        raise MalformedPolicy("Missing required field Principal")
    if isinstance(element, Mapping):
        for kind, names in element.items():
            for name in _list(names):
                yield kind, name


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


@operation("GetBucketPolicy", on=on_bucket)
async def get_bucket_policy(ctx: Context, request: Request) -> dict[str, Any]:
    """A bucket's policy as it was written. Raises NoSuchBucketPolicy."""
    bucket = the_bucket(ctx)
    _require_owner(ctx, bucket)
    document = bucket.settings.get("policy_text")
    if document is None:
        raise NoSuchBucketPolicy(BucketName=bucket.name)
    return {"Policy": document}


def _require_owner(ctx: Context, bucket: Bucket) -> None:
    """Only the bucket's own account works with its policy, whatever the policy says."""
    if ctx.principal.account_id != bucket.account_id:
        raise MethodNotAllowed


@operation("DeleteBucketPolicy", on=on_bucket)
async def delete_bucket_policy(ctx: Context, request: Request) -> None:
    """Take a bucket's policy away."""
    bucket = the_bucket(ctx)
    _require_owner(ctx, bucket)
    await queries.put_setting(ctx.db, bucket.id, "policy", None)
    await queries.put_setting(ctx.db, bucket.id, "policy_text", None)


@operation("GetBucketPolicyStatus", on=on_bucket)
async def get_bucket_policy_status(ctx: Context, request: Request) -> dict[str, Any]:
    """Whether a bucket's policy or list is public. Raises NoSuchBucketPolicy."""
    bucket = the_bucket(ctx)
    policy = bucket.settings.get("policy")
    listed = grants.is_public(bucket.settings.get("acl")) and not bucket.blocks("IgnorePublicAcls")
    if policy is None and ctx.cloud.new_buckets == "private":
        raise NoSuchBucketPolicy(BucketName=bucket.name)
    return {"PolicyStatus": {"IsPublic": publicity.is_public(policy) or listed}}


@operation("GetPublicAccessBlock", on=on_bucket_for(_GET_BLOCK), action=_GET_BLOCK)
async def get_public_access_block(ctx: Context, request: Request) -> dict[str, Any]:
    """What of public access is blocked. Raises NoSuchPublicAccessBlockConfiguration."""
    bucket = the_bucket(ctx)
    block = bucket.settings.get("public_access_block")
    if block is None:
        raise NoSuchPublicAccessBlockConfiguration(BucketName=bucket.name)
    return {"PublicAccessBlockConfiguration": block}


@operation("PutPublicAccessBlock", on=on_bucket_for(_PUT_BLOCK), action=_PUT_BLOCK)
async def put_public_access_block(ctx: Context, request: Request) -> None:
    """Say what of public access is blocked."""
    given = request["PublicAccessBlockConfiguration"]
    if not given:
        raise InvalidRequest("Must specify at least one configuration.")
    block = {name: bool(given.get(name)) for name in BLOCKS}
    await queries.put_setting(ctx.db, the_bucket(ctx).id, "public_access_block", block)


@operation("DeletePublicAccessBlock", on=on_bucket_for(_PUT_BLOCK), action=_PUT_BLOCK)
async def delete_public_access_block(ctx: Context, request: Request) -> None:
    """Block nothing any more."""
    await queries.put_setting(ctx.db, the_bucket(ctx).id, "public_access_block", None)
