"""The access log says who called what, and nothing that is secret."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Cloud


def test_every_request_leaves_a_line_without_secrets() -> None:
    cloud = Cloud(Path(tempfile.mkdtemp(prefix="celaje-test-")), agent=False)
    try:
        cloud.start(access_log=True)
        account = cloud.new_account()
        account.client("sts").get_caller_identity()
        with pytest.raises(ClientError):
            account.client("ec2").delete_vpc(VpcId="vpc-00000000000000000")
        logs = "".join(path.read_text() for path in (cloud.home / "logs").glob("gateway*"))
    finally:
        cloud.stop()
        shutil.rmtree(cloud.home, ignore_errors=True)
    lines = [json.loads(line) for line in logs.splitlines() if '"celaje.access"' in line]
    shown = {line["operation"]: line for line in lines}
    root = f"arn:aws:iam::{account.id}:"
    assert shown["GetCallerIdentity"]["status"] == 200
    assert shown["GetCallerIdentity"]["principal"].startswith(root)
    assert shown["DeleteVpc"]["error"] == "InvalidVpcID.NotFound"
    assert all(line["ms"] > 0 and len(line["request_id"]) == 36 for line in lines)
    assert account.secret_access_key not in logs and "Signature=" not in logs
