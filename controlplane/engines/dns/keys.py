"""The keys of signed zones in PowerDNS.

PowerDNS signs each answer as it is asked for, with a zone-signing key in its table `cryptokeys`. The key-signing key
is elsewhere and never comes here: its one signature, over the zone's DNSKEYs, lies in a file for each zone, out of
which PowerDNS answers questions for them (`SCRIPT`).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlplane.core.context import Unit

SCRIPT = """\
-- Written by Celaje at every start.
function prequery(packet)
  local name, type = packet:getQuestion()
  name = name:lower()
  if type ~= pdns.DNSKEY or not name:match('^[a-z0-9_-][a-z0-9_.-]*$') then return false end
  local file = io.open('{folder}/' .. name, 'r')
  if not file then return false end
  local records = {{}}
  for line in file:lines() do
    local kind, ttl, value = line:match('^(%u+) (%d+) (.+)$')
    if kind ~= 'RRSIG' or packet:hasEDNS() then
      table.insert(records, newDR(newDN(name), kind, tonumber(ttl), value, 1))
    end
  end
  file:close()
  packet:addRecords(records)
  return true
end
"""
ALGORITHM = 13
"""ECDSAP256SHA256."""
_ZONE_KEY = 256
_FIND = "SELECT id FROM powerdns.domains WHERE name = $1 AND account = $2 FOR UPDATE"
_CONTENT = "SELECT content FROM powerdns.cryptokeys WHERE domain_id = $1 AND flags = 256"
_ADD = f"INSERT INTO powerdns.cryptokeys (domain_id, flags, active, content) VALUES ($1, {_ZONE_KEY}, true, $2)"
# Narrow: it is proven that a name is not there, and nobody can list the names that are.
_NARROW = """
INSERT INTO powerdns.domainmetadata (domain_id, kind, content)
VALUES ($1, 'NSEC3PARAM', '1 0 0 -'), ($1, 'NSEC3NARROW', '1')
"""
_DROP = "DELETE FROM powerdns.cryptokeys WHERE domain_id = $1"
_DROP_NARROW = "DELETE FROM powerdns.domainmetadata WHERE domain_id = $1"


def folder(run: Path) -> Path:
    """Where the answers about DNSKEYs lie."""
    return run / "dnskeys"


async def sign(db: Unit, name: str, owner: str) -> str:
    """The DNSKEY of a zone's own key, which is made at the first call."""
    id = await db.fetchval(_FIND, name, owner)
    content = await db.fetchval(_CONTENT, id)
    if content is None:
        content = _new_key()
        await db.execute(_ADD, id, content)
        await db.execute(_NARROW, id)
    return _dnskey(content)


async def unsign(db: Unit, name: str, owner: str) -> None:
    """Drop a zone's own key, and with it its signatures."""
    id = await db.fetchval(_FIND, name, owner)
    if id is not None:
        await db.execute(_DROP, id)
        await db.execute(_DROP_NARROW, id)


def publish(folder: Path, name: str, records: Sequence[str]) -> None:
    """Write or remove the file of a zone."""
    path = folder / f"{name}."
    if not records:
        path.unlink(missing_ok=True)
        return
    folder.mkdir(exist_ok=True, mode=0o755)
    aside = folder / f"-{secrets.token_hex(8)}"
    aside.write_text("".join(f"{record}\n" for record in records))
    aside.replace(path)


def _new_key() -> str:
    """In the form of PowerDNS and BIND."""
    private = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    secret = base64.b64encode(private.to_bytes(32, "big")).decode()
    return f"Private-key-format: v1.2\nAlgorithm: {ALGORITHM} (ECDSAP256SHA256)\nPrivateKey: {secret}\n"


def _dnskey(content: str) -> str:
    secret = base64.b64decode(content.rpartition("PrivateKey: ")[2])
    public = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    return f"{_ZONE_KEY} 3 {ALGORITHM} {base64.b64encode(point).decode()}"
