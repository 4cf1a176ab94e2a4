"""What an account may have in IAM, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account
from tests.services.iam.certificates import certify
from tests.services.iam.conftest import allow, document, trust


def make(account: Account) -> None:
    """One thing of every kind, each under a name that nobody else has."""
    iam, name = account.client("iam"), f"own-{uuid.uuid4().hex[:12]}"
    iam.create_user(UserName=name, Path=f"/{name}/", Tags=[{"Key": name, "Value": name}])
    iam.create_access_key(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=document(allow("s3:*")))
    iam.create_group(GroupName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": account.id}))
    policy = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=policy)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.create_login_profile(UserName=name, Password=f"{uuid.uuid4()}-A")
    iam.create_virtual_mfa_device(VirtualMFADeviceName=name)
    iam.upload_signing_certificate(UserName=name, CertificateBody=certify(name).pem)
    leaf = certify(name)
    iam.upload_server_certificate(ServerCertificateName=name, CertificateBody=leaf.pem, PrivateKey=leaf.key_pem)
    iam.create_service_specific_credential(UserName=name, ServiceName="codecommit.amazonaws.com")
    iam.create_open_id_connect_provider(Url=f"https://{name}.example", ThumbprintList=[uuid.uuid4().hex + "0" * 8])
    iam.create_service_linked_role(AWSServiceName="batch.amazonaws.com", Description=name)
    iam.create_account_alias(AccountAlias=name)
    iam.update_account_password_policy(MinimumPasswordLength=8)
    iam.generate_credential_report()
