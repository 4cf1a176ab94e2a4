"""The error codes that Organizations answers with."""

from __future__ import annotations

from controlplane.core.errors import AwsError


class _Said(AwsError):
    """An error whose words never change."""

    words = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.words, code=type(self).__name__)


class _Reasoned(AwsError):
    """An error with a reason beside its words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, code=type(self).__name__, members={"Reason": reason})


class AWSOrganizationsNotInUseException(_Said):
    words = "Your account is not a member of an organization."


class AccessDeniedException(_Said):
    words = "You don't have permissions to access this resource."


class AccountAlreadyClosedException(_Said):
    words = "The specified account is already closed or closing."


class AccountAlreadyRegisteredException(_Said):
    words = "The provided account is already a delegated administrator for your organization."


class AccountNotFoundException(_Said):
    words = "You specified an account that doesn't exist."


class AccountNotRegisteredException(_Said):
    words = "The provided account is not a registered delegated administrator for your organization."


class AlreadyInOrganizationException(_Said):
    words = "The provided account is already a member of an organization."


class ChildNotFoundException(_Said):
    words = "You specified a child that doesn't exist."


class CreateAccountStatusNotFoundException(_Said):
    words = "You specified a create account request ID that doesn't exist."


class DestinationParentNotFoundException(_Said):
    words = "You specified a destination parent that doesn't exist."


class DuplicateAccountException(_Said):
    words = "That account is already present in the specified destination."


class DuplicateHandshakeException(_Said):
    words = "A handshake with the same action and target already exists."


class DuplicateOrganizationalUnitException(_Said):
    words = "An OU with the same name already exists."


class DuplicatePolicyAttachmentException(_Said):
    words = "The selected policy is already attached to the specified target."


class DuplicatePolicyException(_Said):
    words = "A policy with the same name already exists."


class EffectivePolicyNotFoundException(_Said):
    words = "There is no effective policy of the specified type for the target."


class HandshakeAlreadyInStateException(_Said):
    words = "The specified handshake is already in the requested state."


class HandshakeNotFoundException(_Said):
    words = "We can't find a handshake with the HandshakeId that you specified."


class InvalidHandshakeTransitionException(_Said):
    words = "You can't perform the operation on the handshake in its current state."


class MalformedPolicyDocumentException(_Said):
    words = "The provided policy document does not meet the requirements of the specified policy type."


class MasterCannotLeaveOrganizationException(_Said):
    words = "The management account cannot leave the organization; delete the organization instead."


class OrganizationNotEmptyException(_Said):
    words = "To delete an organization you must first remove all member accounts (except the master)."


class OrganizationalUnitNotEmptyException(_Said):
    words = "The specified OU is not empty."


class OrganizationalUnitNotFoundException(_Said):
    words = "You specified an organizational unit that doesn't exist."


class ParentNotFoundException(_Said):
    words = "You specified parent that doesn't exist."


class PolicyInUseException(_Said):
    words = "The specified policy is in use: detach it from all roots, OUs and accounts first."


class PolicyNotAttachedException(_Said):
    words = "The policy isn't attached to the specified target in the specified root."


class PolicyNotFoundException(_Said):
    words = "You specified a policy that doesn't exist."


class PolicyTypeAlreadyEnabledException(_Said):
    words = "The specified policy type is already enabled."


class PolicyTypeNotAvailableForOrganizationException(_Said):
    words = "You can't use the specified policy type with the feature set currently enabled for this organization."


class PolicyTypeNotEnabledException(_Said):
    words = "This operation can be performed only for enabled policy types."


class ResourcePolicyNotFoundException(_Said):
    words = "We can't find a resource policy request with the parameter that you specified."


class RootNotFoundException(_Said):
    words = "You specified a root that doesn't exist."


class SourceParentNotFoundException(_Said):
    words = "You specified a source parent that doesn't exist."


class TargetNotFoundException(_Said):
    words = "You specified a target that doesn't exist."


class ConstraintViolationException(_Reasoned):
    """A limit or a rule of the organization stands in the way."""


class HandshakeConstraintViolationException(_Reasoned):
    """An invitation that cannot be."""


class InvalidInputException(_Reasoned):
    """A parameter that the model cannot judge."""
