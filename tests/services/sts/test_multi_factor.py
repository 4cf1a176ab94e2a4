"""MFA codes in GetSessionToken, AssumeRole and the console's sign-in; each code is good once."""

from __future__ import annotations

from typing import Any

import httpx

from tests.cloud import Account
from tests.services.iam.conftest import allow, deny, document, trust, user_with_key
from tests.services.iam.test_credentials import STRONG, code, enable_device
from tests.services.iam.test_identities import refused
from tests.services.sts.test_sessions import client, role

WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def test_a_session_with_mfa_may_what_needs_it(account: Account) -> None:
    unless = deny("iam:ListRoles", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})
    ann = user_with_key(account, "ann", allow("iam:*"), unless)
    device = enable_device(account.client("iam"), "ann")
    sts, serial = ann.client("sts"), device["SerialNumber"]
    assert refused(ann.client("iam").list_roles)[0] == "AccessDenied"
    plain = client(account, "iam", sts.get_session_token()["Credentials"])
    assert refused(plain.list_users)[0] == "InvalidClientTokenId"  # no IAM at all without MFA
    good = {"SerialNumber": serial, "TokenCode": code(device["Base32StringSeed"], 1)}
    assert refused(sts.get_session_token, SerialNumber=serial)[0] == "ValidationError"
    wrong = f"{(int(good['TokenCode']) + 1) % 1000000:06d}"
    assert refused(sts.get_session_token, SerialNumber=serial, TokenCode=wrong) == (
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
    )
    session = client(account, "iam", sts.get_session_token(**good)["Credentials"])
    assert session.list_roles()["Roles"] == []
    assert refused(sts.get_session_token, **good)[0] == "AccessDenied"  # a code is good once
    bob = user_with_key(account, "bob", allow("iam:*")).client("sts")
    assert refused(bob.get_session_token, SerialNumber=serial, TokenCode=wrong)[0] == "AccessDenied"


def test_a_role_that_asks_for_mfa(account: Account) -> None:
    ann = user_with_key(account, "ann", allow("sts:*"))
    device = enable_device(account.client("iam"), "ann")
    arn = role(account, "careful", trust({"AWS": account.id}, Condition=WITH_MFA))
    named = {"RoleArn": arn, "RoleSessionName": "s1"}
    sts = ann.client("sts")
    assert refused(sts.assume_role, **named)[0] == "AccessDenied"
    good = {"SerialNumber": device["SerialNumber"], "TokenCode": code(device["Base32StringSeed"], 1)}
    assert sts.assume_role(**named, **good)["Credentials"]
    assert refused(sts.assume_role, **named, **good)[0] == "AccessDenied"


def test_guessing_codes_is_slowed_down(account: Account) -> None:
    ann = user_with_key(account, "ann", allow("sts:*"))
    device = enable_device(account.client("iam"), "ann")
    sts, serial = ann.client("sts"), device["SerialNumber"]
    good = code(device["Base32StringSeed"], 1)
    wrong = [f"{(int(good) + n) % 1000000:06d}" for n in range(1, 7)]
    messages = [refused(sts.get_session_token, SerialNumber=serial, TokenCode=guess)[1] for guess in wrong]
    assert "invalid MFA one time pass code" in messages[0] and "try again later" in messages[-1]
    assert "try again later" in refused(sts.get_session_token, SerialNumber=serial, TokenCode=good)[1]


def sign_in(account: Account, /, **form: str) -> tuple[int, dict[str, Any]]:
    answer = httpx.post(f"{account.endpoint}/_celaje/sign-in", json={"account": account.id, **form})
    return answer.status_code, answer.json()


def _credentials(answer: dict[str, Any]) -> dict[str, Any]:
    names = {"AccessKeyId": "accessKeyId", "SecretAccessKey": "secretAccessKey", "SessionToken": "sessionToken"}
    return {name: answer[given] for name, given in names.items()}


def test_sign_in_with_a_password(account: Account) -> None:
    iam = account.client("iam")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document(allow("iam:List*")))
    form = {"user": "ann", "password": STRONG}
    assert sign_in(account, **form)[0] == 403
    iam.create_login_profile(UserName="ann", Password=STRONG)
    assert sign_in(account, user="ann", password="wrong")[1]["code"] == "AuthenticationFailed"
    assert sign_in(account, user="nobody", password="wrong")[1]["code"] == "AuthenticationFailed"
    status, answer = sign_in(account, **form)
    assert status == 200
    session = client(account, "iam", _credentials(answer))
    assert [user["UserName"] for user in session.list_users()["Users"]] == ["ann"]
    assert client(account, "sts", _credentials(answer)).get_caller_identity()["Arn"].endswith(":user/ann")
    assert iam.get_user(UserName="ann")["User"]["PasswordLastUsed"]
    alias = f"school-{account.id}"
    iam.create_account_alias(AccountAlias=alias)
    assert sign_in(account, **form, account=alias)[0] == 200
    device = enable_device(iam, "ann")
    status, answer = sign_in(account, **form)
    assert (status, answer["code"]) == (401, "MfaRequired")
    good = code(device["Base32StringSeed"], 1)
    assert sign_in(account, **form, code=good)[0] == 200
    assert sign_in(account, **form, code=good)[0] == 403
    assert sign_in(account, user="ann")[0] == 422


def test_a_password_that_must_be_changed(account: Account) -> None:
    iam = account.client("iam")
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=STRONG, PasswordResetRequired=True)
    form = {"user": "ann", "password": STRONG}
    assert sign_in(account, **form)[1]["code"] == "PasswordChangeRequired"
    assert sign_in(account, **form, newPassword="weak")[1]["code"] == "PasswordPolicyViolation"
    assert sign_in(account, **form, newPassword=STRONG)[1]["code"] == "PasswordPolicyViolation"
    assert sign_in(account, **form, newPassword="Other-Horse-8")[0] == 200
    assert sign_in(account, **form)[0] == 403
    assert sign_in(account, user="ann", password="Other-Horse-8")[0] == 200


def test_a_user_made_anew_is_not_trusted_again(account: Account) -> None:
    iam = account.client("iam")
    ann = user_with_key(account, "ann", allow("sts:*"))
    user = iam.get_user(UserName="ann")["User"]
    arn = role(account, "app", trust({"AWS": [user["Arn"], account.id]}, Sid="one"))
    iam.update_assume_role_policy(RoleName="app", PolicyDocument=trust({"AWS": user["Arn"]}))
    principal = lambda: iam.get_role(RoleName="app")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]  # noqa: E731
    assert principal() == {"AWS": user["Arn"]}
    assert ann.client("sts").assume_role(RoleArn=arn, RoleSessionName="s1")["Credentials"]
    iam.update_user(UserName="ann", NewUserName="anna")
    assert principal() == {"AWS": user["Arn"] + "a"}
    assert ann.client("sts").assume_role(RoleArn=arn, RoleSessionName="s1")["Credentials"]
    iam.delete_user_policy(UserName="anna", PolicyName="inline")
    iam.delete_access_key(UserName="anna", AccessKeyId=ann.access_key_id)
    iam.delete_user(UserName="anna")
    assert principal() == {"AWS": user["UserId"]}
    again = user_with_key(account, "ann", allow("sts:*"))
    assert refused(again.client("sts").assume_role, RoleArn=arn, RoleSessionName="s1")[0] == "AccessDenied"
    by_id = trust({"AWS": user["UserId"]})
    assert refused(iam.update_assume_role_policy, RoleName="app", PolicyDocument=by_id)[0] == "MalformedPolicyDocument"
