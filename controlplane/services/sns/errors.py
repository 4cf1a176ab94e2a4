"""The error codes of SNS."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class InvalidParameter(AwsError):
    """Wording: `Invalid parameter: ` and what is wrong."""

    code = "InvalidParameter"

    def __init__(self, reason: str, *, bare: bool = False) -> None:
        super().__init__(reason if bare else f"Invalid parameter: {reason}")


class NotFound(AwsError):
    code = "NotFound"
    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not exist")


class ParameterValueInvalid(AwsError):
    code = "ParameterValueInvalid"


class ValidationError(AwsError):
    code = "ValidationError"


class AuthorizationError(AwsError):
    code = "AuthorizationError"
    status = 403


class TooManyEntriesInBatchRequest(AwsError):
    code = "TooManyEntriesInBatchRequest"

    def __init__(self) -> None:
        super().__init__("The batch request contains more entries than permissible.")


class EmptyBatchRequest(AwsError):
    code = "EmptyBatchRequest"

    def __init__(self) -> None:
        super().__init__("The batch request doesn't contain any entries.")


class BatchEntryIdsNotDistinct(AwsError):
    code = "BatchEntryIdsNotDistinct"

    def __init__(self) -> None:
        super().__init__("Two or more batch entries in the request have the same Id.")


class InvalidBatchEntryId(AwsError):
    code = "InvalidBatchEntryId"


class BatchRequestTooLong(AwsError):
    code = "BatchRequestTooLong"

    def __init__(self) -> None:
        super().__init__("The length of all the messages put together is more than the limit.")


class ResourceNotFound(AwsError):
    code = "ResourceNotFound"
    status = 404


class VerificationFailed(AwsError):
    code = "VerificationException"


class TagLimitExceeded(AwsError):
    code = "TagLimitExceeded"

    def __init__(self) -> None:
        super().__init__("Could not complete request: tag quota of per resource exceeded")


class EndpointDisabled(AwsError):
    code = "EndpointDisabled"

    def __init__(self) -> None:
        super().__init__("Endpoint is disabled")


class PlatformApplicationDisabled(AwsError):
    code = "PlatformApplicationDisabled"

    def __init__(self) -> None:
        super().__init__("Platform application is disabled")


class UserError(AwsError):
    code = "UserError"


class Throttled(AwsError):
    code = "Throttled"
    status = 429


class OptedOut(AwsError):
    code = "OptedOut"

    def __init__(self) -> None:
        super().__init__("This phone number is opted out")
