"""Instances: real machines, launched and used as a user would."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.machines import Lab, make_lab

pytestmark = pytest.mark.machines


def refused(call: Any, **parameters: Any) -> str:
    """The error code with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def test_machine_boots_and_answers_on_ssh(lab: Lab) -> None:
    script = "#!/bin/sh\necho written > /tmp/by-user-data\n"
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "first"}]}]
    (id,) = lab.launch(UserData=script, TagSpecifications=tags)
    assert lab.ssh(id, "hostname").strip() == "ip-" + lab.show(id)["PrivateIpAddress"].replace(".", "-")
    assert lab.ssh(id, "wget -qO- http://169.254.169.254/latest/meta-data/instance-id") == id
    document = json.loads(lab.ssh(id, "wget -qO- http://169.254.169.254/latest/dynamic/instance-identity/document"))
    assert (document["instanceId"], document["instanceType"], document["region"]) == (id, "t3.nano", "us-east-1")
    assert lab.ssh(id, "for i in $(seq 50); do cat /tmp/by-user-data && break; sleep 0.2; done").strip() == "written"
    status = lab.ec2.describe_instance_status(InstanceIds=[id])["InstanceStatuses"][0]
    assert status["InstanceStatus"]["Status"] == status["SystemStatus"]["Status"] == "ok"
    shown = lab.show(id)
    assert shown["Tags"] == [{"Key": "Name", "Value": "first"}]
    deadline = time.monotonic() + 30
    while not lab.ec2.get_console_output(InstanceId=id).get("Output"):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_data_survives_stop_and_start(lab: Lab) -> None:
    (id,) = lab.launch()
    lab.ssh(id, "echo precious > ~/kept && sync")
    before = lab.show(id)
    lab.ec2.stop_instances(InstanceIds=[id])
    stopped = lab.wait(id, "stopped")
    assert "PublicIpAddress" not in stopped
    assert stopped["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert refused(lab.ec2.reboot_instances, InstanceIds=[id]) == "IncorrectInstanceState"
    lab.ec2.modify_instance_attribute(InstanceId=id, InstanceType={"Value": "t3.micro"})
    lab.ec2.start_instances(InstanceIds=[id])
    assert lab.ssh(id, "cat ~/kept").strip() == "precious"
    assert int(lab.ssh(id, "awk '/MemTotal/ {print $2}' /proc/meminfo")) > 700_000


def test_reboot_boots_again(lab: Lab) -> None:
    (id,) = lab.launch()
    first = lab.ssh(id, "cat /proc/sys/kernel/random/boot_id")
    lab.ec2.reboot_instances(InstanceIds=[id])
    deadline = time.monotonic() + 90
    while lab.ssh(id, "cat /proc/sys/kernel/random/boot_id") == first:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert lab.show(id)["State"]["Name"] == "running"


def test_shutdown_from_inside_stops_or_terminates(lab: Lab) -> None:
    stops, ends = (lab.launch(InstanceInitiatedShutdownBehavior=way)[0] for way in ("stop", "terminate"))
    for id in (stops, ends):
        lab.ssh(id, "(sleep 1; poweroff) > /dev/null 2>&1 &", user="root")
    assert lab.wait(stops, "stopped")["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    lab.wait(ends, "terminated")


def test_security_groups_and_accounts_keep_machines_apart(lab: Lab, cloud: Cloud, tmp_path: Any) -> None:
    closed = lab.ec2.create_security_group(GroupName="closed", Description="nothing in")["GroupId"]
    (one, two) = lab.launch(MinCount=2, MaxCount=2)
    (shut,) = lab.launch(SecurityGroupIds=[closed])
    lab.ssh(two, "true")
    target, behind = lab.show(two)["PrivateIpAddress"], lab.wait(shut, "running")
    assert "1 packets received" in lab.ssh(one, f"ping -c 1 -W 5 {target}", user="root")
    assert lab.try_ssh(behind["PublicIpAddress"], "true").returncode == 255
    unanswered = f"ping -c 1 -W 2 {behind['PrivateIpAddress']} > /dev/null || echo silence"
    assert lab.ssh(one, unanswered, user="root").strip() == "silence"
    # The rule takes effect on the running machine.
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": lab.group}]}
    lab.ec2.authorize_security_group_ingress(GroupId=closed, IpPermissions=[rule])
    greeting = f"nc -w 2 {behind['PrivateIpAddress']} 22 < /dev/null | head -c 4"
    patiently = f"for i in 1 2 3 4 5 6 7 8 9; do {greeting} | grep SSH && break; sleep 0.5; done"
    assert lab.ssh(one, patiently).strip() == "SSH-"
    # Another account's machine has the same private network, and is another machine or none.
    stranger = make_lab(cloud.new_account(), lab.ami, tmp_path)
    (theirs,) = stranger.launch()
    try:
        stranger.ssh(theirs, "true")
        assert stranger.ssh(theirs, unanswered, user="root").strip() == "silence"
        assert refused(stranger.ec2.describe_instances, InstanceIds=[one]) == "InvalidInstanceID.NotFound"
        assert refused(stranger.ec2.terminate_instances, InstanceIds=[one]) == "InvalidInstanceID.NotFound"
    finally:
        stranger.ec2.terminate_instances(InstanceIds=[theirs])
        stranger.wait(theirs, "terminated")


def test_launch_is_idempotent_by_client_token(lab: Lab) -> None:
    first = lab.launch(ClientToken="once")
    assert lab.launch(ClientToken="once") == first
    assert refused(lab.launch, ClientToken="once", InstanceType="t3.micro") == "IdempotentParameterMismatch"


def test_credits_and_a_lent_address_that_comes_back(lab: Lab) -> None:
    assert refused(lab.launch, CreditSpecification={"CpuCredits": "lots"}) == "InvalidParameterValue"
    (id,) = lab.launch(CreditSpecification={"CpuCredits": "standard"})
    lab.wait(id, "running")

    def credits() -> str:
        found = lab.ec2.describe_instance_credit_specifications(InstanceIds=[id])["InstanceCreditSpecifications"]
        return str(found[0]["CpuCredits"])

    assert credits() == "standard"
    wanted = [{"InstanceId": id, "CpuCredits": "unlimited"}, {"InstanceId": "i-0123456789abcdef0"}]
    changed = lab.ec2.modify_instance_credit_specification(InstanceCreditSpecifications=wanted)
    assert [item["InstanceId"] for item in changed["SuccessfulInstanceCreditSpecifications"]] == [id]
    unsuccessful = changed["UnsuccessfulInstanceCreditSpecifications"][0]
    assert unsuccessful["Error"]["Code"] == "InvalidInstanceID.NotFound"
    assert credits() == "unlimited"

    elastic = lab.ec2.allocate_address()
    tied = lab.ec2.associate_address(InstanceId=id, AllocationId=elastic["AllocationId"])["AssociationId"]
    assert lab.show(id)["PublicIpAddress"] == elastic["PublicIp"]
    lab.ec2.disassociate_address(AssociationId=tied)
    lent = lab.show(id)["PublicIpAddress"]
    assert lent != elastic["PublicIp"]
    lab.ec2.release_address(AllocationId=elastic["AllocationId"])
    assert lab.ssh_to(lent, "echo reached").strip() == "reached"


def test_protected_instance_stays(lab: Lab) -> None:
    (id,) = lab.launch(DisableApiTermination=True)
    assert refused(lab.ec2.terminate_instances, InstanceIds=[id]) == "OperationNotPermitted"


def test_launch_parameters_are_checked(lab: Lab) -> None:
    assert refused(lab.launch, ImageId="ami-00000000000000000") == "InvalidAMIID.NotFound"
    assert refused(lab.launch, ImageId="nonsense") == "InvalidAMIID.Malformed"
    assert refused(lab.launch, KeyName="none") == "InvalidKeyPair.NotFound"
    assert refused(lab.launch, InstanceType="t9.huge") == "InvalidParameterValue"
    assert refused(lab.launch, MinCount=2) == "InvalidParameterValue"
    assert refused(lab.launch, SubnetId="subnet-00000000000000000") == "InvalidSubnetID.NotFound"
    assert refused(lab.launch, SecurityGroupIds=["sg-00000000000000000"]) == "InvalidGroup.NotFound"
    assert refused(lab.launch, UserData="x" * 30000) == "InvalidParameterValue"
    assert refused(lab.launch, IamInstanceProfile={"Name": "none"}) == "InvalidParameterValue"
    assert lab.ec2.describe_instances()["Reservations"] == []


def test_no_room_terminates_with_a_reason(lab: Lab) -> None:
    (id,) = lab.launch(InstanceType="r5.16xlarge")
    reason = lab.wait(id, "terminated")["StateReason"]
    assert reason["Code"] == "Server.InsufficientInstanceCapacity"


def test_instance_types_fit_the_host(account: Account) -> None:
    ec2 = account.client("ec2")
    names = [item["InstanceType"] for item in ec2.describe_instance_types()["InstanceTypes"]]
    assert "t3.micro" in names
    assert "r5.16xlarge" not in names
    offered = ec2.describe_instance_type_offerings(Filters=[{"Name": "instance-type", "Values": ["t3.*"]}])
    assert all(item["InstanceType"].startswith("t3.") for item in offered["InstanceTypeOfferings"])
