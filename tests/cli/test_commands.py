"""The celaje command against a running cloud, as its owner uses it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from controlplane.cli import scaffold
from controlplane.cli.application import Failure, application
from controlplane.cli.images import check_disk
from tests.cloud import Cloud


def exports(text: str) -> dict[str, str]:
    """The variables that a shell has after `eval` of what was printed."""
    shell = subprocess.run(
        ["bash", "-c", 'eval "$1"; env', "-", text], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    return dict(line.split("=", 1) for line in shell.stdout.decode().splitlines() if "=" in line)


def caller(variables: dict[str, str]) -> str:
    """The account that AWS's client is with such variables."""
    client = boto3.client(
        "sts",
        region_name=variables["AWS_REGION"],
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    return str(client.get_caller_identity()["Account"])


def number() -> str:
    return str(10**11 + uuid.uuid4().int % (9 * 10**11))


def test_a_cloud_that_runs_the_code_at_hand_is_left_alone(cloud: Cloud) -> None:
    before = cloud.process("gateway-1")["pid"]
    cloud.celaje("up", "--renew", "--listen", cloud.endpoint.removeprefix("http://"))
    assert cloud.process("gateway-1")["pid"] == before


def test_env_gives_the_first_account(cloud: Cloud) -> None:
    variables = exports(cloud.celaje("env"))
    assert variables["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-east-1"
    assert caller(variables) in cloud.celaje("account", "list")


def test_an_account_with_chosen_id_and_keys_works_at_once(cloud: Cloud) -> None:
    id, name, key = number(), f"chosen {uuid.uuid4().hex[:8]}", f"CHOSEN{uuid.uuid4().hex[:10].upper()}"
    secret = "a secret/with+signs='\"$x"
    printed = cloud.celaje("account", "add", name, "--id", id, "--access-key-id", key, "--secret-access-key", secret)
    variables = exports(printed)
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]) == (key, secret)
    assert caller(variables) == id
    assert exports(cloud.celaje("env", "--account", name)) == exports(cloud.celaje("env", "--account", id))


@pytest.mark.parametrize(
    "arguments",
    [
        ("account", "add", "x", "--id", "123"),
        ("account", "add", "main"),
        ("account", "add", "x", "--access-key-id", "no spaces"),
        ("env", "--account", "nobody"),
        ("logs", "nothing"),
        ("explain", "not-a-request"),
        ("image", "build", "windows"),
        ("image", "import", "/nonexistent.qcow2"),
        ("new-service", "No-Name"),
        ("new-service", "notaservice"),
    ],
)
def test_a_failure_is_one_message_and_no_traceback(cloud: Cloud, arguments: tuple[str, ...]) -> None:
    done = cloud.try_celaje(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("celaje: ")
    assert "Traceback" not in done.stderr


def test_status_as_people_and_programs_read_it(cloud: Cloud) -> None:
    document = json.loads(cloud.celaje("status", "--json"))
    assert {"postgres", "valkey", "gateway-1", "worker", "beat"} <= {row["name"] for row in document["processes"]}
    assert "gateway-1" in cloud.celaje("status")


def test_explain_tells_why_a_request_was_denied(cloud: Cloud) -> None:
    iam = cloud.new_account().client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ec2 = boto3.client(
        "ec2",
        region_name="us-east-1",
        endpoint_url=cloud.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    with pytest.raises(ClientError) as refused:
        ec2.describe_vpcs()
    request_id = refused.value.response["ResponseMetadata"]["RequestId"]
    cloud.wait_until(lambda: cloud.try_celaje("explain", request_id).returncode == 0, 10)
    told = cloud.celaje("explain", request_id)
    assert "Denied" in told
    assert "ec2:DescribeVpcs" in told
    assert "user/ann" in told


def test_logs_carry_json_for_reading(cloud: Cloud) -> None:
    assert "gateway-1" in cloud.celaje("logs", "gateway-1", "-n", "3")


def test_nothing_runs_in_an_empty_home() -> None:
    with tempfile.TemporaryDirectory(prefix="celaje-empty-") as folder:
        empty = Cloud(Path(folder), agent=False)
        assert empty.try_celaje("status").returncode == 1
        assert "celaje up" in empty.try_celaje("env").stderr or "is the cloud up" in empty.try_celaje("env").stderr
        assert "No cloud was running" in empty.celaje("down")


def test_new_service_scaffolds_what_the_registry_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaffold, "ROOT", tmp_path)
    done = CliRunner().invoke(application, ["new-service", "sqs"])
    assert done.exit_code == 0, done.output
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {f"controlplane/services/sqs/{name}" for name in ("service.toml", "operations.py", "README.md")} <= files
    assert "tests/services/sqs/test_sqs.py" in files
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", tmp_path], check=True, capture_output=True)
    assert CliRunner().invoke(application, ["new-service", "sqs"]).exit_code == 1


def test_an_image_that_refers_to_other_files_is_refused(tmp_path: Path) -> None:
    base, overlay = tmp_path / "base.qcow2", tmp_path / "overlay.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "1G"], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay], check=True)
    assert check_disk(base) == 1 << 30
    with pytest.raises(Failure, match="refers to other files"):
        check_disk(overlay)
