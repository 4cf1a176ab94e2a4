"""What users sign in and identify themselves with: passwords, MFA devices, certificates, keys."""

from __future__ import annotations

import base64
import csv
import io
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.cloud import Account
from tests.services.iam.certificates import certify
from tests.services.iam.conftest import allow, user_with_key
from tests.services.iam.test_policies import refused

STRONG = "Correct-Horse-7"


def code(seed: bytes, step: int) -> str:
    """The code of a device, `step` periods from now."""
    key = base64.b32decode(seed)
    return TOTP(key, 6, SHA1(), 30).generate((int(time.time()) // 30 + step) * 30).decode()


def enable_device(iam: Any, user: str, name: str = "phone") -> dict[str, Any]:
    """A user's MFA device; codes from step 1 on are unused."""
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    seed = device["Base32StringSeed"]
    iam.enable_mfa_device(
        UserName=user,
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=code(seed, -1),
        AuthenticationCode2=code(seed, 0),
    )
    return device  # type: ignore[no-any-return]


def test_login_profile_and_password_policy(iam: Any, account: Account) -> None:
    iam.create_user(UserName="ann")
    assert refused(iam.get_login_profile, UserName="ann")[0] == "NoSuchEntity"
    assert refused(iam.create_login_profile, UserName="ann", Password="short")[0] == "PasswordPolicyViolation"
    made = iam.create_login_profile(UserName="ann", Password=STRONG, PasswordResetRequired=True)["LoginProfile"]
    assert made["UserName"] == "ann" and made["PasswordResetRequired"] is True
    assert iam.get_login_profile(UserName="ann")["LoginProfile"] == made
    assert refused(iam.create_login_profile, UserName="ann", Password=STRONG)[0] == "EntityAlreadyExists"
    assert refused(iam.get_account_password_policy) == (
        "NoSuchEntity",
        f"The Password Policy with domain name {account.id} cannot be found.",
    )
    iam.update_account_password_policy(MinimumPasswordLength=10, RequireSymbols=True, PasswordReusePrevention=2)
    policy = iam.get_account_password_policy()["PasswordPolicy"]
    assert policy["RequireSymbols"] is True and policy["RequireNumbers"] is False and not policy["ExpirePasswords"]
    wrong = refused(iam.update_login_profile, UserName="ann", Password="abcdefghij")
    assert wrong == ("PasswordPolicyViolation", "Password should have at least one symbol")
    assert refused(iam.update_login_profile, UserName="ann", Password=STRONG)[0] == "PasswordPolicyViolation"
    iam.update_login_profile(UserName="ann", Password="another-one")
    assert refused(iam.delete_user, UserName="ann") == (
        "DeleteConflict",
        "Cannot delete entity, must delete login profile first.",
    )
    iam.delete_login_profile(UserName="ann")
    iam.delete_user(UserName="ann")
    iam.delete_account_password_policy()
    assert refused(iam.delete_account_password_policy)[0] == "NoSuchEntity"


def test_users_change_their_password(iam: Any, account: Account) -> None:
    ann = user_with_key(account, "ann").client("iam")
    iam.create_login_profile(UserName="ann", Password=STRONG)
    change = {"OldPassword": STRONG, "NewPassword": "Other-Horse-8"}
    assert refused(ann.change_password, **change)[0] == "AccessDenied"
    iam.update_account_password_policy(AllowUsersToChangePassword=True)
    ann.change_password(**change)
    assert refused(ann.change_password, **change) == ("AccessDenied", "The old password was incorrect.")
    assert refused(iam.change_password, **change)[0] == "InvalidUserType"
    codes = [refused(ann.change_password, **change)[0] for _ in range(6)]
    assert codes[0] == "AccessDenied" and codes[-1] == "EntityTemporarilyUnmodifiable"


def test_mfa_device(iam: Any, account: Account) -> None:
    iam.create_user(UserName="ann")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone", Tags=[{"Key": "a", "Value": "1"}])
    made = device["VirtualMFADevice"]
    serial, seed = made["SerialNumber"], made["Base32StringSeed"]
    assert serial == f"arn:aws:iam::{account.id}:mfa/phone" and len(seed) == 64
    assert made["QRCodePNG"].startswith(b"\x89PNG")
    assert refused(iam.create_virtual_mfa_device, VirtualMFADeviceName="phone")[0] == "EntityAlreadyExists"
    named = {"UserName": "ann", "SerialNumber": serial}
    wrong = {"AuthenticationCode1": code(seed, 0), "AuthenticationCode2": code(seed, 0)}
    assert refused(iam.enable_mfa_device, **named, **wrong)[0] == "InvalidAuthenticationCode"
    assert iam.list_mfa_devices(UserName="ann")["MFADevices"] == []
    iam.enable_mfa_device(**named, AuthenticationCode1=code(seed, -1), AuthenticationCode2=code(seed, 0))
    [listed] = iam.list_mfa_devices(UserName="ann")["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == ("ann", serial)
    assert iam.get_mfa_device(**named)["EnableDate"] == listed["EnableDate"]
    [shown] = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert shown["User"]["UserName"] == "ann" and "Base32StringSeed" not in shown
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == []
    assert refused(iam.delete_user, UserName="ann")[1] == "Cannot delete entity, must delete MFA device first."
    assert refused(iam.delete_virtual_mfa_device, SerialNumber=serial)[0] == "DeleteConflict"
    replay = {"AuthenticationCode1": code(seed, -1), "AuthenticationCode2": code(seed, 0)}
    assert refused(iam.resync_mfa_device, **named, **replay)[0] == "InvalidAuthenticationCode"
    iam.resync_mfa_device(**named, AuthenticationCode1=code(seed, 20), AuthenticationCode2=code(seed, 21))
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.deactivate_mfa_device(**named)
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    assert refused(iam.deactivate_mfa_device, **named)[0] == "NoSuchEntity"


def test_signing_certificates(iam: Any) -> None:
    iam.create_user(UserName="ann")
    body = certify("ann").pem
    made = iam.upload_signing_certificate(UserName="ann", CertificateBody=body)["Certificate"]
    assert made["Status"] == "Active" and made["CertificateBody"].strip() == body.strip()
    assert refused(iam.upload_signing_certificate, UserName="ann", CertificateBody=body)[0] == "DuplicateCertificate"
    assert refused(iam.upload_signing_certificate, UserName="ann", CertificateBody="x")[0] == "MalformedCertificate"
    expired = certify("ann", days=-1).pem
    assert refused(iam.upload_signing_certificate, UserName="ann", CertificateBody=expired)[0] == "InvalidCertificate"
    id = made["CertificateId"]
    iam.update_signing_certificate(UserName="ann", CertificateId=id, Status="Inactive")
    [listed] = iam.list_signing_certificates(UserName="ann")["Certificates"]
    assert (listed["CertificateId"], listed["Status"]) == (id, "Inactive")
    assert (
        refused(iam.delete_user, UserName="ann")[1] == "Cannot delete entity, must delete signing certificates first."
    )
    iam.delete_signing_certificate(UserName="ann", CertificateId=id)
    iam.delete_user(UserName="ann")


def test_ssh_public_keys(iam: Any) -> None:
    iam.create_user(UserName="ann")
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    body = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    made = iam.upload_ssh_public_key(UserName="ann", SSHPublicKeyBody=body)["SSHPublicKey"]
    id = made["SSHPublicKeyId"]
    assert id.startswith("APKA") and len(made["Fingerprint"]) == 47
    assert refused(iam.upload_ssh_public_key, UserName="ann", SSHPublicKeyBody=body)[0] == "DuplicateSSHPublicKey"
    assert refused(iam.upload_ssh_public_key, UserName="ann", SSHPublicKeyBody="ssh-rsa x")[0] == "InvalidPublicKey"
    pem = iam.get_ssh_public_key(UserName="ann", SSHPublicKeyId=id, Encoding="PEM")["SSHPublicKey"]["SSHPublicKeyBody"]
    assert pem.strip() == public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()
    iam.update_ssh_public_key(UserName="ann", SSHPublicKeyId=id, Status="Inactive")
    assert iam.list_ssh_public_keys(UserName="ann")["SSHPublicKeys"][0]["Status"] == "Inactive"
    iam.delete_ssh_public_key(UserName="ann", SSHPublicKeyId=id)
    assert refused(iam.delete_ssh_public_key, UserName="ann", SSHPublicKeyId=id)[0] == "NoSuchEntity"


def test_server_certificates(iam: Any, account: Account) -> None:
    root = certify("root", ca=True)
    middle = certify("middle", root, ca=True)
    leaf = certify("leaf", middle)
    given = {"CertificateBody": leaf.pem, "PrivateKey": leaf.key_pem, "CertificateChain": middle.pem + root.pem}
    made = iam.upload_server_certificate(ServerCertificateName="web", Path="/x/", **given)["ServerCertificateMetadata"]
    assert made["Arn"] == f"arn:aws:iam::{account.id}:server-certificate/x/web"
    assert made["Expiration"] == leaf.certificate.not_valid_after_utc
    shown = iam.get_server_certificate(ServerCertificateName="web")["ServerCertificate"]
    assert shown["CertificateChain"].strip() == given["CertificateChain"].strip() and "PrivateKey" not in shown
    taken = refused(iam.upload_server_certificate, ServerCertificateName="WEB", **given)
    assert taken[0] == "EntityAlreadyExists"
    disordered = {**given, "CertificateChain": root.pem + middle.pem}
    assert refused(iam.upload_server_certificate, ServerCertificateName="b", **disordered)[0] == "MalformedCertificate"
    foreign = {**given, "PrivateKey": root.key_pem}
    assert refused(iam.upload_server_certificate, ServerCertificateName="b", **foreign)[0] == "KeyPairMismatch"
    iam.update_server_certificate(ServerCertificateName="web", NewServerCertificateName="site", NewPath="/")
    [listed] = iam.list_server_certificates()["ServerCertificateMetadataList"]
    assert listed["ServerCertificateName"] == "site"
    iam.delete_server_certificate(ServerCertificateName="site")
    assert refused(iam.get_server_certificate, ServerCertificateName="site")[0] == "NoSuchEntity"


def test_service_specific_credentials(iam: Any, account: Account) -> None:
    iam.create_user(UserName="ann")
    service = "codecommit.amazonaws.com"
    made = iam.create_service_specific_credential(UserName="ann", ServiceName=service)["ServiceSpecificCredential"]
    assert made["ServiceUserName"] == f"ann-at-{account.id}" and made["ServicePassword"]
    id = made["ServiceSpecificCredentialId"]
    again = iam.reset_service_specific_credential(UserName="ann", ServiceSpecificCredentialId=id)
    assert again["ServiceSpecificCredential"]["ServicePassword"] != made["ServicePassword"]
    iam.update_service_specific_credential(UserName="ann", ServiceSpecificCredentialId=id, Status="Inactive")
    [listed] = iam.list_service_specific_credentials(UserName="ann")["ServiceSpecificCredentials"]
    assert listed["Status"] == "Inactive" and "ServicePassword" not in listed
    [of_all] = iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]
    assert of_all["UserName"] == "ann"
    assert refused(iam.delete_user, UserName="ann")[1] == "Cannot delete entity, must remove referenced objects first."
    iam.delete_service_specific_credential(UserName="ann", ServiceSpecificCredentialId=id)
    iam.delete_user(UserName="ann")


def test_refusals_about_service_specific_credentials_repeat_no_value(iam: Any) -> None:
    assert refused(iam.delete_service_specific_credential, ServiceSpecificCredentialId="with-hyphens-in-the-id") == (
        "ValidationError",
        "1 validation error detected: Value at 'serviceSpecificCredentialId' failed to satisfy constraint: Member must "
        r"satisfy regular expression pattern: [\w]+",
    )
    wrong = {"ServiceSpecificCredentialId": "A" * 20, "Status": "Gone"}
    assert refused(iam.update_service_specific_credential, **wrong)[1] == (
        "1 validation error detected: Value at 'status' failed to satisfy constraint: Member must satisfy enum value "
        "set"
    )


def test_credential_report(iam: Any, account: Account) -> None:
    assert refused(iam.get_credential_report)[0] == "ReportNotPresent"
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=STRONG)
    enable_device(iam, "ann")
    iam.create_access_key(UserName="ann")
    iam.create_user(UserName="bob")
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    root, ann, bob = csv.DictReader(io.StringIO(report["Content"].decode()))
    assert report["ReportFormat"] == "text/csv" and root["user"] == "<root_account>"
    assert root["access_key_1_active"] == "true" and root["mfa_active"] == "false"
    assert (ann["password_enabled"], ann["mfa_active"], ann["access_key_1_active"]) == ("true", "true", "true")
    assert ann["password_last_used"] == "no_information" and ann["access_key_2_last_rotated"] == "N/A"
    assert (bob["password_enabled"], bob["password_last_used"], bob["access_key_1_active"]) == ("false", "N/A", "false")
    assert bob["arn"] == f"arn:aws:iam::{account.id}:user/bob"


def test_nobody_reaches_into_another_account(iam: Any, cloud: Any) -> None:
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    other = cloud.new_account().client("iam")
    assert refused(other.delete_virtual_mfa_device, SerialNumber=device["SerialNumber"])[0] == "AccessDenied"
    assert other.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_a_user_may_not_take_over_anothers_password(account: Account) -> None:
    own = f"arn:aws:iam::{account.id}:user/eve"
    eve = user_with_key(account, "eve", allow("iam:*", own)).client("iam")
    account.client("iam").create_user(UserName="ann")
    with pytest.raises(ClientError, match="AccessDenied"):
        eve.create_login_profile(UserName="ann", Password=STRONG)
    eve.create_login_profile(Password=STRONG)
    assert account.client("iam").get_login_profile(UserName="eve")
