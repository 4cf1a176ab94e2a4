"""The keys that mails are signed with, and the zone in which the public ones are read.

A domain's owner sets `TOKEN._domainkey.DOMAIN CNAME TOKEN.dkim.amazonses.com`; the cloud's name server answers there.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controlplane.core.context import Unit
from controlplane.engines.dns.contract import Answer, Zone
from controlplane.services.ses.errors import InvalidParameterValue

ZONE = "dkim.amazonses.com"
PUBLISH = "ses.dkim"
"""The kind of work that writes the zone; its only key is the zone's name."""
OWNER = "ses"
_SIZES = (1024, 2048)
_SELECTOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ALL = "SELECT dkim FROM ses_identities WHERE dkim IS NOT NULL ORDER BY account_id, region, name"
_PIECE = 255


def own(text: str) -> tuple[str, bytes]:
    """A customer's private key, in base64: its public key for a DNS record, and the key in PEM. Raises
    InvalidParameterValue."""
    try:
        key: Any = serialization.load_der_private_key(base64.b64decode("".join(text.split()), validate=True), None)
    except (ValueError, TypeError) as error:
        raise InvalidParameterValue("The private key is not an RSA key in base64.") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size not in _SIZES:
        raise InvalidParameterValue("The private key must be an RSA key of 1024 or 2048 bits.")
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return base64.b64encode(public).decode(), private


def selector(text: str) -> str:
    """Raises InvalidParameterValue."""
    if not _SELECTOR.fullmatch(text):
        raise InvalidParameterValue(f"{text[:100]} is not a selector.")
    return text


async def zone(db: Unit) -> Zone:
    """What the zone answers: each key under its first token. The other tokens are for keys to come."""
    answers: dict[tuple[str, str], Answer] = {
        (ZONE, "SOA"): Answer(900, ((1, (f"ns.{ZONE}. hostmaster.{ZONE}. 1 7200 900 1209600 60",)),)),
        (ZONE, "NS"): Answer(900, ((1, (f"ns.{ZONE}.",)),)),
    }
    for row in await db.fetch(_ALL):
        found = row["dkim"]
        if not found.get("own"):
            text = f"v=DKIM1; k=rsa; p={found['public']}"
            pieces = [text[place : place + _PIECE] for place in range(0, len(text), _PIECE)]
            value = " ".join(f'"{piece}"' for piece in pieces)
            answers[f"{found['selector']}.{ZONE}", "TXT"] = Answer(300, ((1, (value,)),))
    return answers
