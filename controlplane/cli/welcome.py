"""celaje welcome: images and a first machine, then a page that says how to go on. The end of `make up`."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from controlplane.access import accounts
from controlplane.cli import images
from controlplane.cli.application import Failure, Home, application, endpoint, errors, load_settings, output
from controlplane.cli.owner import in_database
from controlplane.settings import Settings, sudo_user
from controlplane.supervise.bootstrap import FIRST_ACCOUNT

NAME = "first"
_GROUP = "first-ssh"
_RUNNING_SECONDS = 120.0
_SSH_SECONDS = 180.0


@application.command()
def welcome(
    machine: Annotated[bool, typer.Option("--machine/--no-machine", help="Launch a first machine.")] = True,
    home: Home = None,
) -> None:
    """Build the images that are missing, launch a first t3.micro, and say how to go on."""
    from controlplane.console.routes import PATH  # here, because it loads FastAPI, which no other command needs

    settings = load_settings(home=home)
    for kind in images.KINDS:
        if images.built(settings, kind) is None:
            images.build([kind], home=home)
    ssh = first_machine(settings) if machine else None
    command = "celaje" if home is None else f"celaje --home {home}"
    output.print()
    output.print(f"  endpoint      [bold]{endpoint(settings)}[/bold]")
    output.print(f"  credentials   eval $({command} env), then: aws ec2 describe-instances")
    output.print(f"  console       {endpoint(settings)}{PATH}/ (sign in with an access key)")
    if ssh:
        output.print(f"  first machine [bold]{ssh}[/bold]", soft_wrap=True)
    output.print(f"  status        {command} status, {command} logs -f, {command} down")
    output.print()


def first_machine(settings: Settings) -> str:
    """Launch it as any user would, unless it runs; answers the command that logs in."""
    ec2 = _client(settings)
    key = settings.home / "first-machine.pem"
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=errors) as progress:
        task = progress.add_task("launching the first machine", total=None)
        try:
            instance = _find(ec2) or _launch(ec2, settings, key)
            progress.update(task, description=f"waiting for {instance} to run")
            address = _address(ec2, instance)
        except (BotoCoreError, ClientError) as error:
            raise Failure(f"the first machine could not be launched: {error}") from error
        progress.update(task, description=f"waiting for SSH on {address}")
        _wait_for_ssh(address, instance)
    return f"ssh -i {key} ec2-user@{address}"


def _client(settings: Settings) -> Any:
    keys = in_database(settings, lambda db, sealer: accounts.credentials(db, sealer, FIRST_ACCOUNT))
    if keys is None:
        raise Failure(f"there is no account {FIRST_ACCOUNT!r} any more.")
    from botocore.session import get_session  # here, because it takes longer to load than most commands to run

    return get_session().create_client(
        "ec2",
        region_name=settings.region,
        endpoint_url=endpoint(settings),
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
    )


def _find(ec2: Any) -> str | None:
    filters = [
        {"Name": "tag:Name", "Values": [NAME]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = [i for r in ec2.describe_instances(Filters=filters)["Reservations"] for i in r["Instances"]]
    return str(found[0]["InstanceId"]) if found else None


def _launch(ec2: Any, settings: Settings, key: Path) -> str:
    image = images.built(settings, "tiny")
    ec2.delete_key_pair(KeyName=NAME)
    _write_key(key, ec2.create_key_pair(KeyName=NAME, KeyType="ed25519")["KeyMaterial"])
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": NAME}]}]
    made = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        KeyName=NAME,
        SecurityGroupIds=[_group(ec2)],
        TagSpecifications=tags,
    )
    return str(made["Instances"][0]["InstanceId"])


def _group(ec2: Any) -> str:
    """A security group that lets SSH in; the default group lets nobody in from outside."""
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [_GROUP]}])["SecurityGroups"]
    if found:
        return str(found[0]["GroupId"])
    group = ec2.create_security_group(GroupName=_GROUP, Description="SSH into the first machine")["GroupId"]
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ssh])
    return str(group)


def _address(ec2: Any, instance: str) -> str:
    deadline = time.monotonic() + _RUNNING_SECONDS
    while time.monotonic() < deadline:
        found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        if found["State"]["Name"] == "running":
            return str(found["PublicIpAddress"])
        if found["State"]["Name"] != "pending":
            raise Failure(f"{instance} is {found['State']['Name']}: {found.get('StateReason', {}).get('Message', '')}")
        time.sleep(0.25)
    raise Failure(f"{instance} did not start within {_RUNNING_SECONDS:.0f} s; see `celaje logs agent`.")


def _wait_for_ssh(address: str, instance: str) -> None:
    deadline = time.monotonic() + _SSH_SECONDS
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, 22), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.25)
    raise Failure(f"{instance} runs, but does not answer on port 22; see `aws ec2 get-console-output`.")


def _write_key(path: Path, text: str) -> None:
    """Only the user who asked may read it: sudo's caller, if there is one."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if user := sudo_user():
        shutil.chown(path, user)
