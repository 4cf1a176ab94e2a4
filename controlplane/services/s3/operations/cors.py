"""What pages from elsewhere may do with a bucket, and the question that browsers ask before."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import UNAUTHENTICATED, Request, operation
from controlplane.services.s3 import buckets, cors
from controlplane.services.s3.buckets import on_bucket_for, the_bucket
from controlplane.services.s3.errors import InvalidRequest, MalformedXML, S3Error
from controlplane.services.s3.queries import buckets as queries

_GET, _PUT = "s3:GetBucketCORS", "s3:PutBucketCORS"
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD"})
_MOST = 100


class NoSuchCORSConfiguration(S3Error):
    code, status = "NoSuchCORSConfiguration", 404
    text = "The CORS configuration does not exist"


class CORSForbidden(S3Error):
    code, status = "AccessForbidden", 403


class BadRequest(S3Error):
    code = "BadRequest"


@operation("PutBucketCors", on=on_bucket_for(_PUT), action=_PUT)
async def put_bucket_cors(ctx: Context, request: Request) -> None:
    """Replace a bucket's rules. Raises MalformedXML, InvalidRequest."""
    rules = request["CORSConfiguration"].get("CORSRules") or []
    if not rules or len(rules) > _MOST:
        raise MalformedXML
    for rule in rules:
        if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
            raise MalformedXML
        for method in rule["AllowedMethods"]:
            if method not in _METHODS:
                raise InvalidRequest(
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method[:50]}"
                )
        for name in ("AllowedOrigins", "AllowedHeaders"):
            for pattern in rule.get(name) or ():
                if pattern.count("*") > 1:
                    noun = "AllowedOrigin" if name == "AllowedOrigins" else "AllowedHeader"
                    raise InvalidRequest(f'{noun} "{pattern[:256]}" can not have more than one wildcard.')
        for pattern in rule.get("ExposeHeaders") or ():
            if "*" in pattern:
                raise InvalidRequest(
                    f'ExposeHeader "{pattern[:256]}" contains wildcard. We currently do not support wildcard for '
                    "ExposeHeader."
                )
    await queries.put_setting(ctx.db, the_bucket(ctx).id, "cors", rules)


@operation("GetBucketCors", on=on_bucket_for(_GET), action=_GET)
async def get_bucket_cors(ctx: Context, request: Request) -> dict[str, Any]:
    """A bucket's rules. Raises NoSuchCORSConfiguration."""
    bucket = the_bucket(ctx)
    if "cors" not in bucket.settings:
        raise NoSuchCORSConfiguration(BucketName=bucket.name)
    return {"CORSRules": bucket.settings["cors"]}


@operation("DeleteBucketCors", on=on_bucket_for(_PUT), action=_PUT)
async def delete_bucket_cors(ctx: Context, request: Request) -> None:
    """Let pages from elsewhere do nothing any more."""
    await queries.put_setting(ctx.db, the_bucket(ctx).id, "cors", None)


@operation("PreflightBucket", on=UNAUTHENTICATED)
async def preflight_bucket(ctx: Context, request: Request) -> dict[str, Any]:
    """What a browser may send to a bucket. Raises CORSForbidden."""
    return await _preflight(ctx, request, "BUCKET")


@operation("PreflightObject", on=UNAUTHENTICATED)
async def preflight_object(ctx: Context, request: Request) -> dict[str, Any]:
    """What a browser may send to an object. Raises CORSForbidden."""
    return await _preflight(ctx, request, "OBJECT")


async def _preflight(ctx: Context, request: Request, kind: str) -> dict[str, Any]:
    origin, method = request.get("Origin"), request.get("AccessControlRequestMethod")
    if not origin:
        raise BadRequest("Insufficient information. Origin request header needed.")
    bucket = await buckets.find_asked(ctx, request["Bucket"])
    rules = bucket.settings.get("cors") if bucket is not None else None
    if not rules:
        why = "CORS is not enabled for this bucket." if bucket is not None else "Bucket not found"
        raise CORSForbidden(f"CORSResponse: {why}", Method=method or "OPTIONS", ResourceType="BUCKET")
    if method not in _METHODS:
        raise BadRequest(f"Invalid Access-Control-Request-Method: {(method or 'null')[:50]}")
    found = cors.headers(rules, origin, method, cors.names_of(request.get("AccessControlRequestHeaders")))
    if not found:
        raise CORSForbidden(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request "
            "method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
            "resource's CORS spec.",
            Method=method, ResourceType=kind,
        )  # fmt: skip
    ctx.answer_headers.update(found)
    return {}
