"""Mail through boto3: composed, signed, kept, read back."""

from __future__ import annotations

import asyncio
import email
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from email.policy import default
from typing import Any

import asyncpg
import dkim
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from controlplane.settings import Settings
from tests.cloud import Account, Cloud
from tests.services.iam.conftest import user_with_key
from tests.services.kms.conftest import in_database

pytestmark = pytest.mark.xdist_group("mail")
BODY = {"Subject": {"Data": "grüße"}, "Body": {"Text": {"Data": "hallo"}, "Html": {"Data": "<b>hallo</b>"}}}


@pytest.fixture
def ses(account: Account) -> Any:
    return account.client("ses")


def mailbox(account: Account, region: str = "us-east-1") -> list[Any]:
    """What the account's mailbox holds, newest first."""
    request = AWSRequest("GET", f"{account.endpoint}/_celaje/ses/mailbox")
    SigV4Auth(Credentials(account.access_key_id, account.secret_access_key), "ses", region).add_auth(request)
    signed = urllib.request.Request(request.url, headers=dict(request.headers.items()))
    with urllib.request.urlopen(signed) as answer:
        return list(json.load(answer)["Messages"])


def public_key(cloud: Cloud, domain: str) -> str:
    """What the domain's DNS record would hold; no operation of version 1 tells it."""

    async def read() -> str:
        connection = await asyncpg.connect(Settings(home=cloud.home).database)
        try:
            query = "SELECT dkim ->> 'public' FROM ses_identities WHERE name = $1"
            return str(await connection.fetchval(query, domain))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # asyncio.run wants a thread without a running loop
        return thread.submit(asyncio.run, read()).result()


def test_a_mail_is_kept_and_signed_by_its_domain(ses: Any, account: Account, cloud: Cloud) -> None:
    domain = f"d{account.id}.example.com"
    token = ses.verify_domain_dkim(Domain=domain)["DkimTokens"][0]
    to = {"ToAddresses": ["Ana <ana@example.com>"], "BccAddresses": ["eve@example.com"]}
    sent = ses.send_email(Source=f"Bo <bo@{domain}>", Destination=to, Message=BODY)
    (mail,) = mailbox(account)
    raw = mail["RawData"].encode("utf-8", "surrogateescape")
    parsed = email.message_from_bytes(raw, policy=default)
    assert parsed["Subject"] == "grüße" and sent["MessageId"] in parsed["Message-ID"]
    assert mail["Destinations"] == ["ana@example.com", "eve@example.com"] and b"eve@" not in raw
    assert parsed.get_body(("html",)).get_content().strip() == "<b>hallo</b>"  # type: ignore[union-attr]
    signature = dict(part.strip().split("=", 1) for part in str(parsed["DKIM-Signature"]).split(";") if "=" in part)
    assert (signature["d"], signature["s"]) == (domain, token)
    record = b"v=DKIM1; k=rsa; p=" + public_key(cloud, domain).encode()
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: record)
    assert not dkim.verify(raw.replace(b"hallo", b"adios"), dnsfunc=lambda *_, **__: record)
    assert ses.get_send_quota()["SentLast24Hours"] == 2.0


def test_only_verified_identities_send(ses: Any, account: Account) -> None:
    with pytest.raises(ClientError) as refused:
        ses.send_email(Source="a@example.com", Destination={"ToAddresses": ["b@example.com"]}, Message=BODY)
    assert refused.value.response["Error"]["Code"] == "MessageRejected"
    ses.verify_email_identity(EmailAddress="a@example.com")
    raw = b"From: a@example.com\nTo: b@example.com\nSubject: raw\n\nbody\n"
    ses.send_raw_email(RawMessage={"Data": raw})
    (mail,) = mailbox(account)
    assert "Subject: raw" in mail["RawData"] and mail["Destinations"] == ["b@example.com"]
    ses.delete_identity(Identity="a@example.com")
    with pytest.raises(ClientError):
        ses.send_raw_email(RawMessage={"Data": raw})


def test_policies_speak_of_the_identity_that_is_used(ses: Any, account: Account, cloud: Cloud) -> None:
    for domain in ("free.example", "chief.example"):
        ses.verify_domain_identity(Domain=domain)
    allow = {"Effect": "Allow", "Action": "ses:*", "Resource": "*"}
    chief = f"arn:aws:ses:us-east-1:{account.id}:identity/chief.example"
    theirs = user_with_key(account, "clerk", allow, {"Effect": "Deny", "Action": "ses:*", "Resource": chief})
    theirs_ses = theirs.client("ses")

    def raw(sender: str) -> dict[str, Any]:
        return {"RawMessage": {"Data": f"From: {sender}\nTo: b@example.com\nSubject: s\n\nbody\n".encode()}}

    def simple(sender: str) -> dict[str, Any]:
        return {"Source": sender, "Destination": {"ToAddresses": ["b@example.com"]}, "Message": BODY}

    theirs_ses.send_raw_email(**raw("x@free.example"))
    theirs_ses.send_email(**simple("Any One <x@free.example>"))
    for send, request in ((theirs_ses.send_raw_email, raw), (theirs_ses.send_email, simple)):
        with pytest.raises(ClientError) as refused:
            send(**request("x@chief.example"))
        assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_templates(ses: Any, account: Account) -> None:
    ses.verify_email_identity(EmailAddress="a@example.com")
    ses.create_template(Template={"TemplateName": "t", "SubjectPart": "Hi {{name}}", "HtmlPart": "<p>{{name}}</p>"})
    request = {"Source": "a@example.com", "Template": "t"}
    to = {"ToAddresses": ["b@example.com"]}
    ses.send_templated_email(**request, Destination=to, TemplateData='{"name": "A&B"}')
    assert "Subject: Hi A&B" in mailbox(account)[0]["RawData"] and "<p>A&amp;B</p>" in mailbox(account)[0]["RawData"]
    status = ses.send_bulk_templated_email(
        **request,
        DefaultTemplateData="{}",
        Destinations=[{"Destination": to, "ReplacementTemplateData": '{"name": "C"}'}, {"Destination": to}],
    )["Status"]
    assert [one["Status"] for one in status] == ["Success", "InvalidParameterValue"]


def test_a_mail_cannot_smuggle_headers(ses: Any) -> None:
    ses.verify_email_identity(EmailAddress="a@example.com")
    for subject in ("x\r\nBcc: eve@example.com", "x\nBcc: eve@example.com"):
        message = {**BODY, "Subject": {"Data": subject}}
        with pytest.raises(ClientError) as refused:
            ses.send_email(Source="a@example.com", Destination={"ToAddresses": ["b@example.com"]}, Message=message)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_mailbox_is_read_with_permission_and_by_its_account_alone(ses: Any, account: Account, cloud: Cloud) -> None:
    ses.verify_email_identity(EmailAddress="a@example.com")
    ses.send_email(Source="a@example.com", Destination={"ToAddresses": ["b@example.com"]}, Message=BODY)
    iam = account.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    nobody = Account(account.endpoint, account.id, key["AccessKeyId"], key["SecretAccessKey"])
    with pytest.raises(urllib.error.HTTPError) as refused:
        mailbox(nobody)
    assert refused.value.code == 403
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{account.endpoint}/_celaje/ses/mailbox")
    assert refused.value.code == 403
    assert mailbox(cloud.new_account()) == []
    allowed = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ses:ListMails", "Resource": "*"}]}'
    )
    iam.put_user_policy(UserName="nobody", PolicyName="look", PolicyDocument=allowed)
    assert len(mailbox(nobody)) == 1


def test_a_day_s_quota_counts_recipients(cloud: Cloud, account: Account) -> None:
    ses = account.client("ses")
    cloud.grant(account, "ses/L-CDEF9B6B", 100)
    ses.verify_email_identity(EmailAddress="a@example.com")

    def send(number: int) -> None:
        to = {"ToAddresses": [f"b{n}@example.com" for n in range(number)]}
        ses.send_email(Source="a@example.com", Destination=to, Message=BODY)

    for _ in range(4):
        send(50)
    quota = ses.get_send_quota()
    assert (quota["Max24HourSend"], quota["SentLast24Hours"]) == (200.0, 200.0)
    with pytest.raises(ClientError, match="Daily message quota exceeded") as refused:
        send(1)
    assert refused.value.response["Error"]["Code"] == "Throttling"
    with pytest.raises(ClientError, match="Recipient count exceeds 50"):
        send(51)


def test_the_rate_holds_for_those_who_send_side_by_side(account: Account) -> None:
    ses = account.client("ses")
    ses.verify_email_identity(EmailAddress="a@example.com")
    assert ses.get_send_quota()["MaxSendRate"] == 1.0

    def send(number: int) -> str:
        to = {"ToAddresses": [f"b{n}@example.com" for n in range(number)]}
        try:
            ses.send_email(Source="a@example.com", Destination=to, Message=BODY)
        except ClientError as refused:
            return str(refused.response["Error"]["Message"])
        return "sent"

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(send, [10] * 16))
    beyond = "Maximum sending rate exceeded."
    assert sorted(outcomes) == [beyond] * 10 + ["sent"] * 6, "sixty in a minute"
    v2 = account.client("sesv2")
    with pytest.raises(ClientError, match=beyond) as refused:
        content = {"Simple": BODY}
        v2.send_email(FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@c.test"]}, Content=content)
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    ses.create_template(Template={"TemplateName": "t", "SubjectPart": "s", "TextPart": "t"})
    to: list[Any] = [{"Destination": {"ToAddresses": ["b@example.com"]}}] * 2
    told = ses.send_bulk_templated_email(
        Source="a@example.com",
        Template="t",
        DefaultTemplateData="{}",
        Destinations=[*to, {**to[0], "ReplacementTemplateData": "not looked at any more"}],
    )["Status"]
    assert [one["Status"] for one in told] == ["AccountThrottled"] * 3
    replaced = {"ReplacementTemplate": {"ReplacementTemplateData": "not looked at any more"}}
    told = v2.send_bulk_email(
        FromEmailAddress="a@example.com",
        DefaultContent={"Template": {"TemplateName": "t", "TemplateData": "{}"}},
        BulkEmailEntries=[*to, {**to[0], "ReplacementEmailContent": replaced}],
    )["BulkEmailEntryResults"]
    assert [one["Status"] for one in told] == ["ACCOUNT_THROTTLED"] * 3


def test_the_day_s_quota_holds_for_twenty_who_send_side_by_side(cloud: Cloud, account: Account) -> None:
    cloud.grant(account, "ses/L-804C8AE8", 25)
    cloud.grant(account, "ses/L-CDEF9B6B", 100)
    ses = account.client("ses")
    ses.verify_email_identity(EmailAddress="a@example.com")

    def send(_: int) -> bool:
        to = {"ToAddresses": ["b@example.com", "c@example.com"]}
        try:
            ses.send_email(Source="a@example.com", Destination=to, Message=BODY)
        except ClientError as refused:
            assert refused.response["Error"]["Message"] == "Daily message quota exceeded."
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(send, range(60))) == 12
    assert ses.get_send_quota()["SentLast24Hours"] == 24.0
    assert len(mailbox(account)) == 12, "what was refused is not kept"
    later = "UPDATE ses_sent SET counts_until = counts_until - interval '1 day 1 minute' WHERE account_id = $1"
    in_database(cloud, later, account.id)
    assert ses.get_send_quota()["SentLast24Hours"] == 0.0, "a day later"
    assert send(0) and ses.get_send_quota()["SentLast24Hours"] == 2.0
