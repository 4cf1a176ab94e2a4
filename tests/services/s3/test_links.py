"""Links and forms that are signed ahead, as AWS was recorded to take and to refuse them."""

from __future__ import annotations

import json
import re
import uuid
from base64 import b64encode
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.cloud import Account
from tests.services.iam.conftest import user_with_key


def put_link(account: Account, path: str, signed: dict[str, str] | None = None, **parameters: str) -> str:
    """A link of version 4 that holds headers in its query string, as JavaScript's clients make them; the older of them
    name some among the `signed` headers too."""
    request = AWSRequest(method="PUT", url=f"{account.endpoint}{path}", params=parameters, headers=signed or {})
    keys = Credentials(account.access_key_id, account.secret_access_key)
    S3SigV4QueryAuth(keys, "s3", "us-east-1").add_auth(request)
    return str(request.url)


def signing(account: Account, version: str, keys: Any = None) -> Any:
    """A client that signs with a version of signatures, by default with the account's own key."""
    keys = keys or {"AccessKeyId": account.access_key_id, "SecretAccessKey": account.secret_access_key}
    return boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=account.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(signature_version=version, retries={"max_attempts": 0}),
    )


def put(url: str, body: bytes = b"body", **headers: str) -> tuple[int, str]:
    answer = httpx.put(url, content=body, headers=headers, timeout=60)
    return answer.status_code, answer.text


def element(name: str, text: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return found[1] if found else ""


def test_a_link_may_hold_headers(account: Account, s3: Any, bucket: str) -> None:
    asked = {"x-amz-meta-foo": "bar", "If-None-Match": "*", "x-amz-checksum-crc32": "AAAAAA=="}
    url = put_link(account, f"/{bucket}/k", **asked)
    status, text = put(url, **{"x-amz-meta-more": "1", "x-amz-acl": "private"})
    assert (status, element("HeadersNotSigned", text)) == (403, "x-amz-meta-more, x-amz-acl")
    assert put(url.replace("foo=bar", "foo=baz"))[0] == 403
    assert put(url, **{"x-amz-meta-foo": "baz"})[0] == 403
    # This one header need not be signed, and says nothing then: the checksum neither, which is that of no body.
    assert put(url, **{"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}) == (200, "")
    found = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (found["Metadata"], found["ContentLength"], found["ChecksumType"]) == ({"foo": "bar"}, 4, "FULL_OBJECT")
    assert element("Code", put(url)[1]) == "PreconditionFailed"
    class_of = {"x-amz-storage-class": "STANDARD_IA"}
    twice = put_link(account, f"/{bucket}/twice", class_of, **class_of)
    assert "x-amz-storage-class" in twice.partition("SignedHeaders")[2]
    assert [put(twice), put(twice, **class_of)] == [(200, "")] * 2
    assert put(twice, **{"x-amz-storage-class": "STANDARD"})[0] == 403
    assert s3.head_object(Bucket=bucket, Key="twice")["StorageClass"] == "STANDARD_IA"
    copy = put_link(account, f"/{bucket}/copy", **{"x-amz-copy-source": f"{account.endpoint}/{bucket}/k"})
    assert "<CopyObjectResult" in put(copy, b"")[1]
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"foo": "bar"}
    status, text = put(url.replace("%2F", "%252F"))
    assert (status, element("Code", text)) == (400, "AuthorizationQueryParametersError")
    status, text = put(url.replace(f"/{bucket}/", f"/%2F{bucket}/"))
    assert (status, element("CanonicalRequest", text).split("\n")[1]) == (403, f"//{bucket}/k")
    # Without a link's signature a parameter is none of these.
    s3.put_object(Bucket=bucket, Key="k", Body=b"plain")
    s3.meta.events.register("before-sign.s3.PutObject", lambda request, **_: request.params.update(asked))
    s3.put_object(Bucket=bucket, Key="k", Body=b"plain")
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {}


def test_an_older_link_holds_headers_and_a_session(account: Account, s3: Any, bucket: str) -> None:
    keys = account.client("sts").get_session_token()["Credentials"]
    guest = signing(account, "s3", keys)
    named = {"Bucket": bucket, "Key": "k"}
    url = guest.generate_presigned_url("put_object", {**named, "Metadata": {"foo": "a b"}})
    status, text = put(url, **{"x-amz-meta-more": "1"})
    assert (status, element("AWSAccessKeyId", text)) == (403, keys["AccessKeyId"])
    assert bytes.fromhex(element("StringToSignBytes", text)).decode() == element("StringToSign", text)
    assert put(url) == (200, "")
    assert s3.head_object(**named)["Metadata"] == {"foo": "a b"}
    odd = guest.generate_presigned_url("get_object", {**named, "ResponseCacheControl": "\u2014"})
    refused = httpx.get(odd, timeout=60)
    assert (refused.status_code, element("ArgumentName", refused.text)) == (400, "response-cache-control")
    latin = guest.generate_presigned_url("get_object", {**named, "ResponseContentDisposition": "é\r\nX-A: b"})
    got = httpx.get(latin, timeout=60)
    assert (got.headers.raw[-1] and got.headers["content-disposition"], "x-a" in got.headers) == ("é  X-A: b", False)
    gone = httpx.delete(guest.generate_presigned_url("delete_object", named), timeout=60)
    assert (gone.status_code, gone.headers.get("content-length")) == (204, None)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_plus_sign_in_a_link_is_a_blank(version: str, account: Account, s3: Any, bucket: str) -> None:
    """As AWS reads it: what is to be a plus sign is written %2B. Some clients sign %20 and write a plus sign."""
    s3.put_object(Bucket=bucket, Key="a+b c", Body=b"body")
    said = "attachment; filename=a+b c.txt"
    asked = {"Bucket": bucket, "Key": "a+b c", "ResponseContentDisposition": said}
    link = signing(account, version).generate_presigned_url("get_object", asked)
    path, _, query = link.partition("?")
    assert "a%2Bb" in path and "filename%3Da%2Bb%20c.txt" in query
    for url in (link, f"{path}?{query.replace('%20', '+')}"):
        answer = httpx.get(url)
        assert (answer.text, answer.headers["content-disposition"]) == ("body", said)
    raw = httpx.get(f"{path}?{query.replace('a%2Bb', 'a+b')}")
    assert (raw.status_code, element("Code", raw.text)) == (403, "SignatureDoesNotMatch"), "that is another name"


def test_a_plus_sign_in_a_version_is_one_where_it_is_written_so(account: Account, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    link = signing(account, "s3v4").generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "k", "VersionId": "a+b"}
    )
    assert "versionId=a%2Bb" in link
    told = httpx.get(link)
    assert (element("Code", told.text), element("ArgumentValue", told.text)) == ("InvalidArgument", "a+b")


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_forms_that_lack_something(account: Account, bucket: str, version: str) -> None:
    client = signing(account, version)
    fields = client.generate_presigned_post(bucket, "k")["fields"]
    signed = {name for name in fields if name not in ("key", "policy")}

    def post(given: dict[str, str]) -> tuple[int, str, str]:
        files = {"file": ("f", b"x")}
        text = httpx.post(f"{account.endpoint}/{bucket}", data=given, files=files, timeout=60)
        name = element("ArgumentName", text.text)
        return text.status_code, element("Code", text.text), name

    for name in signed:
        wanted = "AWSAccessKeyId" if name == "AWSAccessKeyId" else name.title()
        missing = {key: value for key, value in fields.items() if key != name}
        assert post(missing) == (400, "InvalidArgument", wanted)
    assert post({name: fields[name] for name in ("key", "policy")}) == (403, "AccessDenied", "")
    forged = {**fields, "policy": b64encode(b"{}").decode()}
    assert post(forged) == (403, "SignatureDoesNotMatch", "")
    assert post(fields)[0] == 204


def test_forms_say_what_they_mean(account: Account, s3: Any, bucket: str) -> None:
    url = f"{account.endpoint}/{bucket}"

    def post(*conditions: Any, file: Any = ("f", b"body"), key: str = "k", **fields: str) -> httpx.Response:
        named = {name.replace("_", "-") if name.startswith("x_") else name: text for name, text in fields.items()}
        form = s3.generate_presigned_post(bucket, key, Fields=named, Conditions=list(conditions))
        host = {"Host": f"{bucket}.s3.localhost"}
        return httpx.post(url if key != "host" else account.endpoint, data=form["fields"], files={"file": file},
                          headers=host if key == "host" else {}, timeout=60)  # fmt: skip

    for condition in (["eq", "success_action_status", "201"], ["content-length-range", "one", "2"]):
        told = post(condition, {"success_action_status": "201"}, success_action_status="201")
        message = f"Invalid according to Policy: Policy Condition failed: {json.dumps(condition)}"
        assert (told.status_code, element("Message", told.text).replace("&quot;", '"')) == (403, message)
    made = post({"success_action_status": "201"}, key="host", success_action_status="201")
    assert (made.status_code, made.headers["location"]) == (201, f"http://{bucket}.s3.localhost/host")
    assert (made.headers["x-amz-checksum-type"], "x-amz-checksum-crc64nvme" in made.headers) == ("FULL_OBJECT", True)
    assert post(file=(None, b"body"), key="a-${filename}").status_code == 204
    assert s3.head_object(Bucket=bucket, Key="a-${filename}")["ContentLength"] == 4
    words = {"x_amz_meta_q": "=?UTF-8?Q?as-is?=", "x_amz_meta_b": "\x00\x01", "x_amz_meta_n": "mostly—ASCII"}
    allowed = [["starts-with", f"${name.replace('_', '-')}", ""] for name in words]
    assert post(*allowed, ["starts-with", "$Cache-Control", ""], **words, **{"Cache-Control": "—é"}).status_code == 204
    found = s3.head_object(Bucket=bucket, Key="k")
    expected = {"q": "=?UTF-8?Q?as-is?=", "b": "=?UTF-8?B?AAE=?=", "n": "=?UTF-8?Q?mostly=E2=80=94ASCII?="}
    assert (found["Metadata"], found["CacheControl"]) == (expected, " é".strip())
    plain = httpx.post(url, content=b"x", headers={"Content-Type": "text/html"}, timeout=60)
    assert (plain.status_code, "multipart/form-data" in element("Condition", plain.text)) == (412, True)


def test_a_form_may_do_what_its_signer_may(account: Account, s3: Any, bucket: str) -> None:
    put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    theirs = user_with_key(account, f"u-{uuid.uuid4().hex[:8]}", put).client("s3")
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    for fields, status in (({}, 204), ({"tagging": tags}, 403), ({"acl": "bucket-owner-full-control"}, 403)):
        form = theirs.generate_presigned_post(bucket, "k", Fields=dict(fields), Conditions=[fields] if fields else [])
        answer = httpx.post(form["url"], data=form["fields"], files={"file": ("f", b"x")}, timeout=60)
        assert answer.status_code == status, answer.text
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    many = {f"field-{number}": "" for number in range(4000)}
    answer = httpx.post(f"{account.endpoint}/{bucket}", data=many, files={"file": ("f", b"x")}, timeout=60)
    assert (answer.status_code, element("Code", answer.text)) == (400, "MaxPostPreDataLengthExceeded")
