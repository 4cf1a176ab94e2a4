"""Event selectors, basic and advanced: what is accepted, and which events they let through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.services.cloudtrail.errors import InvalidEventSelectorsException

DEFAULT: dict[str, Any] = {
    "EventSelectors": [
        {
            "ReadWriteType": "All",
            "IncludeManagementEvents": True,
            "DataResources": [],
            "ExcludeManagementEventSources": [],
        }
    ]
}
_MOST = 5
_MOST_ADVANCED = 500
_BASIC_TYPES = frozenset({"AWS::S3::Object", "AWS::Lambda::Function", "AWS::DynamoDB::Table"})
_EXCLUDABLE = frozenset({"kms.amazonaws.com", "rdsdata.amazonaws.com"})
_FIELDS = frozenset(
    {"eventCategory", "readOnly", "eventSource", "eventName", "resources.type", "resources.ARN", "userIdentity.arn",
     "eventType", "sessionCredentialFromConsole"}
)  # fmt: skip
_OPERATORS = ("Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith")


def checked(request: Mapping[str, Any]) -> dict[str, Any]:
    """The selectors of a request, with defaults. Raises InvalidEventSelectorsException."""
    basic, advanced = request.get("EventSelectors"), request.get("AdvancedEventSelectors")
    if bool(basic) == bool(advanced):
        raise InvalidEventSelectorsException("Specify either EventSelectors or AdvancedEventSelectors.")
    if basic:
        if len(basic) > _MOST:
            raise InvalidEventSelectorsException(f"A trail can have {_MOST} event selectors at most.")
        return {"EventSelectors": [_basic(item) for item in basic]}
    assert advanced is not None
    return {"AdvancedEventSelectors": [_advanced(item) for item in advanced]}


def _basic(selector: Mapping[str, Any]) -> dict[str, Any]:
    found = {**DEFAULT["EventSelectors"][0], **selector}
    for resource in found["DataResources"]:
        if resource.get("Type") not in _BASIC_TYPES:
            raise InvalidEventSelectorsException(f"Value {resource.get('Type')} for DataResources.Type is invalid.")
        if not all(value.startswith("arn:aws:") or value == "arn:aws" for value in resource.get("Values") or ()):
            raise InvalidEventSelectorsException("DataResources.Values must be ARNs.")
    if set(found["ExcludeManagementEventSources"]) - _EXCLUDABLE:
        raise InvalidEventSelectorsException("ExcludeManagementEventSources is invalid.")
    return found


def _advanced(selector: Mapping[str, Any]) -> dict[str, Any]:
    fields = selector.get("FieldSelectors") or ()
    conditions = sum(len(field.get(name) or ()) for field in fields for name in _OPERATORS)
    category = next((field.get("Equals") for field in fields if field.get("Field") == "eventCategory"), None)
    types = [field.get("Equals") for field in fields if field.get("Field") == "resources.type"]
    if any(field.get("Field") not in _FIELDS for field in fields) or conditions > _MOST_ADVANCED:
        raise InvalidEventSelectorsException("A field of an advanced event selector is invalid.")
    if any(not any(field.get(name) for name in _OPERATORS) for field in fields):
        raise InvalidEventSelectorsException("A field selector must have an operator with values.")
    if category not in (["Management"], ["Data"]):
        raise InvalidEventSelectorsException("eventCategory must be equal to Management or Data.")
    if category == ["Data"] and (len(types) != 1 or not types[0] or len(types[0]) != 1):
        raise InvalidEventSelectorsException("Selectors of data events must name one resources.type.")
    return dict(selector)


def data_types(selectors: Mapping[str, Any] | None) -> set[str]:
    """The resource types whose data events are selected."""
    found: set[str] = set()
    for basic in (selectors or {}).get("EventSelectors", ()):
        found.update(resource["Type"] for resource in basic["DataResources"])
    for advanced in (selectors or {}).get("AdvancedEventSelectors", ()):
        fields = {field["Field"]: field for field in advanced["FieldSelectors"]}
        if fields["eventCategory"]["Equals"] == ["Data"]:
            found.update(fields["resources.type"]["Equals"])
    return found


def selects(selectors: Mapping[str, Any] | None, event: Mapping[str, Any]) -> bool:
    """Whether an event is let through."""
    chosen = selectors or DEFAULT
    if "EventSelectors" in chosen:
        return any(_basic_selects(item, event) for item in chosen["EventSelectors"])
    return any(
        all(_field_selects(field, event) for field in item["FieldSelectors"])
        for item in chosen["AdvancedEventSelectors"]
    )


def _basic_selects(selector: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    kind = selector["ReadWriteType"]
    if kind != "All" and (kind == "ReadOnly") != event["readOnly"]:
        return False
    if event["eventCategory"] == "Management":
        excluded = event["eventSource"] in selector["ExcludeManagementEventSources"]
        return bool(selector["IncludeManagementEvents"]) and not excluded
    arns = _values(event, "resources.ARN")
    return any(
        arn.startswith(prefix)
        for resource in selector["DataResources"]
        if resource["Type"] in _types(event)
        for prefix in resource.get("Values") or ()
        for arn in arns
    )


def _types(event: Mapping[str, Any]) -> set[str]:
    """An object is also named by its bucket's type."""
    found = set(_values(event, "resources.type"))
    return found | {"AWS::S3::Object"} if "AWS::S3::Bucket" in found else found


def _values(event: Mapping[str, Any], field: str) -> list[str]:
    if field == "resources.type":
        return [resource["type"] for resource in event.get("resources", ()) if "type" in resource]
    if field == "resources.ARN":
        return [resource["ARN"] for resource in event.get("resources", ())]
    if field == "userIdentity.arn":
        return [event["userIdentity"].get("arn", "")]
    value = event.get(field, "")
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _field_selects(field: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    name = field["Field"]
    values: Iterable[str] = _types(event) if name == "resources.type" else _values(event, name)

    def some(operator: str, test: Any) -> bool:
        wanted = field.get(operator)
        return not wanted or any(test(value, item) for value in values for item in wanted)

    def none(operator: str, test: Any) -> bool:
        return not any(test(value, item) for value in values for item in field.get(operator) or ())

    return (
        some("Equals", str.__eq__)
        and some("StartsWith", str.startswith)
        and some("EndsWith", str.endswith)
        and none("NotEquals", str.__eq__)
        and none("NotStartsWith", str.startswith)
        and none("NotEndsWith", str.endswith)
    )
