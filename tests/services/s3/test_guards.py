"""Guards of data that hold also against who knows them well: blocks, locks, and conditions of policies."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import user_with_key

OPEN = (
    {},
    {"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}},
    {"ArnNotEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:t"}},
    {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:*"}},
    {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}},
    {"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-a/r-a/"}},
    {"StringLike": {"aws:PrincipalAccount": "????????????"}},
    {"StringLike": {"aws:userid": "*:session"}},
    {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}},
    {"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}},
    {"StringLike": {"aws:PrincipalOrgPaths": "*/r-a/"}},
    {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
    {"IpAddress": {"aws:SourceIp": "2000::/3"}},
    {"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-east-1:*:accesspoint/a"}},
)
CLOSED = (
    {"StringEquals": {"aws:PrincipalOrgID": "o-a"}},
    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a/r-a/*"}},
    {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]}},
    {"ArnLike": {"s3:DataAccessPointArn": "arn:aws:s3:*:111122223333:accesspoint/*"}},
    {"StringNotEquals": {"aws:Referer": "x"}, "StringEquals": {"aws:SourceVpce": "vpce-1"}},
)


def refused(function: Any, **arguments: Any) -> tuple[int, str]:
    """Status and code of an error."""
    with pytest.raises(ClientError) as error:
        function(**arguments)
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def allow(actions: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.mark.parametrize("conditions", OPEN, ids=lambda given: "".join(given) or "none")
def test_what_lets_in_anybody_is_public(s3: Any, bucket: str, conditions: dict[str, Any]) -> None:
    let = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    given = policy({**let, "Condition": conditions} if conditions else let)
    assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=given) == (403, "AccessDenied")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=given)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": True}


def test_what_a_condition_holds_to_somebody_is_not_public(s3: Any, bucket: str) -> None:
    for conditions in CLOSED:
        let = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
        s3.put_bucket_policy(Bucket=bucket, Policy=policy({**let, "Condition": conditions}))
        assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": False}


def test_tags_come_along_with_a_copy_only_to_who_may_set_and_read_them(account: Account, s3: Any, bucket: str) -> None:
    actions = ["s3:PutObject", "s3:GetObject"]
    writer = user_with_key(account, "writer", allow(actions)).client("s3")
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"", Tagging="level=public")
    named = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/tagged"}
    assert refused(writer.copy_object, **named) == (403, "AccessDenied")
    writer.copy_object(**named, TaggingDirective="REPLACE")
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == []
    actions += ["s3:PutObjectTagging", "s3:GetObjectTagging"]
    user_with_key(account, "tagger", allow(actions)).client("s3").copy_object(**named)
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "level", "Value": "public"}]


def test_who_may_write_by_a_list_may_copy_with_tags(cloud: Cloud, s3: Any, bucket: str) -> None:
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    other = cloud.new_account().client("s3")
    own = f"{bucket}-of-others"
    other.create_bucket(Bucket=own)
    other.put_object(Bucket=own, Key="tagged", Tagging="a=1")
    other.put_object(Bucket=bucket, Key="put", Tagging="a=1")
    other.copy_object(Bucket=bucket, Key="copied", CopySource=f"{own}/tagged")
    assert other.get_object_tagging(Bucket=bucket, Key="copied")["TagSet"] == [{"Key": "a", "Value": "1"}]


def test_policies_see_how_a_request_is_signed(account: Account, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    older, newer = (
        boto3.client(
            "s3", endpoint_url=account.endpoint, aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key, region_name="us-east-1",
            config=Config(signature_version=version, retries={"max_attempts": 0}),
        )
        for version in ("s3", "s3v4")
    )  # fmt: skip
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    link = newer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    of_header = lambda: s3.get_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"]  # noqa: E731
    of_link = lambda: httpx.get(link).status_code  # noqa: E731
    of_older = lambda: older.get_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"]  # noqa: E731
    cases: list[tuple[dict[str, Any], list[Any]]] = [
        ({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}, [200, 403, 200]),
        ({"StringEquals": {"s3:signatureversion": "AWS"}}, [200, 200, 403]),
        ({"NumericLessThan": {"s3:signatureAge": "1800000"}}, [403, 403, 403]),
        ({"NumericGreaterThan": {"s3:signatureAge": "1800000"}}, [200, 200, 200]),
        ({"StringEquals": {"s3:ResourceAccount": account.id}}, [403, 403, 403]),
    ]
    for conditions, expected in cases:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy({**deny, "Condition": conditions}))
        found = []
        for ask in (of_header, of_link, of_older):
            try:
                found.append(ask())
            except ClientError as error:
                found.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert found == expected, conditions


def locking(account: Account, name: str) -> Any:
    """A client, and a bucket that locks."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return s3


def test_policies_see_how_long_something_would_be_locked(account: Account, bucket: str) -> None:
    name = f"{bucket}-locking"
    s3, now = locking(account, name), datetime.now(UTC)
    version = s3.put_object(Bucket=name, Key="k", Body=b"")["VersionId"]
    deny = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject*", "Resource": f"arn:aws:s3:::{name}/*",
        "Condition": {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}},
    }  # fmt: skip
    s3.put_bucket_policy(Bucket=name, Policy=policy(deny))
    long, short = now + timedelta(days=11), now + timedelta(days=10)
    named: dict[str, Any] = {"Bucket": name, "Key": "k"}
    lock = {"Mode": "GOVERNANCE", "RetainUntilDate": long}
    assert refused(s3.put_object_retention, **named, VersionId=version, Retention=lock) == (403, "AccessDenied")
    of_put = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": long}
    assert refused(s3.put_object, **named, Body=b"", **of_put) == (403, "AccessDenied")
    s3.put_object_retention(**named, VersionId=version, Retention={**lock, "RetainUntilDate": short})
    document = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>0001-01-01T00:00:00Z</RetainUntilDate></Retention>"
    past = AWSRequest("PUT", f"{account.endpoint}/{name}/k?retention=", data=document)
    S3SigV4Auth(Credentials(account.access_key_id, account.secret_access_key), "s3", "us-east-1").add_auth(past)
    answer = httpx.put(past.url, content=document, headers=dict(past.headers))
    assert "InvalidArgument" in answer.text
    bypass = {"VersionId": version, "BypassGovernanceRetention": True}
    s3.delete_object(**named, **bypass)


def test_a_put_that_began_before_there_were_versions_writes_over_none(account: Account, s3: Any, bucket: str) -> None:
    link = urlsplit(s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}))
    head = f"PUT {link.path}?{link.query} HTTP/1.1\r\nHost: {link.netloc}\r\nContent-Length: 4\r\n\r\n"
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    with socket.create_connection((link.hostname, link.port), timeout=30) as slow:
        slow.sendall(head.encode() + b"sl")
        s3.get_object(Bucket=bucket, Key="k")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
        until = datetime.now(UTC) + timedelta(seconds=2)
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        locked = s3.put_object(Bucket=bucket, Key="k", Body=b"locked", **lock)["VersionId"]
        slow.sendall(b"ow")
        assert b" 200 " in slow.recv(4096).partition(b"\r\n")[0]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=locked)["Body"].read() == b"locked"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"null"
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert len(versions) == 3
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"slow"


def test_headers_that_no_header_can_carry_are_mended(account: Account, s3: Any, bucket: str) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["x-a\nSet-Cookie: b=c", "\u03a9"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    asked = {"Origin": "http://a", "Access-Control-Request-Method": "GET"}
    answer = httpx.options(f"{account.endpoint}/{bucket}/k", headers=asked)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    index, redirect = {"Suffix": "i"}, {"HostName": "a\nb: c", "ReplaceKeyWith": "\u03a9\r\n"}
    for code in ("\u00b3\u2070\u00b9", "200"):
        rules = [{"Redirect": {**redirect, "HttpRedirectCode": code}}]
        site = {"IndexDocument": index, "RoutingRules": rules}
        assert refused(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=site) == (400, "InvalidRequest")
    form = s3.generate_presigned_post(bucket, "k", Conditions=[["starts-with", "$success_action_redirect", ""]])
    fields = {**form["fields"], "success_action_redirect": "http://a/\r\nSet-Cookie: b=c"}
    answer = httpx.post(form["url"], data=fields, files={"file": b"x"})
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers


def test_many_delete_many_versions_at_once(account: Account, bucket: str) -> None:
    clients = [account.client("s3") for _ in range(16)]
    clients[0].put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keys = [f"{number:03}" for number in range(1000)]

    def delete(number: int) -> int:
        named = [{"Key": f"{number % 8}/{key}"} for key in (keys if number < 8 else reversed(keys))]
        return len(clients[number].delete_objects(Bucket=bucket, Delete={"Objects": named})["Deleted"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(delete, range(16))) == [1000] * 16


def test_a_website_tells_nobody_what_it_may_not_show(account: Account, s3: Any, bucket: str) -> None:
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    s3.put_object(Bucket=bucket, Key="secret/index.html", Body=b"")
    host = {"Host": f"{bucket}.s3-website.localhost:{urlsplit(account.endpoint).port}"}
    statuses = [httpx.get(f"{account.endpoint}/{name}", headers=host).status_code for name in ("secret", "nothing")]
    assert statuses == [403, 403]


def test_attributes_of_no_parts(s3: Any, bucket: str) -> None:
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named, ChecksumAlgorithm="SHA256")["UploadId"]
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
    asked = {**named, "ObjectAttributes": ["ObjectParts"]}
    assert refused(s3.get_object_attributes, **asked, MaxParts=-5) == (400, "InvalidArgument")


def test_nobody_has_keys_and_others_change_no_policy(cloud: Cloud, account: Account, s3: Any, bucket: str) -> None:
    everything = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}*"}
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(everything))
    answer = httpx.put(f"{account.endpoint}/{bucket}/k", headers={"x-amz-server-side-encryption": "aws:kms"})
    assert (answer.status_code, "require AWS Signature Version 4" in answer.text) == (400, True)
    other = cloud.new_account().client("s3")
    assert refused(other.put_bucket_policy, Bucket=bucket, Policy=policy(everything)) == (405, "MethodNotAllowed")
    assert refused(other.delete_bucket_policy, Bucket=bucket) == (405, "MethodNotAllowed")
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert refused(other.get_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    assert httpx.get(f"{account.endpoint}/{bucket}/k").status_code == 400
