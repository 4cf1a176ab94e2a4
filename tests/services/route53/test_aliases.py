"""Aliases to websites of S3: from the record by the port that answers to the page, and what nobody gets by a name."""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from controlplane.core.public_names import AliasTarget
from controlplane.services.route53 import places, rendering
from controlplane.settings import Settings
from tests.cloud import Account, Cloud
from tests.services.route53.conftest import Zone
from tests.services.route53.test_private_zones import private, vpc
from tests.services.route53.test_zones import refusal

WEBSITES = "Z3AQBSTGFYJSTF"
"""The hosted zone of us-east-1's website endpoint."""
ENDPOINT = "s3-website-us-east-1.amazonaws.com"


def target(name: str = ENDPOINT, zone: str = WEBSITES, *, healthy: bool = False) -> dict[str, Any]:
    return {"AliasTarget": {"DNSName": name, "HostedZoneId": zone, "EvaluateTargetHealth": healthy}}


def website(account: Account, name: str) -> Any:
    """A bucket of this name whose pages anybody may read; its client."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="index.html", Body=name.encode(), ContentType="text/html")
    s3.put_object(Bucket=name, Key="_celaje/console/index.html", Body=b"a page", ContentType="text/html")
    site = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "none"}}
    s3.put_bucket_website(Bucket=name, WebsiteConfiguration=site)
    s3.delete_public_access_block(Bucket=name)
    read = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [read]}))
    return s3


def test_an_alias_leads_to_a_bucket_that_is_a_website(zone: Zone, account: Account) -> None:
    name = f"www.{zone.name}"
    s3 = website(account, name)
    zone.put(zone.set("www", "A", **target()), zone.set("www", "AAAA", **target()))
    (address,) = zone.ask("www")
    assert zone.ask("www", "AAAA") == [] and zone.code("www", "AAAA") == "NOERROR", "there is no such address"
    url = f"http://{address}:{urlsplit(account.endpoint).port}"
    for host in (name, f"{name}.", f"{name}:80", name.upper()):
        assert httpx.get(f"{url}/", headers={"Host": host}).text == name
    page = httpx.get(f"{url}/", headers={"Host": name, "Accept": "text/html"})
    assert (page.status_code, page.text) == (200, name), "a browser is not sent to the console"
    assert httpx.head(f"{url}/", headers={"Host": name}).headers["content-length"] == str(len(name))
    assert httpx.get(f"{url}/none", headers={"Host": name}).status_code == 403, "what is not there, as at its endpoint"
    moved = {"RedirectAllRequestsTo": {"HostName": "example.org"}}
    s3.put_bucket_website(Bucket=name, WebsiteConfiguration=moved)
    assert httpx.get(f"{url}/x", headers={"Host": name}).headers["location"] == "http://example.org/x"
    s3.delete_bucket_policy(Bucket=name)
    s3.put_bucket_website(Bucket=name, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    assert httpx.get(f"{url}/", headers={"Host": name}).status_code == 403
    s3.delete_bucket_website(Bucket=name)
    assert "<Code>" in httpx.get(f"{url}/", headers={"Host": name}).text, "no website: S3's API as before"
    found = {(item["Name"], item["Type"]): item for item in zone.listed()}[f"{name}.", "A"]
    assert found["AliasTarget"]["DNSName"] == f"{ENDPOINT}."


@pytest.mark.parametrize("form", ["s3-website.us-east-1.amazonaws.com", "s3-website-us-east-1.localhost"])
def test_endpoints_have_several_forms(form: str, zone: Zone) -> None:
    zone.put(zone.set("www", "A", **target(form, healthy=True)))
    assert zone.ask("www") == ["127.0.0.1"]


def test_two_aliases_share_a_name_by_weight(zone: Zone) -> None:
    both = [zone.set("www", "A", SetIdentifier=f"{n}", Weight=1, **target(healthy=True)) for n in range(2)]
    zone.put(*both)
    assert zone.ask("www") == ["127.0.0.1"]
    zone.put(zone.set("@", "A", **target(f"www.{zone.name}", zone.id.rpartition("/")[2], healthy=True)))
    assert zone.ask("@") == ["127.0.0.1"], "an alias to an alias"


@pytest.mark.parametrize("value", ["www.example.com", ENDPOINT])
def test_a_traffic_policys_endpoint_is_a_website(value: str, zone: Zone, cloud: Cloud) -> None:
    client = zone.client

    def made(region: str = "us-east-1", value: str = value) -> Any:
        site = {"Type": "s3-website", "Region": region, "Value": value}
        endpoints = {"banner": site, "plain": {"Type": "value", "Value": "192.0.2.1"}}
        items = [{"Weight": "1", "EndpointReference": "banner"}, {"Weight": "0", "EndpointReference": "plain"}]
        rules = {"split": {"RuleType": "weighted", "Items": items}}
        document = {"AWSPolicyFormatVersion": "2015-10-01", "RecordType": "A", "StartRule": "split"}
        text = json.dumps({**document, "Endpoints": endpoints, "Rules": rules})
        return client.create_traffic_policy(Name=uuid.uuid4().hex, Document=text)["TrafficPolicy"]

    def instance(policy: Any) -> Any:
        chosen = {"TrafficPolicyId": policy["Id"], "TrafficPolicyVersion": 1, "TTL": 60}
        return client.create_traffic_policy_instance(HostedZoneId=zone.id, Name=f"www.{zone.name}", **chosen)

    instance(made())
    cloud.wait_until(lambda: zone.ask("www") == ["127.0.0.1"], 30)
    (found,) = [item["AliasTarget"] for item in zone.listed() if "AliasTarget" in item]
    assert found == {"DNSName": f"{ENDPOINT}.", "HostedZoneId": WEBSITES, "EvaluateTargetHealth": False}
    if value != ENDPOINT:
        assert "not one that this cloud has" in refusal(lambda: instance(made("eu-north-1")))
        assert "has a region" in refusal(lambda: made("nowhere"))


def test_what_no_alias_leads_to(zone: Zone) -> None:
    def said(type: str = "A", **more: Any) -> str:
        return refusal(lambda: zone.change(zone.set("www", type, **target(**more))))

    lies = "but the alias target name does not lie within the target zone"
    told = f"Tried to create an alias that targets {ENDPOINT}., type A in zone"
    assert f"{told} Z1BKCTXD74EZPE, {lies}" in said(zone="Z1BKCTXD74EZPE"), "another region's"
    assert f"type A in zone {WEBSITES}, {lies}" in said(name="www.example.com")
    assert lies in said(name="s3-website-eu-north-1.amazonaws.com"), "a region that this cloud does not have"
    assert lies in said(name="s3-website-us-east-1.example.com")
    assert lies in said(name="www.example.com", zone="Z0000000000000"), "no service of AWS's"
    assert "type CNAME" in said("CNAME") and "that target was not found" in said("CNAME")
    assert len(zone.listed()) == 2


def test_a_private_zone_answers_with_where_guests_find_the_gateway(cloud: Cloud, account: Account) -> None:
    where = vpc(account)
    id = private(account, where, f"{uuid.uuid4().hex[:8]}.test")
    client = account.client("route53")
    name = client.get_hosted_zone(Id=id)["HostedZone"]["Name"]
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": "A", **target()}}]}
    client.change_resource_record_sets(HostedZoneId=id, ChangeBatch=batch)

    def published() -> list[Any]:
        async def read() -> Any:
            connection = await asyncpg.connect(Settings(home=cloud.home).database)
            try:
                return str(await connection.fetchval("SELECT document FROM fleet_resolving WHERE id = $1", id) or "{}")
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # asyncio.run wants a thread without a running loop
            document = json.loads(thread.submit(asyncio.run, read()).result())
        return [item["choices"] for item in document.get("sets", ()) if item["type"] == "A"]

    cloud.wait_until(lambda: published() == [[[1, ["169.254.169.254"]]]], 30)


def test_a_target_that_is_ill_answers_only_when_all_are() -> None:
    elsewhere = {"HostedZoneId": "ZLB", "EvaluateTargetHealth": True}
    contents = [
        {"Weight": 1, "AliasTarget": {"DNSName": f"{name}.", **elsewhere}, "SetIdentifier": name} for name in "ab"
    ]
    rows = [{"name": "www.test.", "type": "A", "content": content} for content in contents]

    def answered(*healthy: bool) -> set[str]:
        found = {
            f"{name}.": AliasTarget("ZLB", (f"192.0.2.{number}", f"2001:db8::{number}"), well)
            for number, (name, well) in enumerate(zip("ab", healthy, strict=True))
        }
        answer = rendering.Renderer(rows, set(), found, places.somewhere("us-east-1")).zone()["www.test", "A"]
        return {value for _, values in answer.choices for value in values}

    assert answered(True, False) == {"192.0.2.0"}
    assert answered(False, False) == {"192.0.2.0", "192.0.2.1"}


def test_the_addresses_are_those_that_somebody_else_can_reach() -> None:
    def reached(**given: Any) -> tuple[str, ...]:
        return Settings(**given).reached_at

    assert reached(listen="127.0.0.1:1", dns_listen="192.0.2.7:53") == ("192.0.2.7",)
    assert reached(listen="[2001:db8::7]:1", dns_listen="192.0.2.7:53") == ("2001:db8::7",)
    assert reached(listen="127.0.0.1:1", dns_listen="127.0.0.1:53") == ("127.0.0.1",)
    assert reached(listen="127.0.0.1:1", gateway_addresses=("192.0.2.8", "2001:db8::8")) == ("192.0.2.8", "2001:db8::8")


def test_no_bucket_takes_a_name_of_the_clouds(cloud: Cloud, account: Account) -> None:
    other = cloud.new_account()
    taken = [f"{uuid.uuid4().hex[:8]}.{below}" for below in ("localhost", "celaje.internal")]
    taken += [f"{first}.{uuid.uuid4().hex[:8]}.example" for first in ("s3", socket.gethostname().partition(".")[0])]
    for name in taken:
        website(other, name)
        answer = httpx.get(
            f"{account.endpoint}/", headers={"Host": name, "Accept": "text/html"}, follow_redirects=False
        )
        assert answer.text != name


def test_a_website_has_nothing_of_the_cloud_and_the_cloud_nothing_of_a_website(cloud: Cloud, account: Account) -> None:
    name = f"{uuid.uuid4().hex[:8]}.example.com"
    website(cloud.new_account(), name)
    host, browser = {"Host": name}, {"Accept": "text/html"}
    for site in (name, f"{name}.s3-website-us-east-1.localhost", f"{name}.s3-website.us-east-1.example.org"):
        console = httpx.get(f"{account.endpoint}/_celaje/console/", headers={"Host": site})
        assert console.text == "a page", "scripts of the page's cannot look into a console beside it"
        assert httpx.get(f"{account.endpoint}/", headers={"Host": site, **browser}).text == name
    assert "Celaje" in httpx.get(f"{account.endpoint}/_celaje/console/").text
    for query in ("?X-Amz-a=1", "?Action=ListUsers"):
        assert "Celaje" not in httpx.get(f"{account.endpoint}/_celaje/console/{query}", headers=host).text
    signing_in = httpx.post(f"{account.endpoint}/_celaje/sign-in", headers=host, json={})
    assert "<Error>" in signing_in.text, "it is S3 that answers"
    signed = account.client("sts")
    signed.meta.events.register("before-sign.sts", lambda request, **_: request.headers.add_header("Host", name))
    assert signed.get_caller_identity()["Account"] == account.id
    link = httpx.get(f"{account.endpoint}/?X-Amz-Credential=x/20261122/us-east-1/s3/aws4_request", headers=host)
    assert link.text != name
    for query in ("?Action=AssumeRoleWithWebIdentity", "?Action=GetCallerIdentity&Version=2011-06-15"):
        assert httpx.get(f"{account.endpoint}/{query}", headers=host).text != name
    assert httpx.get(f"{account.endpoint}/", headers={**host, "x-amz-date": "x"}).text != name
    assert httpx.get(f"{account.endpoint}/?Action=nothing", headers=host).text == name
    for method in ("PUT", "POST", "DELETE"):
        assert httpx.request(method, f"{account.endpoint}/index.html", headers=host).status_code >= 400


def test_the_console_is_on_no_host_of_a_bucket(cloud: Cloud, account: Account) -> None:
    name = uuid.uuid4().hex[:8]
    website(cloud.new_account(), name)
    for host in (f"{name}.localhost", f"{name}.s3-website-us-east-1.localhost", f"{name}.s3.example.com"):
        page = httpx.get(f"{account.endpoint}/_celaje/console/index.html", headers={"Host": host})
        assert page.text == "a page", host
        assert "content-security-policy" not in page.headers, "such a page may do what it likes with its host"


def test_a_page_under_the_clouds_own_name_is_as_one_of_another_host(account: Account) -> None:
    name = uuid.uuid4().hex[:8]
    s3 = website(account, name)
    s3.put_object(Bucket=name, Key="odd", Body=b"<p>", ContentType="unknown/unknown")
    s3.put_object(Bucket=name, Key="two", Body=b"<p>", ContentType="image/png,text/html")
    s3.put_object(Bucket=name, Key="plain", Body=b"<p>", ContentType="text/plain")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "index.html"})
    for url in (*(f"{account.endpoint}/{name}/{key}" for key in ("index.html", "odd", "two")), link):
        assert httpx.get(url).headers["content-security-policy"].startswith("sandbox "), url
    assert "content-security-policy" not in httpx.get(f"{account.endpoint}/{name}/plain").headers
    answer = s3.get_object(Bucket=name, Key="index.html")["ResponseMetadata"]["HTTPHeaders"]
    assert "content-security-policy" not in answer, "a browser signs nothing"


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1", b"[::1]:80", b"0x7f.1", b"..", b"-", b"a" * 10_000 + b".example.com", b"\xff\xfe.example.com",
        b"www.example.com,www.example.com", b"www.example.com:99999999", b"", b"a." * 4000, b"x/../y.example.com",
    ],
)  # fmt: skip
def test_garbage_for_a_host_breaks_nothing(host: bytes, cloud: Cloud) -> None:
    address = urlsplit(cloud.endpoint)
    with socket.create_connection((address.hostname, address.port), 10) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.split(b" ")[1][:1] == b"4", answer[:200]
