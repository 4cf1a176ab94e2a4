"""SQS's query protocol, which its model no longer describes: the names and codes it had before SQS moved to JSON.

Source: the SQS API reference of API version 2012-11-05, query protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controlplane.core.http import HttpRequest

NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"

_MEMBERS = {
    # Names of the members of flattened lists and maps in `Attribute.1.Name`, `SendMessageBatchRequestEntry.1.Id`, …
    "AWSAccountIds": "AWSAccountId",
    "Actions": "ActionName",
    "AttributeNames": "AttributeName",
    "Attributes": "Attribute",
    "MessageAttributeNames": "MessageAttributeName",
    "MessageAttributes": "MessageAttribute",
    "MessageSystemAttributeNames": "MessageSystemAttributeName",
    "MessageSystemAttributes": "MessageSystemAttribute",
    "Messages": "Message",
    "QueueUrls": "QueueUrl",
    "queueUrls": "QueueUrl",
    "TagKeys": "TagKey",
    "Tags": "Tag",
    "tags": "Tag",
}
_LISTS = {
    # Lists whose members are named for their shape.
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
}
_VALUES = {"StringListValues": "StringListValue", "BinaryListValues": "BinaryListValue"}
_TAG_MAP = "TagMap"

QUEUE_URL = "QueueUrl"
_QUEUE_PATH = re.compile(r"(?:/queue/[a-z0-9-]+)?/\d{12}/[A-Za-z0-9_.-]{1,80}/?")

_OWN = "AWS.SimpleQueueService."
_CODES = {
    "BatchEntryIdsNotDistinct": (_OWN + "BatchEntryIdsNotDistinct", 400),
    "BatchRequestTooLong": (_OWN + "BatchRequestTooLong", 400),
    "EmptyBatchRequest": (_OWN + "EmptyBatchRequest", 400),
    "InvalidBatchEntryId": (_OWN + "InvalidBatchEntryId", 400),
    "InvalidParameterValueException": ("InvalidParameterValue", 400),
    "KmsAccessDenied": ("KMS.AccessDeniedException", 400),
    "KmsDisabled": ("KMS.DisabledException", 400),
    "KmsInvalidKeyUsage": ("KMS.InvalidKeyUsageException", 400),
    "KmsInvalidState": ("KMS.InvalidStateException", 400),
    "KmsNotFound": ("KMS.NotFoundException", 400),
    "KmsOptInRequired": ("KMS.OptInRequired", 403),
    "KmsThrottled": ("KMS.ThrottlingException", 400),
    "MessageNotInflight": (_OWN + "MessageNotInflight", 400),
    "MissingRequiredParameterException": ("MissingParameter", 400),
    "OverLimit": ("OverLimit", 403),
    "PurgeQueueInProgress": (_OWN + "PurgeQueueInProgress", 403),
    "QueueDeletedRecently": (_OWN + "QueueDeletedRecently", 400),
    "QueueDoesNotExist": (_OWN + "NonExistentQueue", 400),
    "QueueNameExists": ("QueueAlreadyExists", 400),
    "RequestThrottled": ("RequestThrottled", 403),
    "TooManyEntriesInBatchRequest": (_OWN + "TooManyEntriesInBatchRequest", 400),
    "UnsupportedOperation": (_OWN + "UnsupportedOperation", 400),
}


_OF_NO_QUEUE = ("CreateQueue", "ListQueues")
_NO_QUEUE = "The specified queue does not exist for this wsdl version."


def queue_url(request: HttpRequest) -> str | None:
    """The queue that a request is sent to; None when its path is not an account's id and a queue's name."""
    path = request.raw_path.decode("latin-1")
    return f"{request.scheme}://{request.headers.get('host', '')}{path}" if _QUEUE_PATH.fullmatch(path) else None


def is_misplaced(action: str, request: HttpRequest) -> bool:
    """Whether an action that is of no queue is sent to one's address."""
    return action in _OF_NO_QUEUE and queue_url(request) is not None


def query_code(shape_name: str) -> tuple[str, int] | None:
    """The query protocol's code and status for an error shape, where they are not the shape's name and 400."""
    return _CODES.get(shape_name)


def message(code: str, text: str) -> str:
    """The message of an error in the query protocol's words."""
    return _NO_QUEUE if code == _CODES["QueueDoesNotExist"][0] else text


def with_query_names(description: Mapping[str, Any]) -> dict[str, Any]:
    """The description with the query protocol's names."""
    shapes = {name: _renamed(name, dict(shape)) for name, shape in description["shapes"].items()}
    operations = {name: _wrapped(name, operation) for name, operation in description["operations"].items()}
    return {**description, "shapes": shapes, "operations": operations}


def _wrapped(name: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    if "output" not in operation:
        return dict(operation)
    return {**operation, "output": {**operation["output"], "resultWrapper": f"{name}Result"}}


def _renamed(name: str, shape: dict[str, Any]) -> dict[str, Any]:
    if shape["type"] == "structure":
        shape["members"] = {
            member: {**reference, "locationName": _MEMBERS[member]} if member in _MEMBERS else dict(reference)
            for member, reference in shape["members"].items()
        }
        for member, location in _VALUES.items():
            if member in shape["members"]:
                shape["members"][member].update(locationName=location, flattened=True)
    elif shape["type"] == "map":
        key, value = ("Key", "Value") if name == _TAG_MAP else ("Name", "Value")
        shape["key"] = {**shape["key"], "locationName": key}
        shape["value"] = {**shape["value"], "locationName": value}
    elif name in _LISTS:
        shape["member"] = {**shape["member"], "locationName": _LISTS[name]}
    return shape
