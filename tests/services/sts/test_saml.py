"""AssumeRoleWithSAML with assertions that a provider of our own signs, and what tries to fool it."""

from __future__ import annotations

import base64
import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml import XMLSigner

from tests.cloud import Account
from tests.services.iam.certificates import Certified, certify
from tests.services.iam.conftest import allow, document
from tests.services.iam.test_identities import refused
from tests.services.sts.test_sessions import client
from tests.services.sts.test_web_identities import unsigned

ENTITY = "https://idp.example/saml"
ACTION = "sts:AssumeRoleWithSAML"
A, P = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "{http://www.w3.org/2000/09/xmldsig#}"


def metadata(idp: Certified, entity: str = ENTITY) -> str:
    body = "".join(idp.pem.strip().splitlines()[1:-1])
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity}">'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
        f"<ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
        f'Location="{entity}/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>' + "<!-- -->" * 100
    )


class Idp:
    """An account with a SAML provider and a role for staff; and the provider's own key."""

    def __init__(self, account: Account) -> None:
        self.account, self.iam = account, account.client("iam")
        self.key = certify("idp", key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
        made = self.iam.create_saml_provider(Name="school", SAMLMetadataDocument=metadata(self.key))
        self.arn = made["SAMLProviderArn"]
        trusted = {"Effect": "Allow", "Principal": {"Federated": self.arn}, "Action": ACTION}
        condition = {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
        trust = document({**trusted, "Condition": condition})
        self.role = self.iam.create_role(RoleName="staff", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName="staff", PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))

    def assertion(self, *, name: str = "ann", age: int = 0, **changes: str) -> Any:
        """An unsigned assertion element, issued `age` seconds ago."""
        now = datetime.now(UTC) - timedelta(seconds=age)
        stamp = lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: E731
        given = {"audience": "https://signin.aws.amazon.com/saml", "issuer": ENTITY, "role": self.role, **changes}
        given.setdefault("recipient", "https://signin.aws.amazon.com/saml")
        attribute = (
            '<a:Attribute Name="https://aws.amazon.com/SAML/Attributes/{}"><a:AttributeValue>{}</a:AttributeValue>'
            "</a:Attribute>"
        )
        attributes = attribute.format("RoleSessionName", name) + attribute.format("Role", f"{given['role']},{self.arn}")
        return etree.fromstring(
            f'<a:Assertion xmlns:a="{A}" ID="_1" IssueInstant="{stamp(now)}" Version="2.0">'
            f"<a:Issuer>{given['issuer']}</a:Issuer>"
            f'<a:Subject><a:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{name}</a:NameID>'
            '<a:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><a:SubjectConfirmationData '
            f'NotOnOrAfter="{stamp(now + timedelta(minutes=4))}" Recipient="{given["recipient"]}"/>'
            "</a:SubjectConfirmation></a:Subject>"
            f'<a:Conditions NotBefore="{stamp(now)}" NotOnOrAfter="{stamp(now + timedelta(minutes=4))}">'
            f"<a:AudienceRestriction><a:Audience>{given['audience']}</a:Audience></a:AudienceRestriction></a:Conditions>"
            f"<a:AttributeStatement>{attributes}</a:AttributeStatement></a:Assertion>"
        )

    def signed(self, element: Any, key: Certified | None = None) -> Any:
        key = key or self.key
        signer = XMLSigner(c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
        return signer.sign(element, key=key.key, cert=key.pem, reference_uri=element.get("ID"))

    def response(self, *assertions: Any) -> Any:
        root = etree.fromstring(
            f'<p:Response xmlns:p="{P}" ID="_0" Version="2.0"><p:Status>'
            '<p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status></p:Response>'
        )
        root.extend(assertions)
        return root

    def assume(self, response: Any, **more: Any) -> Any:
        text = response if isinstance(response, bytes) else etree.tostring(response)
        given = {"RoleArn": self.role, "PrincipalArn": self.arn, "SAMLAssertion": base64.b64encode(text).decode()}
        return unsigned(self.account).assume_role_with_saml(**given, **more)

    def refused(self, response: Any, **more: Any) -> tuple[str, str]:
        return refused(self.assume, response=response, **more)


@pytest.fixture
def idp(account: Account) -> Idp:
    return Idp(account)


@pytest.mark.parametrize("whole", [False, True], ids=["assertion", "response"])
def test_an_assertion_is_exchanged(idp: Idp, whole: bool) -> None:
    unsigned_or_not = idp.assertion() if whole else idp.signed(idp.assertion())
    response = idp.signed(idp.response(unsigned_or_not)) if whole else idp.response(unsigned_or_not)
    answer = idp.assume(response)
    assert (answer["Subject"], answer["SubjectType"], answer["Issuer"]) == ("ann", "persistent", ENTITY)
    assert answer["Audience"] == "https://signin.aws.amazon.com/saml"
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{idp.account.id}:assumed-role/staff/ann"
    session = client(idp.account, "iam", answer["Credentials"])
    assert session.list_users()["Users"] == []
    assert refused(session.list_roles)[0] == "AccessDenied"


def test_what_an_assertion_must_say(idp: Idp) -> None:
    def refusal(**changes: Any) -> str:
        return idp.refused(idp.response(idp.signed(idp.assertion(**changes))))[0]

    assert refusal(audience="https://elsewhere.example") == "InvalidIdentityToken"
    assert refusal(recipient="https://elsewhere.example") == "InvalidIdentityToken"
    assert refusal(issuer="https://elsewhere.example") == "InvalidIdentityToken"
    assert refusal(age=3600) == "ExpiredTokenException"
    assert refusal(age=-3600) == "InvalidIdentityToken"
    assert refusal(role=f"{idp.role}x") == "AccessDenied"
    assert refusal(name="no/good") == "IDPRejectedClaim"


def test_forged_assertions(idp: Idp) -> None:
    bad = "InvalidIdentityToken"
    good = idp.signed(idp.assertion(name="ann"))
    assert idp.refused(idp.response(idp.assertion()))[0] == bad
    mallory = certify("idp", key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    assert idp.refused(idp.response(idp.signed(idp.assertion(), mallory)))[0] == bad
    altered = etree.tostring(idp.response(copy.deepcopy(good))).replace(b">ann<", b">eve<")
    assert idp.refused(altered)[0] == bad
    assert idp.refused(b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>")[0] == bad
    assert idp.refused(b"no xml")[0] == bad
    commented = etree.tostring(idp.response(idp.signed(idp.assertion(name="ann.eve"))))
    split = commented.replace(b">ann.eve<", b">ann<!---->.eve<")
    assert idp.assume(split)["Subject"] == "ann.eve"  # canonicalization leaves comments out: nothing is cut off


def test_wrapped_signatures(idp: Idp) -> None:
    """The signed assertion is moved to where a careless reader still finds its signature valid."""
    good, evil = idp.signed(idp.assertion(name="ann")), idp.assertion(name="eve")
    signature = good.find(f"{DS}Signature")
    assert signature is not None
    evil.set("ID", "_evil")
    beside = idp.response(copy.deepcopy(evil), copy.deepcopy(good))
    within = copy.deepcopy(evil)
    within.append(copy.deepcopy(good))
    moved = copy.deepcopy(evil)
    moved_signature = copy.deepcopy(signature)
    holder = etree.SubElement(moved_signature, f"{DS}Object")
    bare = copy.deepcopy(good)
    bare.remove(bare.find(f"{DS}Signature"))
    holder.append(bare)
    moved.append(moved_signature)
    same_id = copy.deepcopy(evil)
    same_id.set("ID", "_1")
    same_id.append(copy.deepcopy(moved_signature))
    on_response = idp.response(copy.deepcopy(evil))
    on_response.append(copy.deepcopy(moved_signature))
    for response in (beside, idp.response(within), idp.response(moved), idp.response(same_id), on_response):
        try:
            assert idp.assume(response)["Subject"] != "eve"
        except Exception as error:
            assert "InvalidIdentityToken" in str(error)


def test_an_assertion_for_another_provider(idp: Idp, cloud: Any) -> None:
    other = Idp(cloud.new_account())
    response = idp.response(idp.signed(idp.assertion()))
    assert (
        refused(
            unsigned(idp.account).assume_role_with_saml,
            RoleArn=other.role,
            PrincipalArn=other.arn,
            SAMLAssertion=base64.b64encode(etree.tostring(response)).decode(),
        )[0]
        == "InvalidIdentityToken"
    )
    assert idp.refused(response, PolicyArns=[{"arn": "arn:aws:iam::1:policy/x-y-z"}])[0] == "ValidationError"


def test_providers(idp: Idp) -> None:
    shown = idp.iam.get_saml_provider(SAMLProviderArn=idp.arn)
    assert shown["SAMLMetadataDocument"] == metadata(idp.key)
    assert [item["Arn"] for item in idp.iam.list_saml_providers()["SAMLProviderList"]] == [idp.arn]
    old = idp.response(idp.signed(idp.assertion()))
    renewed = certify("idp")
    idp.iam.update_saml_provider(SAMLProviderArn=idp.arn, SAMLMetadataDocument=metadata(renewed))
    assert idp.refused(old)[0] == "InvalidIdentityToken"
    taken = refused(idp.iam.create_saml_provider, Name="school", SAMLMetadataDocument=metadata(renewed))
    assert taken[0] == "EntityAlreadyExists"
    assert refused(idp.iam.create_saml_provider, Name="b", SAMLMetadataDocument="x" * 1000)[0] == "InvalidInput"
    idp.iam.delete_saml_provider(SAMLProviderArn=idp.arn)
    assert idp.refused(old) == ("InvalidIdentityToken", "Specified provider doesn't exist")
