"""A cloud whose owner pays for text messages: a ceiling over all accounts, and numbers that must be verified."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud import Account, Cloud
from tests.services.budgets.conftest import in_database
from tests.services.sns.test_endpoints import code
from tests.services.sns.test_reports import log_role, reports
from tests.services.sns.test_topics import endpoint, shown

PRICE, CEILING = 0.1, 3.0
FRIEND, STRANGER = "+34123456789", "+34987654321"

_SPENT = "SELECT coalesce(sum(spent), 0) AS spent FROM sns_sms_months"
_AGE = "UPDATE sns_sandbox_numbers SET tried_at = tried_at - interval '15 minutes' WHERE account_id = $1"


@pytest.fixture(scope="module")
def strict() -> Iterator[tuple[Cloud, Any]]:
    with tempfile.TemporaryDirectory() as folder, endpoint(echo=True) as (url, heard):
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), agent=False)
        try:
            cloud.start(sms_gateway={"url": url, "price": PRICE}, sms_ceiling=CEILING, sms_sandbox=True)
            yield cloud, heard
        finally:
            cloud.stop()


def texts(account: Account) -> list[dict[str, Any]]:
    """The account's outbox, newest first, when nothing waits any more."""
    deadline = time.monotonic() + 60
    while True:
        found = list(shown(account, "/sns/sms")["Messages"])
        if all(one["Status"] != "WAITING" for one in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def befriended(account: Account, heard: Any) -> Any:
    """A client whose account has verified a number."""
    sns = account.client("sns")
    sns.create_sms_sandbox_phone_number(PhoneNumber=FRIEND)
    sns.verify_sms_sandbox_phone_number(PhoneNumber=FRIEND, OneTimePassword=sent_code(heard))
    return sns


def sent_code(heard: Any) -> str:
    return str(json.loads(heard.get(timeout=60)[1])["text"])[-6:]


def test_texts_go_to_verified_numbers_alone(strict: tuple[Cloud, Any]) -> None:
    cloud, heard = strict
    account = cloud.new_account()
    sns = account.client("sns")
    assert sns.get_sms_sandbox_account_status()["IsInSandbox"]
    sns.publish(PhoneNumber=FRIEND, Message="nobody knows you")
    (refused,) = texts(account)
    assert (refused["Status"], refused["ProviderResponse"]) == ("FAILED", "Destination phone number is not verified")
    sns.create_sms_sandbox_phone_number(PhoneNumber=FRIEND)
    right = sent_code(heard)
    assert texts(account)[0]["Message"] == "Your verification code is ******", "only the phone tells it"
    wrong = {"PhoneNumber": FRIEND, "OneTimePassword": "000000" if right != "000000" else "111111"}
    assert code(sns.verify_sms_sandbox_phone_number, **wrong) == "VerificationException"
    assert sns.list_sms_sandbox_phone_numbers()["PhoneNumbers"] == [{"PhoneNumber": FRIEND, "Status": "Pending"}]
    sns.verify_sms_sandbox_phone_number(PhoneNumber=FRIEND, OneTimePassword=right)
    sns.publish(PhoneNumber=FRIEND, Message="hello")
    assert json.loads(heard.get(timeout=60)[1])["text"] == "hello"
    other = cloud.new_account()
    other.client("sns").publish(PhoneNumber=FRIEND, Message="hello")
    assert texts(other)[0]["Status"] == "FAILED", "another account's friend"
    topic = sns.create_topic(Name="to-phones")["TopicArn"]
    for number in (FRIEND, STRANGER):
        sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=number)
    sns.publish(TopicArn=topic, Message="to both")
    assert json.loads(heard.get(timeout=60)[1])["number"] == FRIEND
    assert {(one["PhoneNumber"], one["Status"]) for one in texts(account)[:2]} == {
        (FRIEND, "DELIVERED"),
        (STRANGER, "FAILED"),
    }
    assert code(sns.delete_sms_sandbox_phone_number, PhoneNumber=FRIEND) == "UserError", "within a day"


def test_a_code_is_told_to_the_phone_alone_and_not_for_long(strict: tuple[Cloud, Any]) -> None:
    """The gateway repeats all that it is sent, and the account has everything logged."""
    cloud, heard = strict
    account = cloud.new_account()
    sns = account.client("sns")
    role = {"DeliveryStatusIAMRole": log_role(account), "DeliveryStatusSuccessSamplingRate": "100"}
    sns.set_sms_attributes(attributes=role)
    sns.create_sms_sandbox_phone_number(PhoneNumber=FRIEND)
    right = sent_code(heard)
    (shown,) = texts(account)
    assert (shown["Status"], shown["ProviderResponse"]) == ("DELIVERED", "200")
    assert right not in json.dumps(shown).replace(FRIEND, "").replace(shown["MessageId"], "")
    sent = sns.publish(PhoneNumber=STRANGER, Message="is logged")
    (line,) = reports(account, 1)
    assert line["notification"]["messageId"] == sent["MessageId"], "the code's text came before it"
    guess = {"PhoneNumber": FRIEND, "OneTimePassword": right}
    in_database(cloud, _AGE, account.id)
    assert code(sns.verify_sms_sandbox_phone_number, **guess) == "VerificationException"
    assert sns.list_sms_sandbox_phone_numbers()["PhoneNumbers"][0]["Status"] == "Pending"


def test_codes_and_numbers_are_few_and_guesses_slow(strict: tuple[Cloud, Any]) -> None:
    cloud, heard = strict
    sns = cloud.new_account().client("sns")
    sns.set_sms_attributes(attributes={"MonthlySpendLimit": "0"})  # so that nothing is sent
    enter: Any = lambda number: sns.create_sms_sandbox_phone_number(PhoneNumber=number)  # noqa: E731
    for _ in range(5):
        enter(STRANGER)
    assert code(lambda: enter(STRANGER)) == "Throttled"
    with ThreadPoolExecutor(6) as threads:
        given = list(threads.map(lambda n: _outcome(enter, f"+3490000000{n}"), range(12)))
    assert sorted(given) == ["UserError"] * 3 + ["ok"] * 9
    first = sns.list_sms_sandbox_phone_numbers(MaxResults=7)
    rest = sns.list_sms_sandbox_phone_numbers(NextToken=first["NextToken"])
    assert (len(first["PhoneNumbers"]), len(rest["PhoneNumbers"]), "NextToken" in rest) == (7, 3, False)
    guess = {"PhoneNumber": STRANGER, "OneTimePassword": "12345"}
    outcomes = [code(sns.verify_sms_sandbox_phone_number, **guess) for _ in range(6)]
    assert outcomes == ["VerificationException"] * 5 + ["Throttled"]
    assert heard.empty()


def _outcome(call: Any, number: str) -> str:
    try:
        call(number)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def test_all_accounts_together_stay_below_the_ceiling(strict: tuple[Cloud, Any]) -> None:
    cloud, heard = strict
    (before,) = in_database(cloud, _SPENT)  # by the tests that had this cloud before
    accounts = [cloud.new_account() for _ in range(2)]
    clients = [befriended(account, heard) for account in accounts]
    for client in clients:
        client.set_sms_attributes(attributes={"MonthlySpendLimit": "100"})
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: clients[n % 2].publish(PhoneNumber=FRIEND, Message="x"), range(40)))
    outcomes = [one for account in accounts for one in texts(account)]
    sent = [one for one in outcomes if one["Status"] == "DELIVERED"]
    assert len(sent) == round((CEILING - float(before["spent"])) / PRICE)
    assert {one["ProviderResponse"] for one in outcomes if one not in sent} == {"No quota left for account"}
    assert len(outcomes) == 42
