"""Uploads by an HTML form."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree.ElementTree import ParseError, fromstring
from xml.sax.saxutils import escape

from controlplane.core.context import Context
from controlplane.core.operation import UNAUTHENTICATED, Request, operation
from controlplane.services.s3 import buckets, checksums, compatibility, objects, posting, writing
from controlplane.services.s3.errors import InvalidArgument, MalformedXML, NoSuchBucket
from controlplane.services.s3.operations.objects import put

_MEMBERS = {
    "acl": "ACL",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-type": "ContentType",
    "expires": "Expires",
    "x-amz-storage-class": "StorageClass",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "x-amz-server-side-encryption-context": "SSEKMSEncryptionContext",
    "x-amz-server-side-encryption-bucket-key-enabled": "BucketKeyEnabled",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "x-amz-server-side-encryption-customer-key": "SSECustomerKey",
    "x-amz-server-side-encryption-customer-key-md5": "SSECustomerKeyMD5",
    "x-amz-checksum-crc32": "ChecksumCRC32",
    "x-amz-checksum-crc32c": "ChecksumCRC32C",
    "x-amz-checksum-crc64nvme": "ChecksumCRC64NVME",
    "x-amz-checksum-sha1": "ChecksumSHA1",
    "x-amz-checksum-sha256": "ChecksumSHA256",
}
_METADATA = "x-amz-meta-"
_LATIN = frozenset({"CacheControl", "ContentDisposition", "ContentEncoding", "ContentType", "Expires"})
"""Members that become headers, which cannot hold more."""
_STATUSES = {"200": 200, "201": 201}


@operation("PostObject", on=UNAUTHENTICATED)
async def post_object(ctx: Context, request: Request) -> dict[str, Any]:
    """Store the file of a form under the key that its fields name. Who signed the form's policy is asked about.

    Raises AccessDenied, InvalidArgument, EntityTooLarge, EntityTooSmall, InvalidPolicyDocument.
    """
    form = posting.Form(request["Body"], request.get("ContentType") or "")
    await form.read_fields()
    fields = form.fields
    if not fields.get("key"):
        raise InvalidArgument(
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
            ArgumentName="key",
            ArgumentValue="",
        )
    principal, signed = await ctx.engine("forms").authenticate(fields)
    key = fields["key"] = posting.with_filename(fields["key"], form.filename)
    least, most = 0, 5 * 1024**3
    if "policy" in fields:
        least, most = posting.check_policy(fields["policy"], _bound(ctx, fields), request["Bucket"])
    asked: dict[str, Any] = {"Bucket": request["Bucket"], "Key": key}
    asked |= {member: fields[name] for name, member in _MEMBERS.items() if name in fields}
    for member in _LATIN & asked.keys():
        asked[member] = "".join(character if character <= "\xff" else " " for character in asked[member])
    metadata = {name[len(_METADATA) :]: text for name, text in fields.items() if name.startswith(_METADATA)}
    asked["Metadata"] = {name: _word(text) for name, text in metadata.items()}
    if fields.get("tagging"):
        asked["Tagging"] = _tags(fields["tagging"])
    caller = replace(ctx, principal=principal, account_id=principal.account_id, signed=signed, request=asked)
    bucket = await buckets.named(caller, asked)
    asked_about = objects.resource(caller, asked, bucket)
    for resource in buckets.through(caller, bucket, asked_about):
        await caller.authorize("s3:PutObject", resource)
    if bucket is None:
        raise NoSuchBucket(BucketName=request["Bucket"])
    await writing.authorize_details(caller, asked, asked_about)
    told = await put(caller, bucket, objects.key_of(asked), asked, form.file(least, most), "ObjectCreated:Post")
    ctx.answer_headers |= {"ETag": told["ETag"], "Location": objects.address(ctx, bucket, key)}
    for algorithm, member in checksums.NAMES.items():
        if member in told:
            sum_headers = {f"x-amz-checksum-{algorithm}": told[member], "x-amz-checksum-type": told["ChecksumType"]}
            ctx.answer_headers |= sum_headers
    if told.get("VersionId"):
        ctx.answer_headers["x-amz-version-id"] = told["VersionId"]
    return _answer(ctx, fields, bucket.name, key, told)


def _bound(ctx: Context, fields: Mapping[str, str]) -> Mapping[str, str]:
    """The fields that a policy must name: at AWS checksums, too."""
    if not compatibility.ceph(ctx.cloud):
        return fields
    return {name: text for name, text in fields.items() if not name.startswith("x-amz-checksum-")}


def _word(text: str) -> str:
    """A field of metadata as a header would have it, so that it is kept as it stands in the form."""
    if text.isascii() and text.isprintable() and not text.startswith("=?"):
        return text
    return f"=?UTF-8?B?{b64encode(text.encode('utf-8', 'replace')).decode()}?="


def _tags(document: str) -> str:
    """The tags of a form, which come as XML, as the header has them."""
    if "<!" in document:
        raise MalformedXML
    try:
        tags = [
            ("".join(tag.findtext("{*}Key") or ""), "".join(tag.findtext("{*}Value") or ""))
            for tag in fromstring(document).iterfind(".//{*}Tag")  # noqa: S314 (no declarations, see above)
        ]
    except ParseError as error:
        raise MalformedXML from error
    return urlencode(tags)


def _answer(ctx: Context, fields: dict[str, str], bucket: str, key: str, told: dict[str, Any]) -> dict[str, Any]:
    target = fields.get("success_action_redirect") or fields.get("redirect") or ""
    if target.startswith(("http://", "https://")):
        query = urlencode({"bucket": bucket, "key": key, "etag": told["ETag"]}, quote_via=quote)
        ctx.answer_status = 303
        ctx.answer_headers["Location"] = f"{target}{'&' if '?' in target else '?'}{query}"
        return {}
    ctx.answer_status = _STATUSES.get(fields.get("success_action_status", ""), 204)
    if ctx.answer_status != 201:
        return {}
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>'
        f"<Location>{escape(ctx.answer_headers['Location'])}</Location><Bucket>{escape(bucket)}</Bucket>"
        f"<Key>{escape(key)}</Key><ETag>{escape(told['ETag'])}</ETag></PostResponse>"
    )
    return {"Body": body.encode(), "ContentType": "application/xml"}
