"""The console as its users see it: a real browser, a running cloud, real accounts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.console.routes import FILES
from tests.cloud import Account, Cloud
from tests.console.browser import ELSEWHERE, Browser, browser

CONSOLE = "/_celaje/console/"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests: it takes seconds to start."""
    with browser(tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium


@pytest.fixture
def window(cloud: Cloud, chromium: Browser) -> Iterator[Browser]:
    """A browser at the console's door, by the endpoint's bare address; its scripts must not have failed."""
    chromium.open(f"{cloud.endpoint}/")
    chromium.find("//h1[normalize-space()='Celaje']")
    yield chromium
    chromium.run("sessionStorage.clear()")
    assert chromium.complaints() == []


def sign_in(window: Browser, account: Account) -> None:
    window.write("Access key ID", account.access_key_id)
    window.write("Secret access key", account.secret_access_key)
    window.click("//button[.='Sign in']")
    window.find("//h1[.='Instances']")


def test_signs_in_with_a_key_that_stays_in_the_tab(window: Browser, account: Account) -> None:
    wrong = Account(account.endpoint, account.id, account.access_key_id, "wrong" * 8)
    window.write("Access key ID", wrong.access_key_id)
    window.write("Secret access key", wrong.secret_access_key)
    window.click("//button[.='Sign in']")
    assert "SignatureDoesNotMatch" in window.text("//*[@role='alert']")
    assert window.run("return sessionStorage.length") == 0

    sign_in(window, account)
    assert account.id in window.text("//header[@class='bar']")
    assert window.run("return localStorage.length + document.cookie.length") == 0
    window.click("//button[.='Sign out']")
    window.find("//button[.='Sign in']")
    assert window.run("return sessionStorage.length") == 0


def test_says_where_a_browser_cannot_sign(window: Browser, cloud: Cloud) -> None:
    port = cloud.endpoint.rpartition(":")[2]
    window.open(f"http://{ELSEWHERE}:{port}/")
    told = window.text("//*[@role='alert']")
    assert "cannot sign" in told
    assert f"ssh -L {port}:127.0.0.1:{port} {ELSEWHERE}" in told
    window.find("//button[.='Sign in'][@disabled]")


def test_regions_are_apart(window: Browser, account: Account) -> None:
    account.client("ec2", "eu-west-1").create_key_pair(KeyName="far-away")
    sign_in(window, account)
    window.go("Key pairs")
    assert "far-away" not in window.text("//main")
    window.click("//select[@aria-label='Region']/option[.='eu-west-1']")
    window.find("//td[.='far-away']")


def test_security_groups_and_their_rules(window: Browser, account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    sign_in(window, account)
    window.go("Networks")
    window.find(f"//td[.='{vpc}']")
    window.go("Security groups")
    window.click(f"//tr[td[1]='default'][td[3]='{vpc}']//a")
    window.click("//button[.='Add rule']")
    window.write("Ports", "8000-8010")
    window.write("From or to", "192.0.2.0/24")
    window.write("Description", "<b>not markup</b>")
    window.click("//dialog//button[.='Add']")
    window.find("//td[.='<b>not markup</b>']")
    (rule,) = [each for each in _rules(ec2, vpc) if each.get("CidrIpv4") == "192.0.2.0/24"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (8000, 8010, "tcp")
    window.click("//tr[td='<b>not markup</b>']//button[.='Remove']")
    window.click("//dialog//button[.='Remove']")
    window.find("//section[h2='Inbound rules'][not(.//*[.='192.0.2.0/24'])]")
    assert rule["SecurityGroupRuleId"] not in [each["SecurityGroupRuleId"] for each in _rules(ec2, vpc)]


def _rules(ec2: Any, vpc: str) -> list[dict[str, Any]]:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    group = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    return list(found["SecurityGroupRules"])


def test_key_pairs(window: Browser, account: Account) -> None:
    ec2 = account.client("ec2")
    sign_in(window, account)
    window.go("Key pairs")
    window.click("//button[.='Create key pair']")
    window.write("Name", "mine")
    window.click("//dialog//button[.='Create']")
    window.find("//td[.='mine']")
    assert _downloaded(window.downloads / "mine.pem").startswith("-----BEGIN")

    window.click("//button[.='Create key pair']")
    window.write("Name", "mine")
    window.click("//dialog//button[.='Create']")
    assert "InvalidKeyPair.Duplicate" in window.text("//dialog//*[@role='alert']")
    window.click("//dialog//button[.='Cancel']")

    window.click("//tr[td='mine']//button[.='Delete']")
    window.click("//dialog//button[.='Delete']")
    window.find("//p[@class='empty']")
    assert ec2.describe_key_pairs()["KeyPairs"] == []


def _downloaded(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} was not downloaded"
        time.sleep(0.05)
    return path.read_text()


def test_denials_are_told(window: Browser, account: Account) -> None:
    iam = account.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    user = Account(account.endpoint, account.id, key["AccessKeyId"], key["SecretAccessKey"])
    temporary = user.client("sts").get_session_token()["Credentials"]
    window.write("Session token", temporary["SessionToken"])
    sign_in(window, Account(account.endpoint, account.id, temporary["AccessKeyId"], temporary["SecretAccessKey"]))
    told = window.text("//*[@role='alert']")
    assert "UnauthorizedOperation" in told
    assert "ec2:DescribeInstances" in told and "user/nobody" in told
    assert re.search(r"celaje explain [0-9a-f-]{36}", told)


@pytest.mark.machines
@pytest.mark.xdist_group("machines")
def test_launches_a_machine(window: Browser, account: Account, tiny_image: str) -> None:
    ec2 = account.client("ec2")
    sign_in(window, account)
    window.go("Launch instance")
    window.choose("Image", tiny_image)
    window.choose("Type", "t3.nano")
    window.write("Name", "from-the-console")
    window.click("//button[.='Create key pair']")
    window.write("Name", "mine")
    window.click("//dialog//button[.='Create']")
    window.find("//option[.='mine']")
    window.click("//button[.='Create group that lets SSH in']")
    window.click("//dialog//button[.='Create']")
    window.find("//label[contains(., 'ssh')]/input[@data-name='ssh']")
    window.click("//button[.='Launch']")
    try:
        window.find("//tr[td='from-the-console']//*[.='running']", 60)
        (found,) = ec2.describe_instances()["Reservations"][0]["Instances"]
        assert (found["KeyName"], found["InstanceType"]) == ("mine", "t3.nano")
        assert {group["GroupName"] for group in found["SecurityGroups"]} == {"default", "ssh"}
        window.click("//tr[td='from-the-console']//a")
        assert window.text("//*[@id='ssh']") == f"ssh -i mine.pem ec2-user@{found['PublicIpAddress']}"
        window.click("//button[.='Terminate']")
        window.click("//dialog//button[.='Terminate']")
        window.find("//*[.='terminated']", 30)
    finally:
        for reservation in ec2.describe_instances()["Reservations"]:
            ec2.terminate_instances(InstanceIds=[each["InstanceId"] for each in reservation["Instances"]])


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/?Action=DescribeRegions", {"accept": "text/html"}),
        ("GET", "/bucket", {"accept": "text/html"}),
        (
            "GET",
            "/",
            {
                "accept": "text/html",
                "authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request",
            },
        ),
        ("GET", "/", {"accept": "text/html", "x-amz-date": "20260101T000000Z"}),
        ("POST", "/", {"accept": "text/html"}),
    ],
)
def test_only_bare_browsers_are_sent_to_the_console(
    cloud: Cloud, method: str, path: str, headers: dict[str, str]
) -> None:
    browsing = httpx.get(f"{cloud.endpoint}/", headers={"accept": "text/html,*/*;q=0.8"})
    assert (browsing.status_code, browsing.headers["location"]) == (302, CONSOLE)
    answer = httpx.request(method, cloud.endpoint + path, headers=headers)
    assert answer.status_code >= 400
    assert "x-amzn-requestid" in answer.headers or "x-amz-request-id" in answer.headers


def test_every_file_is_served_under_the_policy(cloud: Cloud) -> None:
    with httpx.Client(base_url=f"{cloud.endpoint}{CONSOLE}") as client:
        for path in ["", *(str(each.relative_to(FILES)) for each in FILES.rglob("*") if each.is_file())]:
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["content-security-policy"].startswith("default-src 'self';"), path
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get("..%2froutes.py").status_code == 404
