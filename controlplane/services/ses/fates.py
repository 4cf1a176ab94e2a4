"""What becomes of a mail, recipient by recipient: delivered, bounced, complained about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from controlplane.services.ses.events import Event, now

_SIMULATOR = "simulator.amazonses.com"
_MTA = "dns; celaje"


@dataclass(slots=True)
class Fates:
    """Recipients by what happens to them. `waiting` are those of whom only a relay can say."""

    delivered: list[str] = field(default_factory=list)
    bounced: list[str] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    complained: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def events(self) -> list[Event]:
        """What is to be told of those whose fate is known."""
        found = [Event("Delivery", delivery([address])) for address in self.delivered]
        found += [Event("Bounce", bounce([address], "General", "5.1.1", "user unknown")) for address in self.bounced]
        why = "Amazon SES did not send to this address, which is on the suppression list for your account."
        found += [Event("Bounce", _suppressed(address, why)) for address in self.suppressed]
        found += [Event("Bounce", _away(address)) for address in self.away]
        found += [Event("Complaint", _complaint(address)) for address in self.complained]
        return found


def is_simulated(address: str) -> bool:
    """Whether an address is one of AWS's simulator."""
    return address.rpartition("@")[2].lower() == _SIMULATOR


def decide(recipients: Sequence[str], suppressed: set[str], *, relayed: bool) -> Fates:
    """AWS's simulator addresses do what AWS's do; `suppressed` are addresses in small letters."""
    fates = Fates()
    for address in recipients:
        local, _, domain = address.lower().rpartition("@")
        kind = local.partition("+")[0] if domain == _SIMULATOR else ""
        if address.lower() in suppressed or kind == "suppressionlist":
            fates.suppressed.append(address)
        elif kind == "bounce":
            fates.bounced.append(address)
        elif kind or not relayed:
            fates.delivered.append(address)
            if kind == "complaint":
                fates.complained.append(address)
            elif kind == "ooto":
                fates.away.append(address)
        else:
            fates.waiting.append(address)
    return fates


def delivery(recipients: Sequence[str], answer: str = "250 2.6.0 Message received") -> dict[str, Any]:
    """The detail of a Delivery."""
    return {
        "timestamp": now(),
        "processingTimeMillis": 1,
        "recipients": list(recipients),
        "smtpResponse": answer,
        "reportingMTA": "celaje",
    }


def bounce(recipients: Sequence[str], subtype: str, status: str, why: str, kind: str = "Permanent") -> dict[str, Any]:
    """The detail of a Bounce."""
    told = [
        {"emailAddress": address, "action": "failed", "status": status, "diagnosticCode": f"smtp; 550 {status} {why}"}
        for address in recipients
    ]
    return {
        "feedbackId": _id(),
        "bounceType": kind,
        "bounceSubType": subtype,
        "bouncedRecipients": told,
        "timestamp": now(),
        "reportingMTA": _MTA,
    }


def _suppressed(address: str, why: str) -> dict[str, Any]:
    return bounce([address], "OnAccountSuppressionList", "5.1.1", why)


def _away(address: str) -> dict[str, Any]:
    return {**bounce([address], "General", "", "", "Transient"), "bouncedRecipients": [{"emailAddress": address}]}


def _complaint(address: str) -> dict[str, Any]:
    return {
        "feedbackId": _id(),
        "complaintSubType": None,
        "complainedRecipients": [{"emailAddress": address}],
        "timestamp": now(),
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": now(),
    }


def _id() -> str:
    return f"{uuid4()}-000000"
