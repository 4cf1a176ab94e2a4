"""The EC2 error codes that this service raises, beside those that `nouns` makes of the nouns' names."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class InvalidParameterValue(AwsError):
    code = "InvalidParameterValue"


class InvalidParameterCombination(AwsError):
    code = "InvalidParameterCombination"


class MissingParameter(AwsError):
    code = "MissingParameter"


class IncorrectInstanceState(AwsError):
    code = "IncorrectInstanceState"


class IncorrectState(AwsError):
    code = "IncorrectState"


class OperationNotPermitted(AwsError):
    code = "OperationNotPermitted"


class DependencyViolation(AwsError):
    code = "DependencyViolation"


class ResourceAlreadyAssociated(AwsError):
    code = "Resource.AlreadyAssociated"


class VpcIdNotSpecified(AwsError):
    code = "VPCIdNotSpecified"


class InsufficientInstanceCapacity(AwsError):
    code = "InsufficientInstanceCapacity"
    status = 503


class InsufficientFreeAddressesInSubnet(AwsError):
    code = "InsufficientFreeAddressesInSubnet"


class InsufficientAddressCapacity(AwsError):
    code = "InsufficientAddressCapacity"


class Unsupported(AwsError):
    code = "Unsupported"


class InvalidKeyPairDuplicate(AwsError):
    code = "InvalidKeyPair.Duplicate"


class InvalidKeyPairNotFound(AwsError):
    code = "InvalidKeyPair.NotFound"


class InvalidKeyFormat(AwsError):
    code = "InvalidKey.Format"


class InvalidGroupDuplicate(AwsError):
    code = "InvalidGroup.Duplicate"


class InvalidGroupNotFound(AwsError):
    code = "InvalidGroup.NotFound"


class InvalidPermissionDuplicate(AwsError):
    code = "InvalidPermission.Duplicate"


class InvalidPermissionNotFound(AwsError):
    code = "InvalidPermission.NotFound"


class CannotDelete(AwsError):
    code = "CannotDelete"


class InvalidPaginationToken(AwsError):
    code = "InvalidPaginationToken"
