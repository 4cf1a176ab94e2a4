"""Certificates exchanged for sessions, signed as AWS's signing helper signs; and what tries to fool it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from tests.cloud import Account
from tests.services.iam.certificates import Certified, certify
from tests.services.iam.conftest import allow, document, user_with_key
from tests.services.iam.test_identities import refused
from tests.services.sts.test_sessions import client

ACTIONS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


class Site:
    """An account that trusts an authority of ours, for one role."""

    def __init__(self, account: Account) -> None:
        self.account, self.api, self.iam = account, account.client("rolesanywhere"), account.client("iam")
        self.root = certify("root", ca=True)
        bundle = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": self.root.pem}}
        made = self.api.create_trust_anchor(name="site", source=bundle, enabled=True)
        self.anchor = made["trustAnchor"]
        self.role = self.trust()
        self.iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))
        self.profile = self.api.create_profile(name="workers", roleArns=[self.role], enabled=True)["profile"]

    def trust(self, **condition: Any) -> str:
        """Let the service in, under a condition."""
        statement = {"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": ACTIONS}
        policy = document({**statement, **({"Condition": condition} if condition else {})})
        try:
            made = self.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=policy)
        except self.iam.exceptions.EntityAlreadyExistsException:
            self.iam.update_assume_role_policy(RoleName="worker", PolicyDocument=policy)
            made = self.iam.get_role(RoleName="worker")
        return str(made["Role"]["Arn"])

    def session(self, holder: Certified, *chain: Certified, key: Any = None, **changes: Any) -> httpx.Response:
        """Ask for a session, signed by the holder's key unless another is given."""
        body = json.dumps({"durationSeconds": 900, **changes.pop("body", {})})
        query = {
            "profileArn": self.profile["profileArn"],
            "roleArn": self.role,
            "trustAnchorArn": self.anchor["trustAnchorArn"],
            **changes.pop("query", {}),
        }
        return sign_and_send(self.account.endpoint, holder, chain, key or holder.key, query, body, **changes)


def sign_and_send(
    endpoint: str,
    holder: Certified,
    chain: tuple[Certified, ...],
    key: Any,
    query: dict[str, str],
    body: str,
    *,
    serial: int | None = None,
    age: int = 0,
    sent: str | None = None,
) -> httpx.Response:
    now = datetime.now(UTC) - timedelta(seconds=age)
    stamp, scope = now.strftime("%Y%m%dT%H%M%SZ"), f"{now:%Y%m%d}/us-east-1/rolesanywhere/aws4_request"
    host = endpoint.removeprefix("http://")
    der = [base64.b64encode(item.certificate.public_bytes(Encoding.DER)).decode() for item in (holder, *chain)]
    headers = {"content-type": "application/json", "host": host, "x-amz-date": stamp, "x-amz-x509": der[0]}
    if chain:
        headers["x-amz-x509-chain"] = ",".join(der[1:])
    names = ";".join(sorted(headers))
    text = "&".join(f"{name}={quote(query[name], safe='')}" for name in sorted(query))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/sessions\n{text}\n{lines}\n{names}\n{hashlib.sha256(body.encode()).hexdigest()}"
    kind = "RSA" if isinstance(key, rsa.RSAPrivateKey) else "ECDSA"
    algorithm = f"AWS4-X509-{kind}-SHA256"
    signed = f"{algorithm}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()
    if kind == "RSA":
        signature = key.sign(signed, padding.PKCS1v15(), SHA256())
    else:
        signature = key.sign(signed, ec.ECDSA(SHA256()))
    number = serial or holder.certificate.serial_number
    headers["authorization"] = (
        f"{algorithm} Credential={number}/{scope}, SignedHeaders={names}, Signature={signature.hex()}"
    )
    return httpx.post(f"{endpoint}/sessions?{text}", headers=headers, content=sent if sent is not None else body)


@pytest.fixture
def site(account: Account) -> Site:
    return Site(account)


def _code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("x-amzn-errortype", "").partition(":")[0]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_certificate_is_exchanged(site: Site, kind: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048) if kind == "rsa" else None
    middle = certify("middle", site.root, ca=True)
    answer = site.session(certify("printer", middle, key=key), middle)
    assert answer.status_code == 201, answer.text
    [made] = answer.json()["credentialSet"]
    assert made["roleArn"] == site.role and made["sourceIdentity"] == "printer"
    given = {name[0].upper() + name[1:]: value for name, value in made["credentials"].items()}
    session = client(site.account, "iam", given)
    assert session.list_users()["Users"] == []
    assert refused(session.list_roles)[0] == "AccessDenied"
    [subject] = site.api.list_subjects()["subjects"]
    assert subject["x509Subject"] == "CN=printer" and subject["subjectArn"] == answer.json()["subjectArn"]
    [credential] = site.api.get_subject(subjectId=subject["subjectId"])["subject"]["credentials"]
    assert credential["issuer"] == "CN=middle"


def test_attributes_of_the_certificate_are_conditions(site: Site) -> None:
    holder = certify("printer", site.root)
    site.trust(StringEquals={"aws:PrincipalTag/x509Subject/CN": "printer"})
    assert site.session(holder).status_code == 201
    site.trust(StringEquals={"aws:PrincipalTag/x509Subject/CN": "scanner"})
    assert _code(site.session(holder)) == (403, "AccessDeniedException")
    site.trust(ArnEquals={"aws:SourceArn": site.anchor["trustAnchorArn"]})
    assert site.session(holder).status_code == 201
    site.trust(ArnEquals={"aws:SourceArn": site.anchor["trustAnchorArn"] + "x"})
    assert _code(site.session(holder)) == (403, "AccessDeniedException")


def test_forgeries(site: Site, cloud: Any) -> None:
    holder = certify("printer", site.root)
    mallory = certify("root", ca=True)
    assert site.session(certify("printer", mallory)).status_code == 403
    assert site.session(certify("printer", mallory), mallory).status_code == 403
    assert site.session(certify("printer")).status_code == 403
    assert site.session(holder, key=mallory.key).status_code == 403
    assert site.session(holder, serial=1).status_code in (400, 403)
    assert site.session(holder, age=1200).status_code == 403
    assert site.session(holder, sent='{"durationSeconds": 3600}').status_code == 403
    assert site.session(site.root).status_code == 403  # the authority itself
    assert site.session(certify("printer", site.root, days=-1)).status_code == 403
    leaf = certify("leaf", site.root)
    assert site.session(certify("printer", leaf), leaf).status_code == 403  # not an authority
    other = Site(cloud.new_account())
    for name, value in (
        ("trustAnchorArn", other.anchor["trustAnchorArn"]),
        ("profileArn", other.profile["profileArn"]),
        ("roleArn", other.role),
    ):
        assert site.session(holder, query={name: value}).status_code == 403
    unsigned = httpx.post(
        f"{site.account.endpoint}/sessions", headers={"host": "rolesanywhere.us-east-1.x"}, content="{}"
    )
    assert 400 <= unsigned.status_code < 500
    assert site.session(holder).status_code == 201


def test_what_is_disabled_or_revoked(site: Site) -> None:
    holder = certify("printer", site.root)
    now = datetime.now(UTC)
    revoked = (
        x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number).revocation_date(now).build()
    )
    builder = x509.CertificateRevocationListBuilder().issuer_name(site.root.certificate.subject).last_update(now)
    crl = builder.next_update(now + timedelta(days=1)).add_revoked_certificate(revoked)
    pem = crl.sign(site.root.key, SHA256()).public_bytes(Encoding.PEM)
    forged = crl.sign(certify("root", ca=True).key, SHA256()).public_bytes(Encoding.PEM)
    named = {"name": "list", "trustAnchorArn": site.anchor["trustAnchorArn"], "enabled": True}
    assert refused(site.api.import_crl, **named, crlData=forged)[0] == "ValidationException"
    made = site.api.import_crl(**named, crlData=pem)["crl"]
    assert site.api.get_crl(crlId=made["crlId"])["crl"]["crlData"] == pem
    assert _code(site.session(holder)) == (403, "AccessDeniedException")
    assert site.session(certify("scanner", site.root)).status_code == 201
    site.api.disable_crl(crlId=made["crlId"])
    assert site.session(holder).status_code == 201
    for disable, enable, named in (
        (site.api.disable_trust_anchor, site.api.enable_trust_anchor, {"trustAnchorId": site.anchor["trustAnchorId"]}),
        (site.api.disable_profile, site.api.enable_profile, {"profileId": site.profile["profileId"]}),
    ):
        disable(**named)
        assert site.session(holder).status_code == 403
        enable(**named)
    assert site.session(holder).status_code == 201
    site.api.delete_profile(profileId=site.profile["profileId"])
    assert site.session(holder).status_code == 403


def test_profiles_limit_their_sessions(site: Site) -> None:
    id, holder = site.profile["profileId"], certify("printer", site.root)
    site.api.update_profile(profileId=id, sessionPolicy=document(allow("iam:GetUser")), durationSeconds=900)
    given = site.session(holder).json()["credentialSet"][0]["credentials"]
    session = client(site.account, "iam", {name[0].upper() + name[1:]: value for name, value in given.items()})
    assert refused(session.list_users)[0] == "AccessDenied"
    assert site.session(holder, body={"durationSeconds": 1800}).status_code == 400
    assert site.session(holder, body={"roleSessionName": "mine"}).status_code == 400
    profile = site.api.delete_attribute_mapping(profileId=id, certificateField="x509SAN")["profile"]
    assert {item["certificateField"] for item in profile["attributeMappings"]} == {"x509Subject", "x509Issuer"}


def test_who_makes_a_profile_must_be_allowed_to_pass_the_role(site: Site) -> None:
    eve = user_with_key(site.account, "eve", allow("rolesanywhere:*")).client("rolesanywhere")
    assert refused(eve.create_profile, name="mine", roleArns=[site.role])[0] == "AccessDeniedException"
    own = {"profileId": site.profile["profileId"], "roleArns": [site.role]}
    assert refused(eve.update_profile, **own)[0] == "AccessDeniedException"


def test_tags_and_lists(site: Site) -> None:
    arn = site.anchor["trustAnchorArn"]
    site.api.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    site.api.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert site.api.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    assert [item["name"] for item in site.api.list_trust_anchors()["trustAnchors"]] == ["site"]
    assert [item["name"] for item in site.api.list_profiles()["profiles"]] == ["workers"]
    missing = "00000000-0000-0000-0000-000000000000"
    assert refused(site.api.get_profile, profileId=missing)[0] == "ResourceNotFoundException"
    assert refused(site.api.list_trust_anchors, nextToken="x")[0] == "ValidationException"
