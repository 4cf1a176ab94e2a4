"""What an account may have in SNS, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A topic of each kind, a subscription, an application with a device, a text message."""
    sns, name = account.client("sns"), f"own-{uuid.uuid4().hex[:12]}"
    topic = sns.create_topic(Name=name, Tags=[{"Key": name, "Value": name}])["TopicArn"]
    sns.create_topic(Name=f"{name}.fifo", Attributes={"FifoTopic": "true"})
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+34123456789")
    attributes = {"PlatformPrincipal": name, "PlatformCredential": name}
    application = sns.create_platform_application(Name=name, Platform="ADM", Attributes=attributes)
    sns.create_platform_endpoint(PlatformApplicationArn=application["PlatformApplicationArn"], Token=name)
    sns.publish(PhoneNumber="+34123456789", Message=name)
