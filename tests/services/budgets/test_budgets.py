"""Budgets and notifications through boto3, over usage that was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.cloud import Account, Cloud
from tests.services.budgets.conftest import (
    LAST_MONTH,
    NOW,
    PRICE,
    THIS_MONTH,
    in_database,
    look_again,
    make_budget,
    used,
)
from tests.services.organizations.conftest import Organization
from tests.services.organizations.test_organizations import code

TEACHER = {"SubscriptionType": "EMAIL", "Address": "teacher@example.com"}
TOPIC = {"SubscriptionType": "SNS", "Address": "arn:aws:sns:us-east-1:123456789012:budgets"}


def notification(threshold: float = 80, type: str = "ACTUAL", **more: Any) -> dict[str, Any]:
    return {"NotificationType": type, "ComparisonOperator": "GREATER_THAN", "Threshold": threshold, **more}


def spent(client: Any, account: Account, name: str = "class") -> float:
    budget = client.describe_budget(AccountId=account.id, BudgetName=name)["Budget"]
    return float(budget["CalculatedSpend"]["ActualSpend"]["Amount"])


def test_a_budget_is_told_as_aws_tells_it(account: Account) -> None:
    client = make_budget(account, limit="100")
    (budget,) = client.describe_budgets(AccountId=account.id)["Budgets"]
    assert budget["BudgetLimit"] == {"Amount": "100.0", "Unit": "USD"}
    assert budget["CalculatedSpend"]["ActualSpend"] == {"Amount": "0.0", "Unit": "USD"}
    assert budget["CostTypes"]["IncludeTax"] is True and budget["CostTypes"]["UseBlended"] is False
    assert budget["CostFilters"] == {}
    assert budget["TimePeriod"]["Start"] == THIS_MONTH and budget["TimePeriod"]["End"].year == 2087
    assert code(lambda: make_budget(account)) == "DuplicateRecordException"
    changed = {"BudgetName": "class", "BudgetType": "COST", "TimeUnit": "DAILY"}
    client.update_budget(AccountId=account.id, NewBudget={**changed, "BudgetLimit": {"Amount": "7.5", "Unit": "USD"}})
    budget = client.describe_budget(AccountId=account.id, BudgetName="class")["Budget"]
    assert (budget["TimeUnit"], budget["BudgetLimit"]["Amount"]) == ("DAILY", "7.5")
    arn = f"arn:aws:budgets::{account.id}:budget/class"
    client.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "course", "Value": "clouds"}, {"Key": "x", "Value": ""}])
    client.untag_resource(ResourceARN=arn, ResourceTagKeys=["x"])
    assert client.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "course", "Value": "clouds"}]
    client.delete_budget(AccountId=account.id, BudgetName="class")
    assert code(lambda: client.delete_budget(AccountId=account.id, BudgetName="class")) == "NotFoundException"
    assert client.describe_budgets(AccountId=account.id)["Budgets"] == []


def test_spending_is_measured_and_told_once_a_period(account: Account, cloud: Cloud) -> None:
    used(cloud, account, 100, LAST_MONTH)
    used(cloud, account, 10, NOW - timedelta(minutes=1))
    client = make_budget(account)
    for threshold, kind in ((50, "ACTUAL"), (200, "ACTUAL"), (90, "FORECASTED")):
        client.create_notification(
            AccountId=account.id,
            BudgetName="class",
            Notification=notification(threshold, kind),
            Subscribers=[TEACHER, TOPIC],
        )
    cloud.wait_until(lambda: spent(client, account) == pytest.approx(10 * PRICE), 60)

    def states() -> dict[float, str]:
        found = client.describe_notifications_for_budget(AccountId=account.id, BudgetName="class")["Notifications"]
        return {item["Threshold"]: item["NotificationState"] for item in found}

    cloud.wait_until(lambda: states() == {50: "ALARM", 200: "OK", 90: "ALARM"}, 60)
    told = "SELECT kind, subject, body, created_at FROM budgets_messages WHERE account_id = $1 ORDER BY created_at"
    messages = in_database(cloud, told, account.id)
    assert sorted(message["kind"] for message in messages) == ["EMAIL", "EMAIL", "SNS", "SNS"]
    assert "0.96 USD" in messages[0]["body"] and "1.00 USD" in messages[0]["body"]
    used(cloud, account, 1, NOW - timedelta(minutes=1), "i-1")
    look_again(cloud, account)
    cloud.wait_until(lambda: spent(client, account) == pytest.approx(11 * PRICE), 60)
    assert len(in_database(cloud, told, account.id)) == 4
    in_database(cloud, "UPDATE budgets_notifications SET told_in = $2 WHERE account_id = $1", account.id, LAST_MONTH)
    look_again(cloud, account)
    cloud.wait_until(lambda: len(in_database(cloud, told, account.id)) == 8, 60)
    history = client.describe_budget_performance_history(AccountId=account.id, BudgetName="class")
    (this,) = history["BudgetPerformanceHistory"]["BudgetedAndActualAmountsList"]
    assert float(this["ActualAmount"]["Amount"]) == pytest.approx(11 * PRICE)


def test_budgets_count_what_their_filters_let_through(cloud: Cloud) -> None:
    organization = Organization(cloud.new_account())
    management, student, other = organization.management, organization.make_account(), organization.make_account()
    for who, hours in ((student, 10), (other, 20), (cloud.new_account(), 40)):
        used(cloud, who, hours, NOW - timedelta(minutes=1), f"i-{who.id}")
    client = make_budget(management, "all")
    make_budget(management, "student", CostFilters={"LinkedAccount": [student.id]})
    elsewhere = {"Not": {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": [student.id]}}}
    make_budget(management, "others", FilterExpression=elsewhere, Metrics=["UnblendedCost"])
    make_budget(management, "none", CostFilters={"Region": ["eu-west-1"], "Service": ["Nothing"]})
    hours = {"BudgetLimit": {"Amount": "100", "Unit": "Hrs"}, "BudgetType": "USAGE"}
    make_budget(management, "hours", **hours)
    make_budget(student, "own")
    expected = {"all": 30 * PRICE, "student": 10 * PRICE, "others": 20 * PRICE, "none": 0, "hours": 30}
    for name, amount in expected.items():
        cloud.wait_until(lambda name=name, amount=amount: spent(client, management, name) == pytest.approx(amount), 60)
    cloud.wait_until(lambda: spent(student.client("budgets"), student, "own") == pytest.approx(10 * PRICE), 60)
    asked = {"AccountId": management.id, "BudgetName": "others"}
    assert "FilterExpression" not in client.describe_budget(**asked)["Budget"]
    assert client.describe_budget(**asked, ShowFilterExpression=True)["Budget"]["FilterExpression"] == elsewhere
    assert code(lambda: student.client("budgets").describe_budgets(AccountId=management.id)) == "AccessDeniedException"


def test_limits_that_change_with_time(account: Account, cloud: Cloud) -> None:
    used(cloud, account, 100, LAST_MONTH)
    months, at = [], LAST_MONTH
    for _ in range(12):
        months.append(str(int(at.timestamp())))
        at = (at + timedelta(days=32)).replace(day=1)
    planned = {month: {"Amount": str(10 + number), "Unit": "USD"} for number, month in enumerate(months)}
    client = make_budget(account, "planned", PlannedBudgetLimits=planned)
    adjusted = {"AutoAdjustType": "HISTORICAL", "HistoricalOptions": {"BudgetAdjustmentPeriod": 1}}
    make_budget(account, "adjusted", AutoAdjustData=adjusted)

    def limit(name: str) -> float:
        budget = client.describe_budget(AccountId=account.id, BudgetName=name)["Budget"]
        return float(budget.get("BudgetLimit", {"Amount": -1})["Amount"])

    cloud.wait_until(lambda: limit("planned") == 11, 60)
    cloud.wait_until(lambda: limit("adjusted") == pytest.approx(100 * PRICE), 60)


def test_what_makes_no_sense_is_refused(account: Account) -> None:
    def refusal(**change: Any) -> str:
        return code(lambda: make_budget(account, **change))

    for amount in ("0", "0.0", "1" + "0" * 400, "9" * 17):
        assert refusal(limit=amount) == "InvalidParameterException", amount
    usd, wrong = {"Amount": "1", "Unit": "USD"}, "InvalidParameterException"
    assert refusal(limit="-5") == refusal(limit="1e9") == "ValidationException"
    assert refusal(BudgetLimit={"Amount": "1", "Unit": "EUR"}) == wrong
    assert refusal(TimePeriod={"Start": NOW, "End": NOW - timedelta(days=1)}) == wrong
    assert refusal(TimeUnit="CUSTOM") == wrong
    assert refusal(CostFilters={"Mood": ["good"]}) == refusal(CostFilters={"Region": []}) == wrong
    assert refusal(FilterExpression={"And": [{"Dimensions": {"Key": "REGION", "Values": ["x"]}}]}) == wrong
    for planned in ({"0": usd}, {"x": usd}, {str(10**30): usd}, {str(n * 86400): usd for n in range(12)}):
        assert refusal(PlannedBudgetLimits=planned) == wrong
    assert refusal(BudgetType="RI_UTILIZATION") == "NotImplemented"
    client = make_budget(account)
    about = {"AccountId": account.id, "BudgetName": "class"}

    def notify(threshold: float = 80, *people: dict[str, str]) -> Any:
        return client.create_notification(
            **about, Notification=notification(threshold), Subscribers=list(people) or [TEACHER]
        )

    assert code(lambda: notify(0)) == code(lambda: notify(1e13)) == wrong
    assert code(lambda: notify(1, {**TEACHER, "Address": "nobody"})) == wrong
    assert code(lambda: notify(1, TOPIC, {**TOPIC, "Address": f"{TOPIC['Address']}2"})) == (
        "CreationLimitExceededException"
    )
    notify(80)
    assert code(lambda: notify(80)) == "DuplicateRecordException"
    missing = notification(3)
    assert code(lambda: client.delete_notification(**about, Notification=missing)) == "NotFoundException"
    assert code(lambda: client.describe_budgets(AccountId=account.id, NextToken="x")) == "InvalidNextTokenException"


def test_subscribers_come_and_go(account: Account) -> None:
    client = make_budget(account)
    about = {"AccountId": account.id, "BudgetName": "class", "Notification": notification()}
    client.create_notification(**about, Subscribers=[TEACHER])
    client.create_subscriber(**about, Subscriber=TOPIC)
    assert code(lambda: client.create_subscriber(**about, Subscriber=TOPIC)) == "DuplicateRecordException"
    dean = {**TEACHER, "Address": "dean@example.com"}
    client.update_subscriber(**about, OldSubscriber=TEACHER, NewSubscriber=dean)
    assert client.describe_subscribers_for_notification(**about)["Subscribers"] == [dean, TOPIC]
    client.delete_subscriber(**about, Subscriber=TOPIC)
    assert code(lambda: client.delete_subscriber(**about, Subscriber=TOPIC)) == "NotFoundException"
    client.update_notification(
        AccountId=account.id, BudgetName="class", OldNotification=notification(), NewNotification=notification(70)
    )
    (told,) = client.describe_budget_notifications_for_account(AccountId=account.id)["BudgetNotificationsForAccount"]
    assert [item["Threshold"] for item in told["Notifications"]] == [70]


def test_ten_notifications_and_no_more_by_many_at_a_time(account: Account) -> None:
    make_budget(account)

    def notify(threshold: int) -> str:
        client = account.client("budgets")
        asked = {"AccountId": account.id, "BudgetName": "class", "Subscribers": [TEACHER]}
        try:
            client.create_notification(**asked, Notification=notification(threshold))
        except client.exceptions.CreationLimitExceededException:
            return "refused"
        return "made"

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(notify, range(1, 15)))
    assert sorted(answers) == ["made"] * 10 + ["refused"] * 4
