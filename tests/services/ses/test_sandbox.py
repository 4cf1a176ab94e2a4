"""A cloud whose accounts may write to verified addresses alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Cloud


@pytest.fixture(scope="module")
def strict_cloud() -> Iterator[Cloud]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), agent=False)
        cloud.start(mail_recipients="verified")
        yield cloud
        cloud.stop()


def test_strangers_get_no_mail(strict_cloud: Cloud) -> None:
    ses = strict_cloud.new_account().client("ses")
    for identity in ("sender@one.example", "friend@two.example"):
        ses.verify_email_identity(EmailAddress=identity)

    def send(*to: str) -> str:
        message = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
        source = "sender@one.example"
        return str(ses.send_email(Source=source, Destination={"ToAddresses": list(to)}, Message=message)["MessageId"])

    send("friend@two.example", "success@simulator.amazonses.com")
    with pytest.raises(ClientError) as refused:
        send("friend@two.example", "stranger@three.example", "other@three.example")
    error = refused.value.response["Error"]
    assert error["Code"] == "MessageRejected"
    assert error["Message"].endswith("in region US-EAST-1: stranger@three.example, other@three.example")
