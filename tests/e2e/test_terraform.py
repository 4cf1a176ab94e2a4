"""Terraform's own AWS provider, unmodified: it applies, finds nothing left to change, and destroys."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.machines import Lab

PROVIDER = "terraform-provider-aws_v5*"
CONFIGURATION = Path(__file__).parent / "terraform" / "main.tf"
SECONDS = 300.0

pytestmark = pytest.mark.machines


@pytest.fixture(scope="module")
def mirror() -> Path:
    """The folder of providers that this machine has: a mirror as `terraform providers mirror` writes it."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    command = ["find", "/", "-xdev", "-path", "/proc", "-prune", "-o", "-name", PROVIDER, "-type", "f", "-print"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.split()
    mirrored = [Path(path) for path in found if len(Path(path).parents) > 5 and Path(path).parents[2].name == "aws"]
    if not mirrored:
        pytest.skip("there is no mirror with version 5 of Terraform's AWS provider")
    return mirrored[0].parents[5]


@pytest.fixture
def terraform(lab: Lab, mirror: Path, tmp_path: Path) -> Terraform:
    shutil.copy(CONFIGURATION, tmp_path)
    (tmp_path / "cli.rc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    public = subprocess.run(["ssh-keygen", "-y", "-f", lab.key], capture_output=True, text=True, check=True).stdout
    credentials = lab.ec2._request_signer._credentials
    return Terraform(
        tmp_path,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TF_CLI_CONFIG_FILE": str(tmp_path / "cli.rc"),
            "CHECKPOINT_DISABLE": "1",
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "TF_VAR_endpoint": lab.ec2.meta.endpoint_url,
            "TF_VAR_image": lab.ami,
            "TF_VAR_key": public.strip(),
        },
    )


class Terraform:
    """The command, in a folder with a configuration."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def __call__(self, *arguments: str) -> None:
        done = subprocess.run(
            ["terraform", *arguments, "-no-color"],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"terraform {' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_network_and_machine_are_applied_kept_and_destroyed(terraform: Terraform, lab: Lab) -> None:
    terraform("init")
    terraform("apply", "-auto-approve")
    terraform("plan", "-detailed-exitcode")  # 2 when anything is left to change
    named = [{"Name": "tag:Name", "Values": ["it"]}]
    (vpc,) = lab.ec2.describe_vpcs(Filters=named)["Vpcs"]
    (reservation,) = lab.ec2.describe_instances(Filters=named)["Reservations"]
    assert reservation["Instances"][0]["VpcId"] == vpc["VpcId"]
    terraform("destroy", "-auto-approve")
    assert lab.ec2.describe_vpcs(Filters=named)["Vpcs"] == []
    assert lab.ec2.describe_addresses()["Addresses"] == []
