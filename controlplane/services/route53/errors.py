"""The error codes that Route 53 answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class InvalidInput(AwsError):
    code = "InvalidInput"


class InvalidDomainName(AwsError):
    code = "InvalidDomainName"


class InvalidChangeBatch(AwsError):
    """Nothing of a batch was done; the messages say why."""

    code = "InvalidChangeBatch"

    def __init__(self, messages: list[str]) -> None:
        text = f"[{', '.join(messages)}]"
        super().__init__(text, members={"messages": messages})


class HostedZoneAlreadyExists(AwsError):
    code = "HostedZoneAlreadyExists"
    status = 409


class HostedZoneNotEmpty(AwsError):
    code = "HostedZoneNotEmpty"


class NoSuchHostedZone(AwsError):
    code = "NoSuchHostedZone"
    status = 404


class NoSuchChange(AwsError):
    code = "NoSuchChange"
    status = 404


class TooManyHostedZones(AwsError):
    code = "TooManyHostedZones"


class LimitsExceeded(AwsError):
    code = "LimitsExceeded"


class DelegationSetAlreadyCreated(AwsError):
    code = "DelegationSetAlreadyCreated"


class DelegationSetAlreadyReusable(AwsError):
    code = "DelegationSetAlreadyReusable"


class DelegationSetInUse(AwsError):
    code = "DelegationSetInUse"


class NoSuchDelegationSet(AwsError):
    code = "NoSuchDelegationSet"


class HostedZoneNotFound(AwsError):
    code = "HostedZoneNotFound"


class NoSuchHealthCheck(AwsError):
    code = "NoSuchHealthCheck"
    status = 404


class HealthCheckAlreadyExists(AwsError):
    code = "HealthCheckAlreadyExists"
    status = 409


class HealthCheckInUse(AwsError):
    code = "HealthCheckInUse"


class HealthCheckVersionMismatch(AwsError):
    code = "HealthCheckVersionMismatch"
    status = 409


class TooManyHealthChecks(AwsError):
    code = "TooManyHealthChecks"


class InvalidVPCId(AwsError):
    code = "InvalidVPCId"

    def __init__(self) -> None:
        super().__init__("The VPC ID is invalid.")


class ConflictingDomainExists(AwsError):
    code = "ConflictingDomainExists"


class PublicZoneVPCAssociation(AwsError):
    code = "PublicZoneVPCAssociation"


class NotAuthorizedException(AwsError):
    code = "NotAuthorizedException"
    status = 401


class LastVPCAssociation(AwsError):
    code = "LastVPCAssociation"


class VPCAssociationNotFound(AwsError):
    code = "VPCAssociationNotFound"
    status = 404


class VPCAssociationAuthorizationNotFound(AwsError):
    code = "VPCAssociationAuthorizationNotFound"
    status = 404


class TooManyVPCAssociationAuthorizations(AwsError):
    code = "TooManyVPCAssociationAuthorizations"


class InvalidPaginationToken(AwsError):
    code = "InvalidPaginationToken"


class InvalidTrafficPolicyDocument(AwsError):
    code = "InvalidTrafficPolicyDocument"


class NoSuchTrafficPolicy(AwsError):
    code = "NoSuchTrafficPolicy"
    status = 404


class TrafficPolicyAlreadyExists(AwsError):
    code = "TrafficPolicyAlreadyExists"
    status = 409


class TooManyTrafficPolicies(AwsError):
    code = "TooManyTrafficPolicies"


class TrafficPolicyInUse(AwsError):
    code = "TrafficPolicyInUse"


class ConflictingTypes(AwsError):
    code = "ConflictingTypes"


class NoSuchTrafficPolicyInstance(AwsError):
    code = "NoSuchTrafficPolicyInstance"
    status = 404


class TrafficPolicyInstanceAlreadyExists(AwsError):
    code = "TrafficPolicyInstanceAlreadyExists"
    status = 409


class InvalidArgument(AwsError):
    code = "InvalidArgument"


class InvalidKMSArn(AwsError):
    code = "InvalidKMSArn"


class InvalidKeySigningKeyName(AwsError):
    code = "InvalidKeySigningKeyName"


class InvalidKeySigningKeyStatus(AwsError):
    code = "InvalidKeySigningKeyStatus"


class KeySigningKeyAlreadyExists(AwsError):
    code = "KeySigningKeyAlreadyExists"
    status = 409


class TooManyKeySigningKeys(AwsError):
    code = "TooManyKeySigningKeys"


class NoSuchKeySigningKey(AwsError):
    code = "NoSuchKeySigningKey"
    status = 404


class KeySigningKeyInUse(AwsError):
    code = "KeySigningKeyInUse"


class KeySigningKeyInParentDSRecord(AwsError):
    code = "KeySigningKeyInParentDSRecord"


class KeySigningKeyWithActiveStatusNotFound(AwsError):
    code = "KeySigningKeyWithActiveStatusNotFound"


class HostedZonePartiallyDelegated(AwsError):
    code = "HostedZonePartiallyDelegated"


class DNSSECNotFound(AwsError):
    code = "DNSSECNotFound"


class CidrCollectionAlreadyExistsException(AwsError):
    code = "CidrCollectionAlreadyExistsException"


class NoSuchCidrCollectionException(AwsError):
    code = "NoSuchCidrCollectionException"
    status = 404


class NoSuchCidrLocationException(AwsError):
    code = "NoSuchCidrLocationException"
    status = 404


class CidrCollectionInUseException(AwsError):
    code = "CidrCollectionInUseException"


class CidrBlockInUseException(AwsError):
    code = "CidrBlockInUseException"


class CidrCollectionVersionMismatchException(AwsError):
    code = "CidrCollectionVersionMismatchException"
    status = 409


class NoSuchCloudWatchLogsLogGroup(AwsError):
    code = "NoSuchCloudWatchLogsLogGroup"
    status = 404


class InsufficientCloudWatchLogsResourcePolicy(AwsError):
    code = "InsufficientCloudWatchLogsResourcePolicy"


class QueryLoggingConfigAlreadyExists(AwsError):
    code = "QueryLoggingConfigAlreadyExists"
    status = 409


class NoSuchQueryLoggingConfig(AwsError):
    code = "NoSuchQueryLoggingConfig"
    status = 404
