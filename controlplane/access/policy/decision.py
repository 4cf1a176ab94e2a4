"""What was decided and why, in AWS's words."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from controlplane.access.policy.parse import Statement
from controlplane.access.policy.principals import Caller, PrincipalKind


class PolicyKind(enum.StrEnum):
    """The kinds of policies that take part in a decision; the value is AWS's name for it in messages."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SERVICE_CONTROL = "service control policy"
    RESOURCE_CONTROL = "resource control policy"
    TRUST = "role trust policy"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of one request on one resource.

    `kind` is the kind of policy that decided: the one with the deciding `statement`, or, for an implicit denial
    (`statement` is None), the one that lacks an allowance. It is None where root's own power decided.
    """

    allowed: bool
    kind: PolicyKind | None
    statement: Statement | None = None

    @property
    def explicit(self) -> bool:
        """Whether a Deny statement decided."""
        return not self.allowed and self.statement is not None

    def reason(self, action: str) -> str:
        """The end of a denial's message, from `because` or `with` on."""
        if self.kind is None or self.allowed:
            return ""
        if self.explicit:
            article = "an" if self.kind is PolicyKind.IDENTITY else "the" if self.kind is PolicyKind.TRUST else "a"
            return f"with an explicit deny in {article} {self.kind}"
        return f"because no {self.kind} allows the {action} action"


def denial_message(caller: Caller, action: str, resource: str, decision: Decision) -> str:
    """AWS's sentence for a denial; an empty resource is left out, as EC2 does for `*`."""
    subject = "Anonymous" if caller.kind is PrincipalKind.ANONYMOUS else caller.arn
    where = f" on resource: {resource}" if resource else ""
    return f"User: {subject} is not authorized to perform: {action}{where} {decision.reason(action)}".rstrip()
