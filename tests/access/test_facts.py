"""Facts of actions, and that every operation asks about one that AWS has."""

from __future__ import annotations

import pytest

from controlplane.access import facts
from controlplane.gateway.registry import Registry


def test_facts_of_an_action() -> None:
    found = facts.action("EC2:runinstances")
    assert found is not None
    assert (found.name, found.level) == ("RunInstances", "Write")
    assert "instance" in found.required_types
    assert "aws:RequestTag/${TagKey}" in found.condition_keys
    assert facts.of_service("iam").resource_types["user"].startswith("arn:${Partition}:iam::${Account}:user/")


def test_unknown() -> None:
    assert facts.action("ec2:MakeCoffee") is None
    assert facts.action("coffee:Make") is None
    with pytest.raises(facts.UnknownActions, match="coffee:Make, ec2:MakeCoffee"):
        facts.require(["ec2:MakeCoffee", "coffee:Make", "ec2:RunInstances"])


def test_every_operation_asks_about_an_action_that_aws_has() -> None:
    facts.require(Registry.scan().actions())
