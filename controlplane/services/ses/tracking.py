"""Opens and clicks: a picture of one pixel and links that lead through this cloud, in the HTML of mails whose
configuration set has a destination for them.

Source: "Amazon SES email sending metrics FAQs" and "Amazon SES custom domains for open and click tracking" in the SES
developer guide.
"""

from __future__ import annotations

import base64
import binascii
import email
import html
import re
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from urllib.parse import quote as percent_encoded
from uuid import UUID

import orjson

from controlplane.core.context import Context
from controlplane.services.ses import events
from controlplane.services.ses.events import Event
from controlplane.state.sealing import Sealer, SealError

OPEN, CLICK = "OPEN", "CLICK"
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PURPOSE = "ses-tracking"
_TAG = re.compile(r"<a\b[^<>]{0,8000}>", re.IGNORECASE)
_LINK = re.compile(r"""(\bhref\s{0,20}=\s{0,20})(["'])(https?://[^"']{1,2000})\2""", re.IGNORECASE)
_NO_TRACK = re.compile(r"\s?\bses:no-track\b", re.IGNORECASE)
"""Strangers write what these read: none looks at a character more than a few times."""
_MOST_LINKS = 250
"""Further links of a mail lead where they did, as at AWS."""
_END = re.compile(r"</body>", re.IGNORECASE)
_MAIL = "SELECT account_id, facts FROM ses_mails WHERE id = $1"
_URL = ":/?#[]@!$&'()*+,;=%~"
"""What stays as it is in a link; all else is percent-encoded."""
_UNTOUCHED = ("multipart/signed", "multipart/encrypted")


def wanted(facts: Mapping[str, Any]) -> set[str]:
    """Which of both a mail's topics want to hear of."""
    return {kind for _, kinds in facts["topics"] for kind in kinds if kind in (OPEN, CLICK)}


def rewritten(content: bytes, id: UUID, kinds: set[str], base: str, sealer: Sealer) -> bytes:
    """A mail with its links and its picture; as it was where it has no HTML, or is signed by its sender."""
    mail = email.message_from_bytes(content, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    if mail.get_content_type() in _UNTOUCHED:
        return content
    changed = False
    for part in mail.walk():
        assert isinstance(part, EmailMessage)
        if part.get_content_type() != "text/html" or part.is_attachment():
            continue
        try:
            text = _with_traces(part.get_content(), id, kinds, base, sealer)
        except (LookupError, ValueError):  # a charset that nobody knows
            continue
        part.set_content(text, subtype="html")
        changed = True
    return mail.as_bytes() if changed else content


def _with_traces(text: str, id: UUID, kinds: set[str], base: str, sealer: Sealer) -> str:
    left = _MOST_LINKS

    def tag(found: re.Match[str]) -> str:
        nonlocal left
        if _NO_TRACK.search(found[0]):
            return _NO_TRACK.sub("", found[0])
        made, links = _LINK.subn(link, found[0], count=1) if left else (found[0], 0)
        left -= links
        return made

    def link(found: re.Match[str]) -> str:
        before, quote, target = found.groups()
        token = _token(sealer, id, percent_encoded(html.unescape(target), safe=_URL))
        return f"{before}{quote}{base}/_celaje/ses/click/{token}{quote}"

    if CLICK in kinds:
        text = _TAG.sub(tag, text)
    if OPEN in kinds:
        picture = f'<img alt="" src="{base}/_celaje/ses/open/{_token(sealer, id, "")}" width="1" height="1">'
        text = _END.sub(f"{picture}</body>", text, count=1) if _END.search(text) else text + picture
    return text


def _token(sealer: Sealer, id: UUID, link: str) -> str:
    sealed = sealer.seal(_PURPOSE, orjson.dumps([str(id), link]), "")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


async def seen(ctx: Context, token: str) -> str | None:
    """Tell of an open or a click, by its token; answers the link, empty for an open. None for a token of nobody's."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        id, link = orjson.loads(ctx.engine("sealing").open(_PURPOSE, sealed, ""))
    except (SealError, ValueError, binascii.Error):
        return None
    row = await ctx.db.fetchrow(_MAIL, UUID(id))
    if row is not None and row["facts"]:
        detail = {"ipAddress": ctx.source_ip, "timestamp": events.now(), "userAgent": ctx.user_agent}
        event = Event("Click", {**detail, "link": link, "linkTags": None}) if link else Event("Open", detail)
        await events.tell(ctx.db, row["account_id"], row["facts"], [event])
    return str(link)
