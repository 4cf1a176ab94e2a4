"""The error codes of SES."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class InvalidParameterValue(AwsError):
    code = "InvalidParameterValue"


class MessageRejected(AwsError):
    code = "MessageRejected"


class NotVerified(MessageRejected):
    def __init__(self, region: str, identity: str) -> None:
        super().__init__(
            "Email address is not verified. The following identities failed the check in region "
            f"{region.upper()}: {identity}"
        )


class TemplateDoesNotExist(AwsError):
    code = "TemplateDoesNotExist"

    def __init__(self, name: str) -> None:
        super().__init__(f"Template {name} does not exist.")


class AlreadyExists(AwsError):
    code = "AlreadyExists"


class InvalidTemplate(AwsError):
    code = "InvalidTemplate"


class MissingRenderingAttribute(AwsError):
    code = "MissingRenderingAttribute"


class InvalidRenderingParameter(AwsError):
    code = "InvalidRenderingParameter"


class AccountSendingPaused(AwsError):
    code = "AccountSendingPausedException"

    def __init__(self) -> None:
        super().__init__("Sending is paused for this account.")


class DailyQuotaExceeded(AwsError):
    code = "Throttling"

    def __init__(self) -> None:
        super().__init__("Daily message quota exceeded.")


class SendingRateExceeded(AwsError):
    code = "Throttling"

    def __init__(self) -> None:
        super().__init__("Maximum sending rate exceeded.")


class ConfigurationSetDoesNotExist(AwsError):
    code = "ConfigurationSetDoesNotExist"

    def __init__(self, name: str) -> None:
        super().__init__(f"Configuration set <{name}> does not exist.")


class ConfigurationSetAlreadyExists(AwsError):
    code = "ConfigurationSetAlreadyExists"


class ConfigurationSetSendingPaused(AwsError):
    code = "ConfigurationSetSendingPausedException"

    def __init__(self, name: str) -> None:
        super().__init__(f"Sending is paused for configuration set <{name}>.")


class EventDestinationDoesNotExist(AwsError):
    code = "EventDestinationDoesNotExist"


class EventDestinationAlreadyExists(AwsError):
    code = "EventDestinationAlreadyExists"


class InvalidSNSDestination(AwsError):
    code = "InvalidSNSDestination"

    def __init__(self, topic: str) -> None:
        super().__init__(f"SNS topic <{topic}> not found.")


class RuleSetDoesNotExist(AwsError):
    code = "RuleSetDoesNotExist"

    def __init__(self, name: str) -> None:
        super().__init__(f"Rule set does not exist: {name}")


class RuleDoesNotExist(AwsError):
    code = "RuleDoesNotExist"

    def __init__(self, name: str) -> None:
        super().__init__(f"Rule does not exist: {name}")


class CannotDelete(AwsError):
    code = "CannotDelete"


class InvalidS3Configuration(AwsError):
    code = "InvalidS3Configuration"


class InvalidSnsTopic(AwsError):
    code = "InvalidSnsTopic"
