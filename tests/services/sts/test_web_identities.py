"""AssumeRoleWithWebIdentity against a real issuer, and what tries to fool it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import allow, document
from tests.services.iam.test_identities import refused
from tests.services.sts.issuer import Issuer, running
from tests.services.sts.test_sessions import client

ACTION = "sts:AssumeRoleWithWebIdentity"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    with running(tmp_path) as issuer:
        yield issuer


def unsigned(account: Account) -> Any:
    config = Config(signature_version=UNSIGNED, retries={"max_attempts": 0})
    return boto3.client("sts", region_name="us-east-1", endpoint_url=account.endpoint, config=config)


class Trusting:
    """An account with a provider for an issuer, and a role for its subject-1."""

    def __init__(self, account: Account, issuer: Issuer, **provider: Any) -> None:
        self.account, self.iam = account, account.client("iam")
        provider = {"ThumbprintList": [issuer.thumbprint], "ClientIDList": ["app"], **provider}
        made = self.iam.create_open_id_connect_provider(Url=issuer.url, **provider)
        self.provider = made["OpenIDConnectProviderArn"]
        name = issuer.url.removeprefix("https://")
        condition = {"StringEquals": {f"{name}:sub": "subject-1", f"{name}:aud": "app"}}
        trusted = {"Effect": "Allow", "Principal": {"Federated": self.provider}, "Action": [ACTION, "sts:TagSession"]}
        trust = document({**trusted, "Condition": condition})
        self.role = self.iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName="web", PolicyName="p", PolicyDocument=document(allow("iam:ListUsers")))

    def assume(self, token: str, **more: Any) -> Any:
        given = {"RoleArn": self.role, "RoleSessionName": "me", "WebIdentityToken": token, **more}
        return unsigned(self.account).assume_role_with_web_identity(**given)

    def refused(self, token: str, **more: Any) -> str:
        return refused(self.assume, token=token, **more)[0]

    def is_refused(self, token: str) -> bool:
        try:
            self.assume(token)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidIdentityToken"
            return True
        return False


def test_a_token_is_exchanged(account: Account, issuer: Issuer) -> None:
    trusting = Trusting(account, issuer)
    assert trusting.provider == f"arn:aws:iam::{account.id}:oidc-provider/{issuer.url.removeprefix('https://')}"
    answer = trusting.assume(issuer.token())
    assert answer["SubjectFromWebIdentityToken"] == "subject-1" and answer["Audience"] == "app"
    assert answer["Provider"] == trusting.provider
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account.id}:assumed-role/web/me"
    session = client(account, "iam", answer["Credentials"])
    assert session.list_users()["Users"] == []
    assert refused(session.list_roles)[0] == "AccessDenied"
    trusting.assume(issuer.token())
    assert issuer.asked.count("/realm/keys") <= 2  # once per gateway worker


def test_an_issuer_changes_its_keys(account: Account, cloud: Cloud, issuer: Issuer) -> None:
    trusting = Trusting(account, issuer)
    trusting.assume(issuer.token())
    new = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(new.public_key()))
    issuer.answers["/realm/keys"] = issuer.document(keys=[{**public, "kid": "two", "use": "sig"}])
    # An unknown key is asked for every ten seconds at most, by each worker; with the answer the old one is forgotten.
    cloud.wait_until(lambda: not trusting.is_refused(issuer.token(new, "ES256", "two")), 20)

    def is_over() -> bool:
        trusting.is_refused(issuer.token(new, "ES256", "two"))
        return all(trusting.is_refused(issuer.token()) for _ in range(4))

    cloud.wait_until(is_over, 30)


def test_tags_in_a_token(account: Account, issuer: Issuer) -> None:
    trusting = Trusting(account, issuer)
    tags = {"principal_tags": {"team": ["red"]}, "transitive_tag_keys": ["team"]}
    statement = allow("iam:GetUser", Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}})
    trusting.iam.put_role_policy(RoleName="web", PolicyName="p", PolicyDocument=document(statement))
    trusting.iam.create_user(UserName="ann")
    token = issuer.token(**{"https://aws.amazon.com/tags": tags})
    tagged = client(account, "iam", trusting.assume(token)["Credentials"])
    assert tagged.get_user(UserName="ann")["User"]
    plain = client(account, "iam", trusting.assume(issuer.token())["Credentials"])
    assert refused(plain.get_user, UserName="ann")[0] == "AccessDenied"


def test_forged_and_foreign_tokens(account: Account, issuer: Issuer, cloud: Any) -> None:
    trusting = Trusting(account, issuer)
    mallory = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    invalid = "InvalidIdentityToken"
    assert trusting.refused(issuer.token(aud="other")) == invalid
    assert trusting.refused(issuer.token(aud=["app", "other"])) == invalid
    assert trusting.refused(issuer.token(azp="other")) == invalid
    assert trusting.refused(issuer.token(key=mallory)) == invalid
    assert trusting.refused(issuer.token(kid="unknown")) == invalid
    assert trusting.refused(issuer.token(iss="https://elsewhere.example")) == invalid
    assert trusting.refused(issuer.token(exp=now - 60)) == "ExpiredTokenException"
    assert trusting.refused(issuer.token(nbf=now + 600)) == invalid
    assert trusting.refused(issuer.token(sub="subject-2")) == "AccessDenied"
    assert trusting.refused("x.y.z") == invalid
    assert trusting.refused(_unsigned(issuer)) == invalid
    assert trusting.refused(_signed_with_the_public_key(issuer)) == invalid
    another = cloud.new_account().id
    role = trusting.role.replace(account.id, another)
    assert trusting.refused(issuer.token(), RoleArn=role) == invalid  # no such provider there
    trusting.iam.remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=trusting.provider, ClientID="app"
    )
    assert trusting.refused(issuer.token()) == invalid


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _unsigned(issuer: Issuer) -> str:
    return f"{_part({'alg': 'none', 'kid': 'one'})}.{issuer.token().split('.')[1]}."


def _signed_with_the_public_key(issuer: Issuer) -> str:
    """HS256 with the public key as secret: the confusion of algorithms."""
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    secret = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{issuer.token().split('.')[1]}"
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def test_the_issuer_must_be_the_one_that_was_pinned(account: Account, issuer: Issuer) -> None:
    trusting = Trusting(account, issuer, ThumbprintList=["a" * 40])
    assert trusting.refused(issuer.token()) == "InvalidIdentityToken"
    assert issuer.asked == []


@pytest.mark.parametrize("trick", ["redirect", "large", "other-issuer", "plain-http", "no-json", "link-local"])
def test_what_an_issuer_may_not_do(account: Account, issuer: Issuer, trick: str) -> None:
    place = "/realm/.well-known/openid-configuration"
    issuer.answers[place] = {
        "redirect": (302, {"location": f"{issuer.url}/moved"}, b""),
        "large": (200, {}, b" " * 300_000 + b"{}"),
        "other-issuer": issuer.document(issuer="https://elsewhere.example", jwks_uri=f"{issuer.url}/keys"),
        "plain-http": issuer.document(issuer=issuer.url, jwks_uri=account.endpoint),
        "no-json": (200, {}, b"[]"),
        "link-local": issuer.document(issuer=issuer.url, jwks_uri="https://169.254.169.254/keys"),
    }[trick]
    trusting = Trusting(account, issuer)
    code, message = refused(trusting.assume, token=issuer.token())
    assert code == "InvalidIdentityToken" and message.startswith("Couldn't retrieve verification key")
    assert "/realm/keys" not in issuer.asked and "/realm/moved" not in issuer.asked


@pytest.mark.parametrize("place", ["127.0.0.2", "[::ffff:127.0.0.2]"])
def test_no_provider_is_an_address_of_the_cloud(account: Account, place: str, tmp_path: Path) -> None:
    with running(tmp_path, "127.0.0.2") as issuer:
        url = issuer.url.replace("localhost", place)
        code, _ = refused(account.client("iam").create_open_id_connect_provider, Url=url, ClientIDList=["app"])
        assert code == "OpenIdIdpCommunicationError", "it would show its certificate"


def test_providers(account: Account, issuer: Issuer) -> None:
    trusting = Trusting(account, issuer, ThumbprintList=[], Tags=[{"Key": "a", "Value": "1"}])
    named = {"OpenIDConnectProviderArn": trusting.provider}
    shown = trusting.iam.get_open_id_connect_provider(**named)
    assert shown["ThumbprintList"] == [issuer.thumbprint] and shown["ClientIDList"] == ["app"]
    assert shown["Tags"] == [{"Key": "a", "Value": "1"}]
    taken = refused(trusting.iam.create_open_id_connect_provider, Url=issuer.url)
    assert taken == ("EntityAlreadyExists", f"Provider with url {issuer.url} already exists.")
    trusting.iam.add_client_id_to_open_id_connect_provider(**named, ClientID="b")
    trusting.iam.update_open_id_connect_provider_thumbprint(**named, ThumbprintList=["b" * 40])
    shown = trusting.iam.get_open_id_connect_provider(**named)
    assert (shown["ThumbprintList"], shown["ClientIDList"]) == (["b" * 40], ["app", "b"])
    trusting.iam.delete_open_id_connect_provider(**named)
    assert refused(trusting.iam.get_open_id_connect_provider, **named)[0] == "NoSuchEntity"
    assert refused(trusting.iam.create_open_id_connect_provider, Url="http://x.example")[0] == "ValidationError"
