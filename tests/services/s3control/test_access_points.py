"""Access points, through boto3: by alias, by host name, by ARN; who may come through."""

from __future__ import annotations

import json
import uuid
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud


def code_of(call: Any, **given: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**given)
    return str(error.value.response["Error"]["Code"])


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


class Point:
    """An account's bucket with an object `k`, and an access point to it."""

    def __init__(self, account: Account, **more: Any) -> None:
        self.account = account
        self.s3, self.control = account.client("s3"), account.client("s3control")
        self.bucket, self.name = f"test-{uuid.uuid4().hex[:16]}", f"point-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"behind")
        self.named = {"AccountId": account.id, "Name": self.name}
        made = self.control.create_access_point(**self.named, Bucket=self.bucket, **more)
        self.arn, self.alias = made["AccessPointArn"], made["Alias"]


@pytest.fixture
def point(account: Account) -> Point:
    return Point(account)


def test_access_points_are_made_told_and_deleted(point: Point) -> None:
    control, account = point.control, point.account
    assert point.arn == f"arn:aws:s3:us-east-1:{account.id}:accesspoint/{point.name}"
    told = control.get_access_point(**point.named)
    assert (told["Bucket"], told["NetworkOrigin"], told["Alias"]) == (point.bucket, "Internet", point.alias)
    assert all(told["PublicAccessBlockConfiguration"].values())
    control.create_access_point(AccountId=account.id, Name=f"{point.name}-b", Bucket=point.bucket)
    names, more = [], {}
    while more is not None:
        page = control.list_access_points(AccountId=account.id, Bucket=point.bucket, MaxResults=1, **more)
        names += [item["Name"] for item in page["AccessPointList"]]
        more = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    assert names == [point.name, f"{point.name}-b"]
    again = {**point.named, "Bucket": point.bucket}
    assert code_of(control.create_access_point, **again) == "AccessPointAlreadyOwnedByYou"
    assert code_of(control.create_access_point, **{**again, "Name": "Upper"}) == "InvalidRequest"
    assert code_of(control.create_access_point, **{**again, "Bucket": f"none-{uuid.uuid4().hex}"}) == "NoSuchBucket"
    assert code_of(control.get_access_point_policy, **point.named) == "NoSuchAccessPointPolicy"
    assert code_of(point.s3.create_bucket, Bucket=f"{point.name}-{account.id}") == "BucketAlreadyExists"
    point.s3.delete_object(Bucket=point.bucket, Key="k")
    assert code_of(point.s3.delete_bucket, Bucket=point.bucket) == "BucketHasAccessPointsAttached"
    for name in names:
        control.delete_access_point(AccountId=account.id, Name=name)
    assert code_of(control.get_access_point, **point.named) == "NoSuchAccessPoint"
    assert code_of(point.s3.list_objects_v2, Bucket=point.alias) == "NoSuchBucket"
    point.s3.delete_bucket(Bucket=point.bucket)


def test_objects_are_reached_through_the_alias(point: Point) -> None:
    s3, alias = point.s3, point.alias
    assert s3.get_object(Bucket=alias, Key="k")["Body"].read() == b"behind"
    s3.put_object(Bucket=alias, Key="a/b", Body=b"new", Tagging="x=y")
    upload = s3.create_multipart_upload(Bucket=alias, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=alias, Key="parts", UploadId=upload, PartNumber=1, Body=b"part")
    told = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(Bucket=alias, Key="parts", UploadId=upload, MultipartUpload={"Parts": told})
    s3.copy_object(Bucket=alias, Key="copy", CopySource=f"{point.arn}/object/a/b")
    found = [item["Key"] for item in s3.list_objects_v2(Bucket=alias)["Contents"]]
    assert found == ["a/b", "copy", "k", "parts"]
    assert s3.get_object(Bucket=point.bucket, Key="copy")["Body"].read() == b"new"
    s3.delete_objects(Bucket=alias, Delete={"Objects": [{"Key": key} for key in found]})
    assert "Contents" not in s3.list_objects_v2(Bucket=point.bucket)
    for refused in (s3.delete_bucket, s3.get_bucket_versioning, s3.delete_bucket_policy):
        assert code_of(refused, Bucket=alias) == "MethodNotAllowed"


def test_sdks_reach_it_by_a_host_name(point: Point) -> None:
    """An ARN in a bucket's place becomes `NAME-ACCOUNT.` before the endpoint's host name."""
    place = urlsplit(point.account.endpoint)
    url = f"http://{point.name}-{point.account.id}.localhost:{place.port}/k"
    request = AWSRequest("GET", url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    credentials = Credentials(point.account.access_key_id, point.account.secret_access_key)
    SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    headers = {**dict(request.headers), "Host": urlsplit(url).netloc}
    connection.request("GET", "/k", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"behind")
    connection.close()


def test_both_the_access_point_and_the_bucket_must_let_in(point: Point, cloud: Cloud) -> None:
    other = cloud.new_account()
    theirs = other.client("s3")
    everyone = {"Principal": {"AWS": f"arn:aws:iam::{other.id}:root"}, "Action": ["s3:GetObject", "s3:PutObject"]}
    through = {"StringEquals": {"s3:DataAccessPointAccount": point.account.id}}
    delegating = document(Principal="*", Action="s3:*", Resource=f"arn:aws:s3:::{point.bucket}/*", Condition=through)
    assert code_of(theirs.get_object, Bucket=point.alias, Key="k") == "AccessDenied"
    point.control.put_access_point_policy(**point.named, Policy=document(**everyone, Resource=f"{point.arn}/object/*"))
    assert code_of(theirs.get_object, Bucket=point.alias, Key="k") == "AccessDenied"  # the bucket does not
    point.s3.put_bucket_policy(Bucket=point.bucket, Policy=delegating)
    assert theirs.get_object(Bucket=point.alias, Key="k")["Body"].read() == b"behind"
    assert code_of(theirs.get_object, Bucket=point.bucket, Key="k") == "AccessDenied"  # only through the access point
    assert code_of(theirs.put_object, Bucket=point.alias, Key="t", Body=b"", Tagging="a=b") == "AccessDenied"
    assert code_of(theirs.list_objects_v2, Bucket=point.alias) == "AccessDenied"
    deleted = theirs.delete_objects(Bucket=point.alias, Delete={"Objects": [{"Key": "k"}]})
    assert [error["Code"] for error in deleted["Errors"]] == ["AccessDenied"]
    point.control.delete_access_point_policy(**point.named)
    assert code_of(theirs.get_object, Bucket=point.alias, Key="k") == "AccessDenied"
    for call in (point.control.get_access_point, point.control.delete_access_point):
        with pytest.raises(ClientError):
            getattr(other.client("s3control"), call.__name__)(**point.named)


def test_a_user_needs_leave_for_both(point: Point) -> None:
    iam, name = point.account.client("iam"), f"u-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    theirs = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=point.account.endpoint,
        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
    )  # fmt: skip
    for resource in (f"arn:aws:s3:::{point.bucket}/*", f"{point.arn}/object/*"):
        policy = document(Action="s3:GetObject", Resource=resource)
        iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=policy)
        assert code_of(theirs.get_object, Bucket=point.alias, Key="k") == "AccessDenied"
    both = document(Action="s3:GetObject", Resource=[f"arn:aws:s3:::{point.bucket}/*", f"{point.arn}/object/*"])
    iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=both)
    assert theirs.get_object(Bucket=point.alias, Key="k")["Body"].read() == b"behind"


def test_public_policies_and_wrong_ones_are_refused(point: Point) -> None:
    put = point.control.put_access_point_policy
    public = document(Principal="*", Action="s3:GetObject", Resource=f"{point.arn}/object/*")
    assert code_of(put, **point.named, Policy=public) == "AccessDenied"
    for wrong in ("", "{", document(Principal="*", Action="s3:GetObject", Resource=f"arn:aws:s3:::{point.bucket}/*")):
        assert code_of(put, **point.named, Policy=wrong or "x") == "MalformedPolicy"
    open_ = Point(point.account, PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    public = document(Principal="*", Action="s3:GetObject", Resource=f"{open_.arn}/object/*")
    # The bucket blocks it too.
    assert code_of(open_.control.put_access_point_policy, **open_.named, Policy=public) == "AccessDenied"
    open_.s3.delete_public_access_block(Bucket=open_.bucket)
    open_.control.put_access_point_policy(**open_.named, Policy=public)
    assert open_.control.get_access_point_policy_status(**open_.named)["PolicyStatus"] == {"IsPublic": True}
    assert json.loads(open_.control.get_access_point_policy(**open_.named)["Policy"]) == json.loads(public)


def test_one_of_a_vpc_is_not_there_for_others(account: Account) -> None:
    point = Point(account, VpcConfiguration={"VpcId": "vpc-0123456789abcdef0"})
    assert point.control.get_access_point(**point.named)["NetworkOrigin"] == "VPC"
    assert code_of(point.s3.get_object, Bucket=point.alias, Key="k") == "AccessDenied"


def test_a_strangers_access_point_keeps_no_bucket_alive(point: Point, cloud: Cloud) -> None:
    victim = cloud.new_account()
    s3, bucket = victim.client("s3"), f"test-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=bucket)
    named = {"AccountId": point.account.id, "Name": f"{point.name}-x"}
    point.control.create_access_point(**named, Bucket=bucket, BucketAccountId=victim.id)
    s3.delete_bucket(Bucket=bucket)


def test_a_source_that_is_not_there_is_told_through_an_access_point_too(point: Point) -> None:
    missing = {"Bucket": f"none-{uuid.uuid4().hex}", "Key": "k"}
    assert code_of(point.s3.copy_object, Bucket=point.alias, Key="c", CopySource=missing) == "NoSuchBucket"
    wrong = {"CopySource": f"{point.arn}/object/k", "ExpectedSourceBucketOwner": "123456789012"}
    assert code_of(point.s3.copy_object, Bucket=point.bucket, Key="c", **wrong) == "AccessDenied"


def test_a_public_policy_of_one_statement_lets_strangers_in_only_where_it_may(account: Account, cloud: Cloud) -> None:
    point = Point(account, PublicAccessBlockConfiguration={"BlockPublicPolicy": False})
    point.s3.delete_public_access_block(Bucket=point.bucket)
    one = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"{point.arn}/object/*"}
    public = json.dumps({"Version": "2012-10-17", "Statement": one})
    point.control.put_access_point_policy(**point.named, Policy=public)
    assert code_of(cloud.new_account().client("s3").get_object, Bucket=point.alias, Key="k") == "AccessDenied"


def test_an_account_has_so_many_access_points(point: Point, cloud: Cloud) -> None:
    cloud.grant(point.account, "s3/L-FAABEEBA", 2)
    make: Any = point.control.create_access_point
    given = {"AccountId": point.account.id, "Bucket": point.bucket}
    make(**given, Name="second")
    assert code_of(make, **given, Name="third") == "TooManyAccessPoints"
    point.control.delete_access_point(AccountId=point.account.id, Name="second")
    make(**given, Name="third")
