"""Key policies, grants and other accounts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.iam.conftest import allow, deny, user_with_key
from tests.services.kms.conftest import refused

DENIED = "AccessDeniedException"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def lets(principal: Any, action: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*", **more}


def root_of(account: Account) -> str:
    return f"arn:aws:iam::{account.id}:root"


@pytest.fixture
def ann(account: Account) -> Account:
    """A user that may do everything as far as IAM is asked."""
    return user_with_key(account, "ann", allow("*"))


@pytest.fixture
def bob(account: Account) -> Account:
    """A user without any policy."""
    return user_with_key(account, "bob")


def arn_of(user: str, account: Account) -> str:
    return f"arn:aws:iam::{account.id}:user/{user}"


def test_the_default_policy_leaves_it_to_iam(kms: Any, key: dict[str, Any], ann: Account, bob: Account) -> None:
    assert json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])["Statement"][0]["Action"] == "kms:*"
    assert kms.list_key_policies(KeyId=key["KeyId"])["PolicyNames"] == ["default"]
    blob = ann.client("kms").encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    code, message = refused(bob.client("kms").decrypt, CiphertextBlob=blob)
    assert code == DENIED
    assert message.endswith("because no identity-based policy allows the kms:Decrypt action")
    assert key["Arn"] in message


def test_without_the_account_no_iam_policy_helps(
    kms: Any, account: Account, key: dict[str, Any], ann: Account, bob: Account
) -> None:
    id = key["KeyId"]
    only_bob = policy(lets(arn_of("bob", account), ["kms:Encrypt", "kms:PutKeyPolicy"]))
    locked = refused(kms.put_key_policy, KeyId=id, Policy=only_bob)
    assert locked == (
        "MalformedPolicyDocumentException",
        "The new key policy will not allow you to update the key policy in the future.",
    )
    kms.put_key_policy(KeyId=id, Policy=only_bob, BypassPolicyLockoutSafetyCheck=True)
    assert refused(ann.client("kms").encrypt, KeyId=id, Plaintext=b"x")[1].endswith(
        "because no resource-based policy allows the kms:Encrypt action"
    )
    assert refused(kms.describe_key, KeyId=id)[0] == DENIED, "not even root"
    bob.client("kms").encrypt(KeyId=id, Plaintext=b"x")
    assert refused(bob.client("kms").decrypt, KeyId=id, CiphertextBlob=b"x" * 100)[0] == DENIED
    bob.client("kms").put_key_policy(
        KeyId=id, Policy=policy(lets(root_of(account), "kms:*")), BypassPolicyLockoutSafetyCheck=True
    )
    kms.describe_key(KeyId=id)


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        policy(lets("arn:aws:iam::123456789012:user/nobody", "kms:*")),
        policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}),
        policy(lets("*", "kms:*") | {"Sid": 1}),
        policy({"Effect": "Allow", "Principal": "*", "Action": "kms:*"}),
    ],
)
def test_policies_that_are_refused(kms: Any, key: dict[str, Any], document: str) -> None:
    assert refused(kms.put_key_policy, KeyId=key["KeyId"], Policy=document)[0] == "MalformedPolicyDocumentException"
    assert refused(kms.create_key, Policy=document)[0] == "MalformedPolicyDocumentException"
    large = policy(lets("*", "kms:*"), *(lets("*", "kms:*", Sid=str(n)) for n in range(400)))
    assert refused(kms.put_key_policy, KeyId=key["KeyId"], Policy=large)[0] == "LimitExceededException"


def test_condition_keys(kms: Any, account: Account, bob: Account) -> None:
    def allowed_if(**condition: Any) -> Any:
        statement = lets(arn_of("bob", account), ["kms:Encrypt", "kms:GenerateDataKey"], Condition=condition)
        made = kms.create_key(Policy=policy(lets(root_of(account), "kms:*"), statement))["KeyMetadata"]
        client = bob.client("kms")
        return lambda **more: client.encrypt(KeyId=made["KeyId"], Plaintext=b"x", **more)

    encrypt = allowed_if(StringEquals={"kms:EncryptionContext:tenant": "a"})
    encrypt(EncryptionContext={"tenant": "a", "other": "b"})
    for wrong in ({}, {"tenant": "b"}):
        assert refused(encrypt, EncryptionContext=wrong)[0] == DENIED
    encrypt = allowed_if(**{"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["tenant"]}})
    encrypt(EncryptionContext={"tenant": "b"})
    assert refused(encrypt, EncryptionContext={"tenant": "a", "x": "y"})[0] == DENIED
    allowed_if(StringEquals={"kms:CallerAccount": account.id})()
    assert refused(allowed_if(StringEquals={"kms:CallerAccount": "123456789012"}))[0] == DENIED
    assert refused(allowed_if(StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"}))[0] == DENIED
    allowed_if(StringEquals={"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyOrigin": "AWS_KMS"})()
    encrypt = allowed_if(StringEquals={"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
    encrypt(EncryptionAlgorithm="SYMMETRIC_DEFAULT")


def test_aliases_and_tags_as_conditions(kms: Any, account: Account, key: dict[str, Any]) -> None:
    kms.create_alias(AliasName="alias/app", TargetKeyId=key["KeyId"])
    by_alias = user_with_key(
        account,
        "by-alias",
        allow("kms:Encrypt", Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}),
    )
    by_request = user_with_key(
        account, "by-request", allow("kms:Encrypt", Condition={"StringEquals": {"kms:RequestAlias": "alias/app"}})
    )
    by_tag = user_with_key(
        account, "by-tag", allow("kms:Encrypt", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}})
    )
    by_alias.client("kms").encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    by_request.client("kms").encrypt(KeyId="alias/app", Plaintext=b"x")
    assert refused(by_request.client("kms").encrypt, KeyId=key["KeyId"], Plaintext=b"x")[0] == DENIED
    assert refused(by_tag.client("kms").encrypt, KeyId=key["KeyId"], Plaintext=b"x")[0] == DENIED
    kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "team", "TagValue": "blue"}])
    by_tag.client("kms").encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    kms.delete_alias(AliasName="alias/app")
    assert refused(by_alias.client("kms").encrypt, KeyId=key["KeyId"], Plaintext=b"x")[0] == DENIED


def test_other_accounts(kms: Any, cloud: Cloud, account: Account, key: dict[str, Any]) -> None:
    other = cloud.new_account()
    theirs, arn = other.client("kms"), key["Arn"]
    blob = kms.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    kms.create_alias(AliasName="alias/shared", TargetKeyId=key["KeyId"])
    alias = arn.rpartition(":")[0] + ":alias/shared"
    for name in (arn, alias):
        assert refused(theirs.describe_key, KeyId=name)[0] == DENIED
    unknown = arn.replace(key["KeyId"], "134f2428-cec1-4b25-a1ae-9048164dba47")
    assert refused(theirs.describe_key, KeyId=unknown)[0] == DENIED, "an unknown key looks like a foreign one"
    assert refused(theirs.decrypt, CiphertextBlob=blob)[0] == DENIED
    assert refused(theirs.describe_key, KeyId=key["KeyId"])[0] == "NotFoundException", "an id is of one's own account"
    assert refused(theirs.create_alias, AliasName="alias/stolen", TargetKeyId=arn)[0] == DENIED

    nobody = user_with_key(other, "nobody")
    user = user_with_key(other, "user", allow("kms:*"))
    statements = (
        lets(root_of(account), "kms:*"),
        lets(root_of(other), ["kms:Decrypt", "kms:DescribeKey", "kms:DisableKey"]),
    )
    kms.put_key_policy(KeyId=arn, Policy=policy(*statements))
    assert theirs.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert user.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert user.client("kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == arn
    assert refused(nobody.client("kms").decrypt, CiphertextBlob=blob)[0] == DENIED, "both sides must allow"
    assert refused(user.client("kms").encrypt, KeyId=arn, Plaintext=b"x")[0] == DENIED
    assert refused(theirs.disable_key, KeyId=arn)[0] == DENIED, "only its own account disables a key"
    assert theirs.list_keys()["Keys"] == []
    assert theirs.list_aliases()["Aliases"] == []
    assert refused(theirs.list_aliases, KeyId=arn)[0] == "NotFoundException"


def test_a_grant_lets_do_what_it_says(kms: Any, account: Account, key: dict[str, Any], bob: Account) -> None:
    id, his = key["KeyId"], bob.client("kms")
    assert refused(his.encrypt, KeyId=id, Plaintext=b"x")[0] == DENIED
    grant = kms.create_grant(
        KeyId=id,
        GranteePrincipal=arn_of("bob", account),
        Operations=["Encrypt", "GenerateDataKey"],
        Constraints={"EncryptionContextSubset": {"tenant": "a"}},
        Name="for-bob",
    )
    again = kms.create_grant(
        KeyId=id,
        GranteePrincipal=arn_of("bob", account),
        Operations=["GenerateDataKey", "Encrypt"],
        Constraints={"EncryptionContextSubset": {"tenant": "a"}},
        Name="for-bob",
    )
    assert again["GrantId"] == grant["GrantId"]
    context = {"tenant": "a", "more": "b"}
    blob = his.encrypt(KeyId=id, Plaintext=b"x", EncryptionContext=context, GrantTokens=[grant["GrantToken"]])
    for wrong in ({}, {"tenant": "b"}):
        assert refused(his.encrypt, KeyId=id, Plaintext=b"x", EncryptionContext=wrong)[0] == DENIED
    opened = refused(his.decrypt, CiphertextBlob=blob["CiphertextBlob"], EncryptionContext=context)
    assert opened[0] == DENIED
    forged = refused(his.encrypt, KeyId=id, Plaintext=b"x", EncryptionContext=context, GrantTokens=["forged"])
    assert forged[0] == "InvalidGrantTokenException"
    (listed,) = kms.list_grants(KeyId=id)["Grants"]
    assert listed["GranteePrincipal"] == arn_of("bob", account)
    assert listed["Operations"] == ["Encrypt", "GenerateDataKey"]
    kms.revoke_grant(KeyId=id, GrantId=grant["GrantId"])
    assert refused(his.encrypt, KeyId=id, Plaintext=b"x", EncryptionContext=context)[0] == DENIED
    assert refused(kms.revoke_grant, KeyId=id, GrantId=grant["GrantId"])[0] == "InvalidGrantIdException"


def test_exact_contexts_and_denials(kms: Any, account: Account, key: dict[str, Any]) -> None:
    eve = user_with_key(account, "eve", deny("kms:GenerateDataKey")).client("kms")
    id = key["KeyId"]
    kms.create_grant(
        KeyId=id,
        GranteePrincipal=arn_of("eve", account),
        Operations=["Encrypt", "GenerateDataKey"],
        Constraints={"EncryptionContextEquals": {"tenant": "a"}},
    )
    eve.encrypt(KeyId=id, Plaintext=b"x", EncryptionContext={"tenant": "a"})
    assert refused(eve.encrypt, KeyId=id, Plaintext=b"x", EncryptionContext={"tenant": "a", "b": "c"})[0] == DENIED
    context = {"tenant": "a"}
    assert refused(eve.generate_data_key, KeyId=id, KeySpec="AES_256", EncryptionContext=context)[0] == DENIED


def test_who_holds_a_grant_can_give_no_more(kms: Any, account: Account, key: dict[str, Any], bob: Account) -> None:
    id, his = key["KeyId"], bob.client("kms")
    eve = user_with_key(account, "eve").client("kms")
    subset = {"EncryptionContextSubset": {"tenant": "a"}}
    kms.create_grant(
        KeyId=id, GranteePrincipal=arn_of("bob", account), Constraints=subset, Operations=["Encrypt", "CreateGrant"]
    )
    to_eve = {"KeyId": id, "GranteePrincipal": arn_of("eve", account)}
    assert refused(his.create_grant, **to_eve, Operations=["Encrypt"])[0] == DENIED
    assert refused(his.create_grant, **to_eve, Operations=["Encrypt", "Decrypt"], Constraints=subset)[0] == DENIED
    wider = {"EncryptionContextSubset": {"other": "a"}}
    assert refused(his.create_grant, **to_eve, Operations=["Encrypt"], Constraints=wider)[0] == DENIED
    equal = {"EncryptionContextEquals": {"tenant": "a", "b": "c"}}
    his.create_grant(**to_eve, Operations=["Encrypt"], Constraints=equal)
    eve.encrypt(KeyId=id, Plaintext=b"x", EncryptionContext={"tenant": "a", "b": "c"})
    assert refused(eve.create_grant, **to_eve, Operations=["Encrypt"], Constraints=equal)[0] == DENIED


def test_whoever_is_made_anew_has_neither_the_policy_nor_the_grants_of_the_old(
    kms: Any, account: Account, key: dict[str, Any], bob: Account
) -> None:
    iam, arn = account.client("iam"), arn_of("bob", account)
    id, granted = key["KeyId"], kms.create_key()["KeyMetadata"]["KeyId"]
    kms.put_key_policy(KeyId=id, Policy=policy(lets(root_of(account), "kms:*"), lets(arn, "kms:Encrypt")))
    kms.create_grant(KeyId=granted, GranteePrincipal=arn, RetiringPrincipal=arn, Operations=["Encrypt"])
    for one in (id, granted):
        bob.client("kms").encrypt(KeyId=one, Plaintext=b"x")
    assert json.loads(kms.get_key_policy(KeyId=id)["Policy"])["Statement"][1]["Principal"] == {"AWS": arn}
    (grant,) = kms.list_grants(KeyId=granted, GranteePrincipal=arn)["Grants"]
    assert (grant["GranteePrincipal"], grant["RetiringPrincipal"]) == (arn, arn)
    user_id = iam.get_user(UserName="bob")["User"]["UserId"]
    iam.delete_access_key(UserName="bob", AccessKeyId=bob.access_key_id)
    iam.delete_user(UserName="bob")
    again = user_with_key(account, "bob").client("kms")
    for one in (id, granted):
        assert refused(again.encrypt, KeyId=one, Plaintext=b"x")[0] == DENIED
    assert json.loads(kms.get_key_policy(KeyId=id)["Policy"])["Statement"][1]["Principal"] == {"AWS": user_id}
    assert kms.list_grants(KeyId=granted)["Grants"][0]["GranteePrincipal"] == user_id
    assert kms.list_grants(KeyId=granted, GranteePrincipal=arn)["Grants"] == []


def test_an_empty_context_constrains_nothing(kms: Any, account: Account, key: dict[str, Any], bob: Account) -> None:
    constraints = {"EncryptionContextEquals": {"tenant": "a"}, "EncryptionContextSubset": {}}
    kms.create_grant(
        KeyId=key["KeyId"], GranteePrincipal=arn_of("bob", account), Operations=["Encrypt"], Constraints=constraints
    )
    bob.client("kms").encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"tenant": "a"})
    assert refused(bob.client("kms").encrypt, KeyId=key["KeyId"], Plaintext=b"x")[0] == DENIED


def test_retiring(kms: Any, account: Account, key: dict[str, Any], bob: Account) -> None:
    id, his = key["KeyId"], bob.client("kms")
    eve = user_with_key(account, "eve").client("kms")
    given = {"KeyId": id, "GranteePrincipal": arn_of("eve", account), "Operations": ["Decrypt"]}
    first = kms.create_grant(**given, RetiringPrincipal=arn_of("bob", account))
    second = kms.create_grant(**given)
    assert [
        grant["GrantId"] for grant in kms.list_retirable_grants(RetiringPrincipal=arn_of("bob", account))["Grants"]
    ] == [first["GrantId"]]
    assert refused(eve.retire_grant, GrantToken=first["GrantToken"])[0] == DENIED
    assert refused(his.retire_grant, KeyId=key["Arn"], GrantId=second["GrantId"])[0] == DENIED
    his.retire_grant(GrantToken=first["GrantToken"])
    kms.retire_grant(KeyId=key["Arn"], GrantId=second["GrantId"])
    assert kms.list_grants(KeyId=id)["Grants"] == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"GranteePrincipal": "arn:aws:s3:::bucket"}, "InvalidArnException"),
        ({"GranteePrincipal": "123456789012"}, "InvalidArnException"),
        ({"GranteePrincipal": "arn:aws:iam::123456789012:user/nobody"}, "InvalidArnException"),
        ({"GranteePrincipal": "arn:aws:iam::123456789012:user/a", "Operations": ["Sign"]}, "ValidationException"),
        ({}, "ValidationException"),
    ],
)
def test_grants_that_are_refused(kms: Any, key: dict[str, Any], parameters: dict[str, Any], code: str) -> None:
    assert refused(kms.create_grant, KeyId=key["KeyId"], **{"Operations": ["Decrypt"], **parameters})[0] == code
