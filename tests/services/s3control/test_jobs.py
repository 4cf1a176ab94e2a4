"""Batch jobs, through boto3: what they do, what they report, who may."""

from __future__ import annotations

import csv
import io
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.s3control.test_access_points import code_of, document

ENDED = ("Complete", "Failed", "Cancelled")


class Jobs:
    """An account's bucket with objects, a manifest that names them and a name that is not there, and a role."""

    def __init__(self, account: Account, actions: str = "s3:*") -> None:
        self.account = account
        self.s3, self.control = account.client("s3"), account.client("s3control")
        self.bucket, self.keys = f"test-{uuid.uuid4().hex[:16]}", ["a", "b c", "d/é,f"]
        self.s3.create_bucket(Bucket=self.bucket)
        for key in self.keys:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=key.encode())
        names = ("a", "b%20c", "d/%C3%A9%2Cf", "none")
        lines = "".join(f"{self.bucket},{name}\n" for name in names)
        self.tag = self.s3.put_object(Bucket=self.bucket, Key="manifest.csv", Body=lines.encode())["ETag"]
        iam, name = account.client("iam"), f"batch-{uuid.uuid4().hex[:8]}"
        trust = document(Principal={"Service": "batchoperations.s3.amazonaws.com"}, Action="sts:AssumeRole")
        self.role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        policy = document(Action=actions.split(), Resource="*")
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)

    def create(self, operation: dict[str, Any], **more: Any) -> str:
        manifest = {
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
            "Location": {"ObjectArn": f"arn:aws:s3:::{self.bucket}/manifest.csv", "ETag": self.tag},
        }
        report = {
            "Enabled": True, "Bucket": f"arn:aws:s3:::{self.bucket}", "Prefix": "reports",
            "Format": "Report_CSV_20180820", "ReportScope": "AllTasks",
        }  # fmt: skip
        given = {
            "AccountId": self.account.id, "ConfirmationRequired": False, "Operation": operation, "Report": report,
            "ClientRequestToken": uuid.uuid4().hex, "Manifest": manifest, "Priority": 10, "RoleArn": self.role,
        }  # fmt: skip
        return str(self.control.create_job(**{**given, **more})["JobId"])

    def job(self, id: str, *statuses: str) -> Any:
        """A job, once it has one of these statuses."""
        deadline = time.monotonic() + 60
        while True:
            told = self.control.describe_job(AccountId=self.account.id, JobId=id)["Job"]
            if told["Status"] in (statuses or ENDED):
                return told
            assert time.monotonic() < deadline, told
            time.sleep(0.1)

    def tags(self, key: str) -> Any:
        return self.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]

    def report(self, id: str) -> list[list[str]]:
        def body(key: str) -> bytes:
            return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

        files = json.loads(body(f"reports/job-{id}/manifest.json"))["Results"]
        return [row for file in files for row in csv.reader(io.StringIO(body(file["Key"]).decode()))]


@pytest.fixture
def jobs(account: Account) -> Jobs:
    return Jobs(account)


def test_a_job_tags_all_objects_of_its_manifest(jobs: Jobs) -> None:
    id = jobs.create({"S3PutObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}, Description="tags")
    told = jobs.job(id)
    assert (told["Status"], told["Description"], told["RoleArn"]) == ("Complete", "tags", jobs.role)
    progress = told["ProgressSummary"]
    assert progress["TotalNumberOfTasks"] == 4
    assert (progress["NumberOfTasksSucceeded"], progress["NumberOfTasksFailed"]) == (3, 1)
    for key in jobs.keys:
        assert jobs.tags(key) == [{"Key": "k", "Value": "v"}]
    assert [line[1:6] for line in jobs.report(id)] == [
        ["a", "", "succeeded", "", "200"],
        ["b%20c", "", "succeeded", "", "200"],
        ["d/%C3%A9%2Cf", "", "succeeded", "", "200"],
        ["none", "", "failed", "NoSuchKey", "404"],
    ]
    listed = jobs.control.list_jobs(AccountId=jobs.account.id, JobStatuses=["Complete"])["Jobs"]
    assert [(job["JobId"], job["Operation"]) for job in listed] == [(id, "S3PutObjectTagging")]
    jobs.job(jobs.create({"S3DeleteObjectTagging": {}}))
    assert jobs.tags("a") == []


def test_a_job_copies(jobs: Jobs) -> None:
    copying = {
        "TargetResource": f"arn:aws:s3:::{jobs.bucket}", "TargetKeyPrefix": "copies", "StorageClass": "STANDARD_IA",
        "NewObjectMetadata": {"ContentType": "text/plain", "UserMetadata": {"by": "job"}},
    }  # fmt: skip
    assert jobs.job(jobs.create({"S3PutObjectCopy": copying}))["Status"] == "Complete"
    for key in jobs.keys:
        copy = jobs.s3.get_object(Bucket=jobs.bucket, Key=f"copies/{key}")
        assert (copy["Body"].read(), copy["Metadata"]) == (key.encode(), {"by": "job"})
        assert (copy["ContentType"], copy["StorageClass"]) == ("text/plain", "STANDARD_IA")


def test_a_job_waits_for_its_owner(jobs: Jobs) -> None:
    tagging = {"S3PutObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}
    id = jobs.create(tagging, ConfirmationRequired=True)
    assert jobs.job(id, "Suspended")["SuspendedCause"] == "AwaitingConfirmation"
    assert jobs.tags("a") == []
    named = {"AccountId": jobs.account.id, "JobId": id}
    jobs.control.update_job_priority(**named, Priority=42)
    jobs.control.put_job_tagging(**named, Tags=[{"Key": "x", "Value": "y"}])
    assert jobs.control.get_job_tagging(**named)["Tags"] == [{"Key": "x", "Value": "y"}]
    jobs.control.update_job_status(**named, RequestedJobStatus="Ready")
    assert (jobs.job(id)["Status"], jobs.job(id)["Priority"]) == ("Complete", 42)
    assert jobs.tags("a") != []
    assert code_of(jobs.control.update_job_status, **named, RequestedJobStatus="Cancelled") == "JobStatusException"
    other = jobs.create(tagging, ConfirmationRequired=True)
    jobs.job(other, "Suspended")
    jobs.control.update_job_status(AccountId=jobs.account.id, JobId=other, RequestedJobStatus="Cancelled")
    assert jobs.job(other)["Status"] == "Cancelled"


def test_a_job_may_do_what_its_role_may(account: Account, cloud: Cloud) -> None:
    jobs = Jobs(account, "s3:GetObject s3:PutObject")
    id = jobs.create({"S3PutObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]}})
    assert jobs.job(id)["ProgressSummary"]["NumberOfTasksFailed"] == 4
    assert {line[4] for line in jobs.report(id)} == {"AccessDenied"}
    assert jobs.tags("a") == []
    stranger = cloud.new_account()
    named = {"AccountId": stranger.id, "JobId": id}
    assert code_of(stranger.client("s3control").describe_job, **named) == "NotFoundException"


def test_what_cannot_be_is_refused_or_fails_with_a_reason(jobs: Jobs) -> None:
    holding = {"S3PutObjectLegalHold": {"LegalHold": {"Status": "ON"}}}
    assert jobs.job(jobs.create(holding))["ProgressSummary"]["NumberOfTasksFailed"] == 4  # the bucket has no locks
    jobs.s3.put_object(Bucket=jobs.bucket, Key="manifest.csv", Body=b"changed")
    told = jobs.job(jobs.create(holding))
    assert (told["Status"], told["FailureReasons"][0]["FailureCode"]) == ("Failed", "ManifestNotFound")
    jobs.tag = jobs.s3.put_object(Bucket=jobs.bucket, Key="manifest.csv", Body=b"\\xff,\n")["ETag"]
    assert jobs.job(jobs.create(holding))["FailureReasons"][0]["FailureCode"] == "InvalidManifest"
    assert code_of(jobs.create, operation={}) == "BadRequestException"
    assert code_of(jobs.create, operation=holding, Report={"Enabled": True}) == "BadRequestException"
    assert code_of(jobs.create, operation=holding, RoleArn="arn:aws:iam::123456789012:role/x") == "AccessDenied"
    assert code_of(jobs.create, operation={"S3ReplicateObject": {}}) == "NotImplemented"


def test_a_job_that_mostly_fails_is_given_up(jobs: Jobs) -> None:
    lines = f"{jobs.bucket},a\n" + f"{jobs.bucket},none\n" * 1100
    jobs.tag = jobs.s3.put_object(Bucket=jobs.bucket, Key="manifest.csv", Body=lines.encode())["ETag"]
    told = jobs.job(jobs.create({"S3PutObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}))
    assert (told["Status"], told["FailureReasons"][0]["FailureCode"]) == ("Failed", "JobFailureRateExceeded")
    progress = told["ProgressSummary"]
    assert (progress["TotalNumberOfTasks"], progress["NumberOfTasksSucceeded"]) == (1101, 1)
    assert progress["NumberOfTasksFailed"] == 999


def test_names_that_callers_choose_are_no_times(jobs: Jobs) -> None:
    metadata = {"ContentType": "text/plain", "UserMetadata": {"RetainUntilDate": "hello"}, "SSEAlgorithm": "KMS"}
    told = jobs.job(jobs.create({"S3PutObjectCopy": {"TargetKeyPrefix": "c", "NewObjectMetadata": metadata}}))
    assert told["Operation"]["S3PutObjectCopy"]["NewObjectMetadata"]["UserMetadata"] == {"RetainUntilDate": "hello"}
    copy = jobs.s3.head_object(Bucket=jobs.bucket, Key="c/a")
    assert (copy["Metadata"], copy["ServerSideEncryption"]) == ({"retainuntildate": "hello"}, "aws:kms")
    for body in (f"{jobs.bucket},a\x00\n".encode(), b"ab," * 100_000 + b"\n"):
        jobs.tag = jobs.s3.put_object(Bucket=jobs.bucket, Key="manifest.csv", Body=body)["ETag"]
        told = jobs.job(jobs.create({"S3DeleteObjectTagging": {}}))
        assert (told["Status"], told["FailureReasons"][0]["FailureCode"]) == ("Failed", "InvalidManifest")
    granting = {"AccessControlGrants": [{"Grantee": {"TypeIdentifier": "id", "Identifier": "x"}, "Permission": "READ"}]}
    assert code_of(jobs.create, operation={"S3PutObjectCopy": granting}) == "NotImplemented"


def test_times_and_targets_of_copies(jobs: Jobs) -> None:
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    changed = datetime(2020, 1, 1, tzinfo=UTC)
    metadata = {"UserMetadata": {"$time": "2020-01-01T00:00:00+00:00", "$$time": "x"}, "HttpExpiresDate": until}
    copy = {
        "TargetResource": f"arn:aws:s3:::{jobs.bucket}", "TargetKeyPrefix": "copies",
        "ModifiedSinceConstraint": changed, "NewObjectMetadata": metadata,
    }  # fmt: skip
    told = jobs.job(jobs.create({"S3PutObjectCopy": copy}))
    assert (told["Status"], told["ProgressSummary"]["NumberOfTasksSucceeded"]) == ("Complete", 3)
    assert told["Operation"]["S3PutObjectCopy"]["NewObjectMetadata"]["HttpExpiresDate"] == until
    assert told["Operation"]["S3PutObjectCopy"]["NewObjectMetadata"]["UserMetadata"] == metadata["UserMetadata"]
    kept = jobs.s3.head_object(Bucket=jobs.bucket, Key="copies/a")["Metadata"]
    assert kept == metadata["UserMetadata"]
    elsewhere = {**copy, "TargetResource": "arn:aws:s3:us-east-1:123456789012:accesspoint/x"}
    assert code_of(jobs.create, operation={"S3PutObjectCopy": elsewhere}) == "BadRequestException"
