"""What the rules do with a mail that has come in."""

from __future__ import annotations

import base64
import email
import email.policy
import logging
from collections.abc import Mapping
from email.message import EmailMessage, Message
from typing import Any
from uuid import uuid4

from controlplane.core.context import Unit
from controlplane.core.errors import AwsError
from controlplane.services.ses import events, mailing, receiving, relaying
from controlplane.work.reconciler import Run
from controlplane.work.wake import wake

log = logging.getLogger(__name__)

_LARGEST_TOLD = 150 * 1024
_ACTIVE = "SELECT name, rules FROM ses_rule_sets WHERE account_id = $1 AND region = $2 AND active"
_GRAY = {"status": "GRAY"}
_VERDICTS = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")
_SUBJECT = "Amazon SES Email Receipt Notification"


class Application:
    """One mail and the rules of the set that is active; all that it writes is part of the step `db`."""

    def __init__(self, run: Run, db: Unit, row: Any, rule_set: Any) -> None:
        self._db = db
        self._row = row
        self._rules = rule_set["rules"]
        self._arn = f"arn:aws:ses:{row['region']}:{row['account_id']}:receipt-rule-set/{rule_set['name']}"
        self._sealer = run.engine("sealing")
        self._ctx = run.acting(db, "ses.amazonaws.com", self._arn)
        self._content = mailing.opened(self._sealer, row)
        self._id = str(row["id"]).replace("-", "")

    async def apply(self) -> None:
        """All rules in their order, until one says stop."""
        for rule in self._rules:
            to = [address for address in self._row["destinations"] if receiving.matches(rule, address.lower())]
            if not rule["Enabled"] or not to:
                continue
            for action in rule["Actions"]:
                ((kind, value),) = ((kind, value) for kind, value in action.items() if value)
                try:
                    if not await self._act(kind, value, to):
                        return
                except AwsError as error:
                    if error.status >= 500:
                        raise
                    log.info("a receipt rule could not do what it says: %s", error.code)

    async def _act(self, kind: str, value: Mapping[str, Any], to: list[str]) -> bool:
        """Do one action; False when it was the last one."""
        told: dict[str, Any] = {"type": kind.removesuffix("Action"), "topicArn": value.get("TopicArn")}
        if kind == "AddHeaderAction":
            header = f"{value['HeaderName']}: {value['HeaderValue']}\r\n"
            self._content = header.encode() + self._content
        elif kind == "S3Action":
            key = f"{value.get('ObjectKeyPrefix') or ''}{self._id}"
            request = {"Bucket": value["BucketName"], "Key": key, "Body": self._content}
            await self._ctx.call("s3", "PutObject", request)
            told |= {"bucketName": value["BucketName"], "objectKey": key}
            told["objectKeyPrefix"] = value.get("ObjectKeyPrefix")
        elif kind == "BounceAction":
            await self._bounce(value)
            told |= {"smtpReplyCode": value["SmtpReplyCode"], "message": value["Message"], "sender": value["Sender"]}
        if kind == "SNSAction" and len(self._content) > _LARGEST_TOLD:
            log.info("a mail was too large for a topic")
        elif value.get("TopicArn"):
            await self._tell(value, told, to, content=kind == "SNSAction")
        return kind != "StopAction"

    async def _tell(self, value: Mapping[str, Any], told: dict[str, Any], to: list[str], *, content: bool) -> None:
        parsed = self._parsed()
        body: dict[str, Any] = {
            "notificationType": "Received",
            "mail": events.described(
                parsed, self._id, source=self._row["source"], destination=list(self._row["destinations"])
            ),
            "receipt": {
                "timestamp": events.now(),
                "processingTimeMillis": 1,
                "recipients": to,
                **dict.fromkeys(_VERDICTS, _GRAY),
                "action": {name: item for name, item in told.items() if item is not None},
            },
        }
        if content:
            encoding = value.get("Encoding") or "UTF-8"
            body["receipt"]["action"]["encoding"] = encoding
            encoded = encoding == "Base64"
            body["content"] = (
                base64.b64encode(self._content).decode() if encoded else self._content.decode("utf-8", "replace")
            )
        account = self._row["account_id"]
        await events.tell_topic(self._db, account, self._arn, value["TopicArn"], _SUBJECT, body)

    async def _bounce(self, value: Mapping[str, Any]) -> None:
        """Send a mail back, never in answer to one that was sent by a machine (RFC 3834): no two can go on for ever."""
        sender, parsed = self._row["source"], self._parsed()
        automatic = str(parsed["Auto-Submitted"] or "no").strip().lower() != "no"
        if not sender or automatic or parsed["List-Id"] or str(parsed["Precedence"] or "").lower() in ("bulk", "junk"):
            return
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = value["Sender"], sender, "Delivery Status Notification (Failure)"
        mail["Auto-Submitted"] = "auto-replied"
        status = value.get("StatusCode") or "5.0.0"
        mail.set_content(f"{value['SmtpReplyCode']} {status} {value['Message']}\n")
        id, box = uuid4(), (self._row["account_id"], self._row["region"])
        content = mailing.finished(mail, f"{id}-000000", self._row["region"])
        relayed = await relaying.configured(self._db)
        facts = {"mail": {"messageId": f"{id}-000000"}, "arn": self._arn, "topics": [], "identity": {}}
        waiting = {"waiting": [sender], "facts": facts} if relayed else {}
        await mailing.keep(self._db, self._sealer, box, id, "", [sender], content, counted=False, **waiting)
        if relayed:
            await wake(self._db, relaying.RELAY, str(id))

    def _parsed(self) -> Message:
        head = self._content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return email.message_from_bytes(head, policy=email.policy.default)


async def apply(run: Run, db: Unit, row: Any) -> None:
    """Apply the rules that are active now."""
    rule_set = await db.fetchrow(_ACTIVE, row["account_id"], row["region"])
    if rule_set is not None:
        await Application(run, db, row, rule_set).apply()
