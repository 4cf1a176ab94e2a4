"""Trails through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.kms.conftest import refused


@pytest.fixture
def trail(account: Account) -> Any:
    return account.client("cloudtrail")


def test_life_of_a_trail(trail: Any, account: Account, bucket: str) -> None:
    made = trail.create_trail(Name="main", S3BucketName=bucket, TagsList=[{"Key": "a", "Value": "1"}])
    arn = f"arn:aws:cloudtrail:us-east-1:{account.id}:trail/main"
    assert made["TrailARN"] == arn
    assert (made["IncludeGlobalServiceEvents"], made["IsMultiRegionTrail"]) == (True, False)
    assert refused(trail.create_trail, Name="main", S3BucketName=bucket)[0] == "TrailAlreadyExistsException"
    changed = trail.update_trail(Name=arn, S3KeyPrefix="p", IsMultiRegionTrail=True, EnableLogFileValidation=True)
    assert (changed["S3BucketName"], changed["S3KeyPrefix"]) == (bucket, "p")
    got = trail.get_trail(Name="main")["Trail"]
    assert got["HomeRegion"] == "us-east-1"
    assert got["LogFileValidationEnabled"]
    west = account.client("cloudtrail", region="us-west-2")
    assert [item["TrailARN"] for item in west.describe_trails()["trailList"]] == [arn]
    assert west.describe_trails(includeShadowTrails=False)["trailList"] == []
    assert west.list_trails()["Trails"] == [{"TrailARN": arn, "Name": "main", "HomeRegion": "us-east-1"}]
    assert refused(west.delete_trail, Name=arn)[0] == "InvalidHomeRegionException"
    assert trail.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"] == [{"Key": "a", "Value": "1"}]
    trail.add_tags(ResourceId=arn, TagsList=[{"Key": "b", "Value": "2"}])
    trail.remove_tags(ResourceId=arn, TagsList=[{"Key": "a"}])
    assert trail.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"] == [{"Key": "b", "Value": "2"}]
    trail.delete_trail(Name="main")
    assert refused(trail.get_trail, Name="main")[0] == "TrailNotFoundException"


def test_logging_starts_and_stops(trail: Any, bucket: str) -> None:
    trail.create_trail(Name="main", S3BucketName=bucket)
    assert not trail.get_trail_status(Name="main")["IsLogging"]
    trail.start_logging(Name="main")
    status = trail.get_trail_status(Name="main")
    assert status["IsLogging"]
    assert status["StartLoggingTime"]
    trail.stop_logging(Name="main")
    assert not trail.get_trail_status(Name="main")["IsLogging"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Name": "ab"}, "InvalidTrailNameException"),
        ({"Name": "a..b"}, "InvalidTrailNameException"),
        ({"S3BucketName": "No"}, "InvalidS3BucketNameException"),
        ({"S3KeyPrefix": "x" * 201}, "InvalidS3PrefixException"),
        ({"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False}, "InvalidParameterCombinationException"),
        ({"KmsKeyId": "alias/none"}, "KmsKeyNotFoundException"),
        ({"IsOrganizationTrail": True}, "UnsupportedOperationException"),
    ],
)
def test_trails_that_are_refused(trail: Any, bucket: str, parameters: dict[str, Any], code: str) -> None:
    given = {"Name": "main", "S3BucketName": bucket, **parameters}
    assert refused(trail.create_trail, **given)[0] == code


def test_five_trails_a_region(trail: Any, bucket: str) -> None:
    for n in range(5):
        trail.create_trail(Name=f"trail-{n}", S3BucketName=bucket)
    sixth = refused(trail.create_trail, Name="trail-5", S3BucketName=bucket)
    assert sixth[0] == "MaximumNumberOfTrailsExceededException"


def test_selectors(trail: Any, bucket: str) -> None:
    trail.create_trail(Name="main", S3BucketName=bucket)
    (default,) = trail.get_event_selectors(TrailName="main")["EventSelectors"]
    assert (default["ReadWriteType"], default["IncludeManagementEvents"]) == ("All", True)
    objects = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::bucket/"]}]
    chosen = [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True, "DataResources": objects}]
    trail.put_event_selectors(TrailName="main", EventSelectors=chosen)
    (got,) = trail.get_event_selectors(TrailName="main")["EventSelectors"]
    assert got["DataResources"] == objects
    assert trail.get_trail(Name="main")["Trail"]["HasCustomEventSelectors"]
    fields = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::SQS::Queue"]},
    ]
    trail.put_event_selectors(TrailName="main", AdvancedEventSelectors=[{"Name": "queues", "FieldSelectors": fields}])
    assert trail.get_event_selectors(TrailName="main")["AdvancedEventSelectors"][0]["FieldSelectors"] == fields
    for bad in (fields[:1], fields[1:], [*fields, {"Field": "other", "Equals": ["a"]}]):
        answer = refused(trail.put_event_selectors, TrailName="main", AdvancedEventSelectors=[{"FieldSelectors": bad}])
        assert answer[0] == "InvalidEventSelectorsException"
    assert refused(trail.get_insight_selectors, TrailName="main")[0] == "InsightNotEnabledException"


def test_other_accounts(trail: Any, cloud: Cloud, account: Account, bucket: str) -> None:
    trail.create_trail(Name="main", S3BucketName=bucket)
    arn = f"arn:aws:cloudtrail:us-east-1:{account.id}:trail/main"
    other = cloud.new_account().client("cloudtrail")
    for call in (other.get_trail, other.delete_trail, other.start_logging):
        assert refused(call, Name=arn)[0] == "AccessDeniedException"
    assert other.describe_trails(trailNameList=[arn])["trailList"] == []
