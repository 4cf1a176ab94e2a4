"""Files of trails: what is in them, where they go, how digests are signed; with a bucket that keeps all."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from controlplane.access.authorize import Authorizer
from controlplane.access.trail.recorder import Call, Trail
from controlplane.core.context import Cloud, Context
from controlplane.core.errors import AwsError
from controlplane.core.operation import ANY, OperationSpec
from controlplane.core.principal import Principal
from controlplane.gateway.dispatch import Dispatcher
from controlplane.gateway.registry import Registry, ServiceEntry
from controlplane.services.cloudtrail import queries
from controlplane.services.cloudtrail.reconcilers import deliver
from controlplane.services.cloudtrail.selectors import selects
from controlplane.state.database import Database
from controlplane.state.sealing import Sealer
from controlplane.work.reconciler import Run

ACCOUNT = "111111111111"
PLACE = f"{ACCOUNT}/us-east-1/main"
ANN = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDA", "ann", "AKIAANN")


class Bucket:
    """Keeps what is put, so that a test sees it; `test_bucket.py` has the real one."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self.callers: set[tuple[str, str]] = set()
        self.broken = False

    async def put_object(self, ctx: Context, request: Any) -> None:
        if self.broken:
            raise AwsError("no", code="AccessDenied")
        self.callers.add((ctx.principal.arn, ctx.facts["aws:SourceArn"]))
        self.files[request["Key"]] = dict(request)

    def content(self, key: str) -> bytes:
        return gzip.decompress(self.files[key]["Body"])


class AllowsAll:
    async def authorize(self, *_: Any) -> None: ...


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def run(database: Database, bucket: Bucket) -> Run:
    spec = OperationSpec("PutObject", ANY, None, bucket.put_object)
    entry = ServiceEntry("s3", "s3", "regional", "s3", (), (), (), "bronze", {"PutObject": spec})
    sealing = {"sealing": Sealer(bytes(32))}
    cloud = Cloud(("us-east-1",), IPv4Network("198.18.0.0/24"))
    runtime = Dispatcher(Registry([entry]), cast(Authorizer, AllowsAll()), sealing, cloud, Trail(database))
    return Run(PLACE, "id", database, sealing, runtime)


async def make_trail(database: Database, **settings: Any) -> None:
    async with database.unit() as db:
        await db.insert(
            "cloudtrail_trails",
            account_id=ACCOUNT,
            region="us-east-1",
            name="main",
            settings={"S3BucketName": "bucket", **settings},
            logging=True,
            started_at=datetime.now(UTC) - timedelta(hours=2),
        )


async def happen(database: Database, *names: str) -> None:
    """Calls, which are old enough at once to be delivered."""
    trail = Trail(database)
    for name in names:
        trail.note(Call(ANN, ACCOUNT, "us-east-1", "kms", name, f"request-{name}"))
    await trail.flush()
    async with database.unit() as db:
        await db.execute("UPDATE access_trail_chunks SET last_at = now() - interval '1 minute'")


async def status(database: Database) -> Any:
    async with database.unit() as db:
        return await queries.find(db, ACCOUNT, "us-east-1", "main")


async def test_files_hold_what_came_since_the_last(database: Database, run: Run, bucket: Bucket) -> None:
    await make_trail(database, S3KeyPrefix="p")
    await happen(database, "CreateKey", "ListKeys")
    await deliver(run, PLACE)
    (key,) = bucket.files
    today = datetime.now(UTC)
    start = f"p/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{today:%Y/%m/%d}/{ACCOUNT}_CloudTrail_us-east-1_{today:%Y%m%dT}"
    assert key.startswith(start)
    assert key.endswith(".json.gz")
    records = json.loads(bucket.content(key))["Records"]
    assert [record["eventName"] for record in records] == ["CreateKey", "ListKeys"]
    assert bucket.callers == {("cloudtrail.amazonaws.com", f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main")}
    await happen(database, "EnableKey")
    await deliver(run, PLACE)
    assert len(bucket.files) == 2
    assert "LatestDeliveryTime" in (await status(database))["status"]


async def test_a_refused_delivery_is_told_and_made_up_for(database: Database, run: Run, bucket: Bucket) -> None:
    await make_trail(database)
    await happen(database, "CreateKey")
    bucket.broken = True
    await deliver(run, PLACE)
    assert (await status(database))["status"]["LatestDeliveryError"] == "AccessDenied"
    bucket.broken = False
    await deliver(run, PLACE)
    (key,) = bucket.files
    assert len(json.loads(bucket.content(key))["Records"]) == 1
    assert "LatestDeliveryError" not in (await status(database))["status"]


async def test_digests_are_chained_and_signed(database: Database, run: Run, bucket: Bucket) -> None:
    await make_trail(database, EnableLogFileValidation=True)
    await happen(database, "CreateKey")
    await deliver(run, PLACE)
    async with database.unit() as db:
        earlier = "to_jsonb(extract(epoch FROM now()) - 7200)"
        await db.execute(f"UPDATE cloudtrail_trails SET digest = jsonb_set(digest, '{{end}}', {earlier})")
    await asyncio.sleep(1)  # a digest is named by the second
    await happen(database, "EnableKey")
    await deliver(run, PLACE)
    digests = [key for key in bucket.files if "CloudTrail-Digest" in key]
    assert len(digests) == 2
    async with database.unit() as db:
        public: Any = load_der_public_key(as_spki((await queries.digest_key(db, "us-east-1"))["public"]))
    previous = "null"
    for key in digests:
        content = bucket.content(key)
        digest = json.loads(content)
        text = f"{digest['digestEndTime']}\nbucket/{key}\n{hashlib.sha256(content).hexdigest()}\n{previous}"
        previous = bucket.files[key]["Metadata"]["signature"]
        public.verify(bytes.fromhex(previous), text.encode(), padding.PKCS1v15(), SHA256())
        (file,) = digest["logFiles"]
        assert file["hashValue"] == hashlib.sha256(bucket.content(file["s3Object"])).hexdigest()
    assert digest["previousDigestS3Object"] == digests[0]


def as_spki(pkcs1: bytes) -> bytes:
    """A PKCS #1 public key with the header that says that it is RSA's."""
    bits = b"\x03\x82" + (len(pkcs1) + 1).to_bytes(2, "big") + b"\x00" + pkcs1
    content = bytes.fromhex("300d06092a864886f70d0101010500") + bits
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


EVENT = {
    "eventCategory": "Data",
    "readOnly": False,
    "eventSource": "s3.amazonaws.com",
    "eventName": "PutObject",
    "userIdentity": {"arn": "arn:aws:iam::111111111111:user/ann"},
    "resources": [{"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::bucket/folder/a"}],
}


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ([], True),
        ([{"Field": "readOnly", "Equals": ["false"]}], True),
        ([{"Field": "readOnly", "Equals": ["true"]}], False),
        ([{"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::bucket/"]}], True),
        ([{"Field": "resources.ARN", "NotStartsWith": ["arn:aws:s3:::bucket/"]}], False),
        ([{"Field": "eventName", "EndsWith": ["Object"], "NotEquals": ["GetObject"]}], True),
        (
            [{"Field": "eventName", "Equals": ["PutObject", "GetObject"]}, {"Field": "eventSource", "Equals": ["x"]}],
            False,
        ),
    ],
)
def test_advanced_selectors(fields: list[dict[str, Any]], chosen: bool) -> None:
    data = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]
    assert selects({"AdvancedEventSelectors": [{"FieldSelectors": [*data, *fields]}]}, EVENT) is chosen


def test_basic_selectors() -> None:
    def basic(**more: Any) -> dict[str, Any]:
        base = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}
        return {"EventSelectors": [{**base, "ExcludeManagementEventSources": [], **more}]}

    bucket = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::bucket/"]}]
    other = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::other/"]}]
    assert not selects(None, EVENT)
    assert selects(basic(DataResources=bucket), EVENT)
    assert not selects(basic(DataResources=other), EVENT)
    assert not selects(basic(DataResources=bucket, ReadWriteType="ReadOnly"), EVENT)
    managed = {**EVENT, "eventCategory": "Management", "eventSource": "kms.amazonaws.com"}
    assert selects(None, managed)
    assert not selects(basic(ExcludeManagementEventSources=["kms.amazonaws.com"]), managed)
    assert not selects(basic(IncludeManagementEvents=False), managed)
