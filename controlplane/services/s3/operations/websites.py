"""Buckets as websites: what `bucket.s3-website…` answers to whoever comes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from html import escape
from typing import Any
from urllib.parse import quote

from controlplane.core.context import Context
from controlplane.core.errors import AwsError, EngineMissing, Overtaken
from controlplane.core.ids import host_id
from controlplane.core.operation import UNAUTHENTICATED, Request, operation
from controlplane.services.s3 import buckets, conditions, encryption, objects, reading
from controlplane.services.s3.archive import restores
from controlplane.services.s3.buckets import Bucket
from controlplane.services.s3.errors import AccessDenied, MethodNotAllowed, NoSuchBucket, NoSuchKey
from controlplane.services.s3.operations.configurations import NoSuchWebsiteConfiguration

_REASONS = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}

_MOVED = 301
_NO_DOCUMENT = "An Error Occurred While Attempting to Retrieve a Custom Error Document"
_KEPT = ":/?#[]@!$&'()*+,;=%~"
"""What stays as it is in the address of a redirect."""


@operation("GetWebsitePage", on=UNAUTHENTICATED)
async def get_website_page(ctx: Context, request: Request) -> dict[str, Any]:
    """A page, a redirect, or an error as a page. Only what anybody may read is shown."""
    key = request.get("Key") or ""
    if ctx.method not in ("GET", "HEAD"):
        return _error(ctx, MethodNotAllowed(Method=ctx.method[:50], ResourceType="OBJECT"))
    bucket = await buckets.find(ctx, request["Bucket"])
    site = bucket.settings.get("website") if bucket is not None else None
    if bucket is None:
        return _error(ctx, NoSuchBucket(BucketName=request["Bucket"]))
    if site is None:
        return _error(ctx, NoSuchWebsiteConfiguration(BucketName=bucket.name))
    if bucket.settings.get("payer") == "Requester":
        return _error(ctx, AccessDenied())
    everywhere = site.get("RedirectAllRequestsTo")
    if everywhere is not None:
        return _redirect(ctx, everywhere, key, None)
    rules = site.get("RoutingRules") or ()
    if rule := _rule_for(rules, key, None):
        return _redirect(ctx, rule["Redirect"], key, rule)
    try:
        return await _page(ctx, bucket, site, key, request)
    except AwsError as error:
        if error.status == 304:
            ctx.answer_status = 304
            return {"Body": b""}
        if rule := _rule_for(rules, key, error.status):
            return _redirect(ctx, rule["Redirect"], key, rule)
        return await _error_page(ctx, bucket, site, error)


def _rule_for(rules: Any, key: str, status: int | None) -> Any:
    """The first rule whose condition holds; those on an error hold only when there is one."""
    for rule in rules:
        condition = rule.get("Condition") or {}
        code = condition.get("HttpErrorCodeReturnedEquals")
        at_hand = code is None if status is None else code == str(status)
        if at_hand and key.startswith(condition.get("KeyPrefixEquals") or ""):
            return rule
    return None


def _redirect(ctx: Context, to: Mapping[str, Any], key: str, rule: Any) -> dict[str, Any]:
    prefix = ((rule or {}).get("Condition") or {}).get("KeyPrefixEquals") or ""
    if to.get("ReplaceKeyWith") is not None:
        key = to["ReplaceKeyWith"]
    elif to.get("ReplaceKeyPrefixWith") is not None:
        key = to["ReplaceKeyPrefixWith"] + key.removeprefix(prefix)
    protocol = to.get("Protocol") or ("https" if ctx.secure else "http")
    host = to.get("HostName") or ctx.headers.get("host", "")
    ctx.answer_status = int(to.get("HttpRedirectCode") or _MOVED)
    ctx.answer_headers["Location"] = f"{protocol}://{quote(host, safe=':[].-')}/{quote(key, safe=_KEPT)}"
    return {"Body": b""}


async def _page(
    ctx: Context, bucket: Bucket, site: Mapping[str, Any], key: str, request: Mapping[str, Any]
) -> dict[str, Any]:
    """The object of a key, or the index document of a folder. Raises AwsError."""
    suffix = site["IndexDocument"]["Suffix"]
    named = f"{key}{suffix}" if not key or key.endswith("/") else key
    try:
        return await _object(ctx, bucket, named, request)
    except (NoSuchKey, AccessDenied):
        if named == key:
            await _to_folder(ctx, bucket, key, suffix)
            if ctx.answer_status == 302:
                return {"Body": b""}
        raise


async def _to_folder(ctx: Context, bucket: Bucket, key: str, suffix: str) -> None:
    """`docs` leads to `docs/` where that has an index document that anybody may read."""
    named = {"Bucket": bucket.name, "Key": f"{key}/{suffix}"}
    row = await objects.find(ctx, bucket, named)
    if row is None:
        return
    with suppress(AwsError):
        await ctx.authorize("s3:GetObject", objects.stored_resource(ctx, named, bucket, row))
        ctx.answer_status = 302
        ctx.answer_headers["Location"] = f"/{quote(key)}/"


async def _object(ctx: Context, bucket: Bucket, key: str, request: Mapping[str, Any]) -> dict[str, Any]:
    named = {"Bucket": bucket.name, "Key": key}
    if len(key.encode()) > objects.LONGEST_KEY:
        raise NoSuchKey(Key=key[:100])
    row = await objects.find(ctx, bucket, named)
    try:
        await ctx.authorize("s3:GetObject", objects.stored_resource(ctx, named, bucket, row))
    except AwsError as error:
        raise AccessDenied from error
    if row is None:
        await objects.refuse_missing(ctx, bucket, named)
    conditions.check_read(request, row["etag"], row["modified_at"])
    facts = row["facts"]
    headers = facts.get("headers") or {}
    if target := headers.get("wr"):
        ctx.answer_status = _MOVED
        ctx.answer_headers["Location"] = quote(target, safe=_KEPT)
        return {"Body": b""}
    told = objects.described(row, bucket, with_sums=False)
    source = await restores.readable(ctx, row)
    master = await encryption.for_reading(ctx, facts["sse"], {})
    try:
        body = await reading.bytes_of(ctx, source, master, 0, row["size"])
    except EngineMissing as error:
        raise Overtaken from error
    ctx.answer_headers["Content-Length"] = str(row["size"])
    objects.send_as_written(ctx, told)
    kept = ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ETag")
    return {"Body": body, "LastModified": row["modified_at"], **{name: told[name] for name in kept if name in told}}


async def _error_page(ctx: Context, bucket: Bucket, site: Mapping[str, Any], error: AwsError) -> dict[str, Any]:
    """The bucket's own document for errors, else a plain page."""
    document = (site.get("ErrorDocument") or {}).get("Key")
    if document and 400 <= error.status < 500:
        try:
            told = await _object(ctx, bucket, document, {})
            if ctx.answer_status != _MOVED:  # a document that leads elsewhere does so
                ctx.answer_status = error.status
            return told
        except AwsError as missing:
            ctx.answer_headers.pop("Content-Length", None)
            return _error(ctx, error, missing)
    return _error(ctx, error)


def _error(ctx: Context, error: AwsError, of_document: AwsError | None = None) -> dict[str, Any]:
    """An error as a page, with what was wrong with the bucket's own document for errors."""
    title = f"{error.status} {_REASONS.get(error.status, 'Error')}"
    ids = f"<li>RequestId: {ctx.request_id}</li>\n<li>HostId: {host_id(ctx.request_id)}</li>\n"
    more = f"<h3>{_NO_DOCUMENT}</h3>\n<ul>\n{_facts(of_document)}</ul>\n" if of_document else ""
    page = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{_facts(error)}{ids}</ul>\n"
        f"{more}<hr/>\n</body>\n</html>\n"
    )
    ctx.answer_status = error.status
    return {"Body": page.encode(), "ContentType": "text/html; charset=utf-8"}


def _facts(error: AwsError) -> str:
    told = {"Code": error.code, "Message": error.message, **error.members}
    return "".join(f"<li>{name}: {escape(str(value))}</li>\n" for name, value in told.items())
