"""Virtual MFA devices: time-based one-time codes (RFC 6238). A code is taken once."""

from __future__ import annotations

import secrets
import time
from typing import Any

from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from controlplane.access.attempts import Attempts
from controlplane.core.context import Unit
from controlplane.state.sealing import Sealer

SEED = "mfa-seed"
STEP = 30
_SEED_BYTES = 40
_NEAR = 1
"""Steps by which a device's clock may be off, to either side, besides the drift that is known of it."""

_DEVICE = """
SELECT serial, account_id, owner_id, seed, last_step, drift FROM access_mfa_devices
WHERE serial = $1 AND owner_id = $2 AND enabled_at IS NOT NULL
"""
_ANY_DEVICES = """
SELECT serial, account_id, owner_id, seed, last_step, drift FROM access_mfa_devices
WHERE owner_id = $1 AND enabled_at IS NOT NULL ORDER BY serial
"""
_TAKE = "UPDATE access_mfa_devices SET last_step = $2, drift = $3 WHERE serial = $1 AND last_step < $2 RETURNING true"


def new_seed() -> bytes:
    return secrets.token_bytes(_SEED_BYTES)


async def device(db: Unit, serial: str, owner_id: str) -> Any:
    """An enabled device of its owner, or None."""
    return await db.fetchrow(_DEVICE, serial, owner_id)


async def devices(db: Unit, owner_id: str) -> list[Any]:
    """All enabled devices of a user, or of root (whose id is the account's)."""
    return await db.fetch(_ANY_DEVICES, owner_id)


async def verify(db: Unit, sealer: Sealer, attempts: Attempts, device: Any, code: str) -> bool:
    """Whether a code is right and was not used before. Raises TooManyAttempts after a row of wrong ones."""
    await attempts.begin(device["serial"])
    now = int(time.time()) // STEP
    expected = now + device["drift"]
    seed = sealer.open(SEED, device["seed"], device["serial"])
    for step in range(expected - _NEAR, expected + _NEAR + 1):
        if step > device["last_step"] and _is_code(seed, step, code):
            if not await db.fetchval(_TAKE, device["serial"], step, step - now):
                return False
            await attempts.succeeded(device["serial"])
            return True
    return False


def consecutive(seed: bytes, first: str, second: str, window: int) -> int | None:
    """The step of the second of two codes that follow each other, at most `window` steps from now; None if there is
    none."""
    now = int(time.time()) // STEP
    for distance in sorted(range(-window, window + 1), key=abs):
        step = now + distance
        if _is_code(seed, step - 1, first) and _is_code(seed, step, second):
            return step
    return None


def _is_code(seed: bytes, step: int, code: str) -> bool:
    made = TOTP(seed, 6, SHA1(), STEP).generate(step * STEP)  # noqa: S303 (RFC 6238's default, what devices speak)
    return constant_time.bytes_eq(made, code.encode())
