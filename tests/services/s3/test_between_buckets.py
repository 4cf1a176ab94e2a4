"""What a bucket's settings do beyond it: replicas, websites, inventories, who pays, what it costs."""

from __future__ import annotations

import csv
import gzip
import json
import time
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.s3.test_lifecycle import wait_for
from tests.services.s3.test_objects import code_of

OPEN = {"Version": "2012-10-17"}


def statement(bucket: str, principal: Any, *actions: str) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": resources}


def versioned(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def make_role(account: Account, name: str, *statements: dict[str, Any]) -> str:
    iam = account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({**OPEN, "Statement": [trust]}))
    if statements:
        iam.put_role_policy(
            RoleName=name, PolicyName="p", PolicyDocument=json.dumps({**OPEN, "Statement": list(statements)})
        )
    return str(role["Role"]["Arn"])


def replicate(s3: Any, source: str, target: str, role: str, **more: Any) -> None:
    rule = {
        "ID": "r", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": "out/"},
        "DeleteMarkerReplication": {"Status": "Enabled"}, "Destination": {"Bucket": f"arn:aws:s3:::{target}", **more},
    }  # fmt: skip
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule]})


ALL = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def test_versions_are_replicated_with_the_role(s3: Any, account: Account) -> None:
    source, target = versioned(s3, f"from-{account.id}"), versioned(s3, f"to-{account.id}")
    replicate(s3, source, target, make_role(account, "copier", ALL), StorageClass="STANDARD_IA")
    body = b"y" * 100_000
    first = s3.put_object(Bucket=source, Key="out/k", Body=body, Metadata={"a": "b"}, Tagging="t=1")["VersionId"]
    second = s3.put_object(Bucket=source, Key="out/k", Body=b"second")["VersionId"]
    s3.put_object(Bucket=source, Key="stays", Body=b"here")

    def status(version: str) -> str:
        return str(s3.head_object(Bucket=source, Key="out/k", VersionId=version)["ReplicationStatus"])

    wait_for(lambda: status(first) == status(second) == "COMPLETED", "not replicated")
    replica = s3.get_object(Bucket=target, Key="out/k", VersionId=first)
    assert (replica["Body"].read(), replica["Metadata"]) == (body, {"a": "b"})
    assert (replica["ReplicationStatus"], replica["StorageClass"]) == ("REPLICA", "STANDARD_IA")
    assert s3.get_object_tagging(Bucket=target, Key="out/k", VersionId=first)["TagSet"] == [{"Key": "t", "Value": "1"}]
    assert s3.get_object(Bucket=target, Key="out/k")["VersionId"] == second
    assert "ReplicationStatus" not in s3.head_object(Bucket=source, Key="stays")
    marker = s3.delete_object(Bucket=source, Key="out/k")["VersionId"]

    def markers() -> list[str]:
        return [m["VersionId"] for m in s3.list_object_versions(Bucket=target).get("DeleteMarkers", [])]

    wait_for(lambda: markers() == [marker], "the delete marker is not replicated")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=target).get("Contents", [])] == []


def test_replicas_need_the_role_and_the_other_side(cloud: Cloud, s3: Any, account: Account) -> None:
    other = cloud.new_account()
    theirs = other.client("s3")
    source, target = versioned(s3, f"from-{account.id}"), versioned(theirs, f"to-{other.id}")
    role = make_role(account, "copier", ALL)
    replicate(s3, source, target, role)

    def outcome(key: str) -> str:
        s3.put_object(Bucket=source, Key=key, Body=b"x")
        wait_for(lambda: s3.head_object(Bucket=source, Key=key)["ReplicationStatus"] != "PENDING", "still pending")
        return str(s3.head_object(Bucket=source, Key=key)["ReplicationStatus"])

    assert outcome("out/refused") == "FAILED"
    assert "Contents" not in theirs.list_objects_v2(Bucket=target)
    allow = statement(target, {"AWS": role}, "s3:ReplicateObject")
    theirs.put_bucket_policy(Bucket=target, Policy=json.dumps({**OPEN, "Statement": [allow]}))
    assert outcome("out/allowed") == "COMPLETED"
    assert theirs.get_object(Bucket=target, Key="out/allowed")["Body"].read() == b"x"
    nobody = make_role(account, "powerless")
    replicate(s3, source, target, nobody)
    assert outcome("out/without-power") == "FAILED"
    stolen = make_role(other, "theirs", ALL)
    with pytest.raises(ClientError):
        replicate(s3, source, target, stolen)


def test_a_bucket_is_a_website(s3: Any, bucket: str, account: Account) -> None:
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"home", ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="docs/index.html", Body=b"docs", ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="oops.html", Body=b"lost", ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="gone", Body=b"", WebsiteRedirectLocation="/docs/")
    moved = {"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "docs/"}}
    site = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "oops.html"}, "RoutingRules": [moved]}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=site)
    host = {"Host": f"{bucket}.s3-website-us-east-1.localhost"}

    def get(path: str, **more: Any) -> httpx.Response:
        return httpx.get(f"{account.endpoint}{path}", headers={**host, **more})

    assert get("/").status_code == 403
    s3.delete_public_access_block(Bucket=bucket)
    everybody = statement(bucket, "*", "s3:GetObject", "s3:ListBucket")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({**OPEN, "Statement": [everybody]}))
    home = get("/")
    assert (home.text, home.headers["content-type"]) == ("home", "text/html")
    assert get("/", **{"If-None-Match": home.headers["etag"]}).status_code == 304
    assert get("/docs/").text == "docs"
    assert (get("/docs").status_code, get("/docs").headers["location"]) == (302, "/docs/")
    assert (get("/none").status_code, get("/none").text) == (404, "lost")
    assert (get("/gone").status_code, get("/gone").headers["location"]) == (301, "/docs/")
    assert get("/old/a b").headers["location"].endswith("/docs/a%20b")
    assert httpx.head(f"{account.endpoint}/", headers=host).headers["content-length"] == "4"
    refused = httpx.put(f"{account.endpoint}/x", headers=host)
    assert (refused.status_code, "<li>Method: PUT</li>" in refused.text) == (405, True)
    s3.put_object(Bucket=bucket, Key="oops.html", Body=b"", WebsiteRedirectLocation="/docs/")
    assert (get("/none").status_code, get("/none").headers["location"]) == (301, "/docs/")
    s3.delete_object(Bucket=bucket, Key="oops.html")
    assert "<li>Key: none</li>" in get("/none").text
    assert "Retrieve a Custom Error Document" in get("/none").text
    s3.put_bucket_website(
        Bucket=bucket, WebsiteConfiguration={"RedirectAllRequestsTo": {"HostName": "example.org", "Protocol": "https"}}
    )
    assert get("/x").headers["location"] == "https://example.org/x"
    s3.delete_bucket_website(Bucket=bucket)
    assert "NoSuchWebsiteConfiguration" in get("/").text
    assert "NoSuchBucket" in httpx.get(f"{account.endpoint}/", headers={"Host": "no.s3-website.localhost"}).text


def test_an_inventory_comes_where_the_other_bucket_lets_it(s3: Any, bucket: str, account: Account) -> None:
    target = f"reports-{account.id}"
    s3.create_bucket(Bucket=target)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"22"):
        s3.put_object(Bucket=bucket, Key="a b", Body=body)
    s3.delete_object(Bucket=bucket, Key="a b")
    allow = statement(target, {"Service": "s3.amazonaws.com"}, "s3:PutObject")
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({**OPEN, "Statement": [{**allow, "Condition": condition}]}))
    destination = {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{target}", "Format": "CSV", "Prefix": "p"}}
    s3.put_bucket_inventory_configuration(
        Bucket=bucket,
        Id="all",
        InventoryConfiguration={
            "Id": "all", "IsEnabled": True, "IncludedObjectVersions": "All", "OptionalFields": ["Size", "StorageClass"],
            "Schedule": {"Frequency": "Daily"}, "Destination": destination,
        },
    )  # fmt: skip

    def manifests() -> list[str]:
        found = s3.list_objects_v2(Bucket=target, Prefix=f"p/{bucket}/all/").get("Contents", [])
        return [item["Key"] for item in found if item["Key"].endswith("manifest.json")]

    wait_for(manifests, "no inventory comes")
    manifest = json.loads(s3.get_object(Bucket=target, Key=manifests()[0])["Body"].read())
    assert manifest["fileSchema"] == "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, StorageClass"
    data = s3.get_object(Bucket=target, Key=manifest["files"][0]["key"])["Body"].read()
    rows = list(csv.reader(gzip.decompress(data).decode().splitlines()))
    assert [(row[1], row[3], row[4], row[5]) for row in rows] == [
        ("a%20b", "true", "true", ""), ("a%20b", "false", "false", "2"), ("a%20b", "false", "false", "1"),
    ]  # fmt: skip
    s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="all")


def test_strangers_say_that_they_pay(cloud: Cloud, s3: Any, bucket: str) -> None:
    other = cloud.new_account()
    theirs = other.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    allow = statement(bucket, {"AWS": other.id}, "s3:GetObject")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({**OPEN, "Statement": [allow]}))
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with pytest.raises(ClientError) as unpaid:
        theirs.get_object(Bucket=bucket, Key="k")
    assert code_of(unpaid) == "AccessDenied"
    assert theirs.get_object(Bucket=bucket, Key="k", RequestPayer="requester")["RequestCharged"] == "requester"


def test_buckets_are_bounded_by_a_quota(cloud: Cloud, s3: Any, account: Account) -> None:
    cloud.grant(account, "s3/L-DC2B2D3D", 1)
    s3.create_bucket(Bucket=f"first-{account.id}")
    with pytest.raises(ClientError) as beyond:
        s3.create_bucket(Bucket=f"second-{account.id}")
    assert code_of(beyond) == "TooManyBuckets"


def test_what_lies_in_buckets_is_on_the_bill(s3: Any, bucket: str, account: Account) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 1024 * 1024)
    s3.put_object(Bucket=bucket, Key="c", Body=b"x" * 1024, StorageClass="GLACIER")
    ce = account.client("ce")
    today = time.strftime("%Y-%m-%d", time.gmtime())
    tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))

    def metered() -> set[str]:
        found = ce.get_cost_and_usage(
            TimePeriod={"Start": today, "End": tomorrow}, Granularity="DAILY", Metrics=["UsageQuantity"],
            GroupBy=[{"Type": "DIMENSION", "Key": "USAGE_TYPE"}],
        )  # fmt: skip
        return {group["Keys"][0] for day in found["ResultsByTime"] for group in day["Groups"]}

    wait_for(lambda: {"TimedStorage-ByteHrs", "TimedStorage-GlacierByteHrs"} <= metered(), f"only {metered()}")


def test_requests_are_logged_to_the_other_bucket(s3: Any, bucket: str, account: Account) -> None:
    target = f"logs-{account.id}"
    s3.create_bucket(Bucket=target)
    allow = statement(target, {"Service": "logging.s3.amazonaws.com"}, "s3:PutObject")
    condition = {"StringEquals": {"aws:SourceAccount": account.id}}
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({**OPEN, "Statement": [{**allow, "Condition": condition}]}))
    logged = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "l/"}}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=logged)
    s3.put_object(Bucket=bucket, Key="a b", Body=b"four")
    s3.get_object(Bucket=bucket, Key="a b")["Body"].read()
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="none")
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"})
    httpx.get(signed, headers={"User-Agent": 'sly" - "agent'})

    def log() -> str:
        found = s3.list_objects_v2(Bucket=target, Prefix="l/").get("Contents", [])
        return "".join(s3.get_object(Bucket=target, Key=item["Key"])["Body"].read().decode() for item in found)

    wait_for(lambda: log().count("\n") >= 4, "no log comes")
    lines = log().splitlines()
    assert any("REST.PUT.OBJECT a%20b" in line and " 200 - " in line for line in lines)
    assert any("REST.GET.OBJECT none" in line and " 404 NoSuchKey " in line for line in lines)
    by_url = next(line for line in lines if "QueryString" in line)
    assert "Signature=-" in by_url
    assert '"sly_ - _agent"' in by_url
