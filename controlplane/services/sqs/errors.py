"""The error codes of SQS."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class QueueDoesNotExist(AwsError):
    code = "QueueDoesNotExist"

    def __init__(self) -> None:
        super().__init__("The specified queue does not exist.")


class QueueNameExists(AwsError):
    code = "QueueNameExists"

    def __init__(self, attribute: str) -> None:
        super().__init__(f"A queue already exists with the same name and a different value for attribute {attribute}")


class QueueDeletedRecently(AwsError):
    code = "QueueDeletedRecently"

    def __init__(self) -> None:
        super().__init__(
            "You must wait 60 seconds after deleting a queue before you can create another with the same name."
        )


class InvalidParameterValue(AwsError):
    code = "InvalidParameterValueException"


class MissingParameter(AwsError):
    code = "MissingRequiredParameterException"

    def __init__(self, name: str) -> None:
        super().__init__(f"The request must contain the parameter {name}.")


class InvalidAddress(AwsError):
    code = "InvalidAddress"
    status = 404


class InvalidAttributeName(AwsError):
    code = "InvalidAttributeName"


class InvalidAttributeValue(AwsError):
    code = "InvalidAttributeValue"


class InvalidMessageContents(AwsError):
    code = "InvalidMessageContents"


class ReceiptHandleIsInvalid(AwsError):
    code = "ReceiptHandleIsInvalid"


class MessageNotInflight(AwsError):
    code = "MessageNotInflight"


class PurgeQueueInProgress(AwsError):
    code = "PurgeQueueInProgress"


class EmptyBatchRequest(AwsError):
    code = "EmptyBatchRequest"


class TooManyEntriesInBatchRequest(AwsError):
    code = "TooManyEntriesInBatchRequest"


class BatchEntryIdsNotDistinct(AwsError):
    code = "BatchEntryIdsNotDistinct"


class InvalidBatchEntryId(AwsError):
    code = "InvalidBatchEntryId"


class BatchRequestTooLong(AwsError):
    code = "BatchRequestTooLong"


class UnsupportedOperation(AwsError):
    code = "UnsupportedOperation"


class ResourceNotFound(AwsError):
    code = "ResourceNotFoundException"
    status = 404
