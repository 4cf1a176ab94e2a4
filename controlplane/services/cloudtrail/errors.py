"""The error codes that CloudTrail answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class CloudTrailARNInvalidException(AwsError):
    code = "CloudTrailARNInvalidException"


class InvalidEventSelectorsException(AwsError):
    code = "InvalidEventSelectorsException"


class InvalidHomeRegionException(AwsError):
    code = "InvalidHomeRegionException"


class InvalidLookupAttributesException(AwsError):
    code = "InvalidLookupAttributesException"


class InvalidMaxResultsException(AwsError):
    code = "InvalidMaxResultsException"


class InvalidNextTokenException(AwsError):
    code = "InvalidNextTokenException"


class InvalidParameterCombinationException(AwsError):
    code = "InvalidParameterCombinationException"


class InvalidS3BucketNameException(AwsError):
    code = "InvalidS3BucketNameException"


class InvalidS3PrefixException(AwsError):
    code = "InvalidS3PrefixException"


class InvalidTagParameterException(AwsError):
    code = "InvalidTagParameterException"


class InvalidTimeRangeException(AwsError):
    code = "InvalidTimeRangeException"


class InvalidTrailNameException(AwsError):
    code = "InvalidTrailNameException"


class InsightNotEnabledException(AwsError):
    code = "InsightNotEnabledException"


class InsufficientEncryptionPolicyException(AwsError):
    code = "InsufficientEncryptionPolicyException"


class InsufficientS3BucketPolicyException(AwsError):
    code = "InsufficientS3BucketPolicyException"


class KmsKeyDisabledException(AwsError):
    code = "KmsKeyDisabledException"


class KmsKeyNotFoundException(AwsError):
    code = "KmsKeyNotFoundException"


class MaximumNumberOfTrailsExceededException(AwsError):
    code = "MaximumNumberOfTrailsExceededException"


class ResourceNotFoundException(AwsError):
    code = "ResourceNotFoundException"


class S3BucketDoesNotExistException(AwsError):
    code = "S3BucketDoesNotExistException"


class TagsLimitExceededException(AwsError):
    code = "TagsLimitExceededException"


class TrailAlreadyExistsException(AwsError):
    code = "TrailAlreadyExistsException"


class TrailNotFoundException(AwsError):
    code = "TrailNotFoundException"


class UnsupportedOperationException(AwsError):
    code = "UnsupportedOperationException"
