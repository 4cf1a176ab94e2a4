"""Console passwords: hashing, and the rules of an account's password policy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")
_KIB = 19 * 1024  # OWASP's parameters for Argon2id: 19 MiB, two passes, one lane
_CHECKS = 2
_hashing = asyncio.Semaphore(_CHECKS)
"""Hashing takes memory and a core, so only so many run side by side in a process."""

DEFAULT_POLICY: Mapping[str, Any] = {
    "MinimumPasswordLength": 6,
    "RequireSymbols": False,
    "RequireNumbers": False,
    "RequireUppercaseCharacters": False,
    "RequireLowercaseCharacters": False,
    "AllowUsersToChangePassword": False,
}
"""What UpdateAccountPasswordPolicy sets where nothing is given; without a policy `shortcomings` takes None."""
_UNSET_LENGTH = 8


def _argon(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=32, iterations=2, lanes=1, memory_cost=_KIB)


async def hashed(password: str) -> str:
    """A password's hash, as a PHC text."""
    async with _hashing:
        return await asyncio.to_thread(lambda: _argon(os.urandom(16)).derive_phc_encoded(password.encode()))


async def matches(password: str, phc: str) -> bool:
    """Whether a password is that of a hash."""
    async with _hashing:
        return await asyncio.to_thread(_matches, password.encode(), phc)


@cache
def _nobody() -> str:
    return _argon(os.urandom(16)).derive_phc_encoded(os.urandom(16))


async def nobodys() -> str:
    """A hash that no password has, to compare with where there is no user, at the same cost."""
    return await asyncio.to_thread(_nobody)


def _matches(password: bytes, phc: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password, phc)
    except InvalidKey:
        return False
    return True


def shortcomings(password: str, policy: Mapping[str, Any] | None, names: tuple[str, ...] = ()) -> list[str]:
    """What a password lacks, in AWS's words. Without a policy: eight characters of three kinds, none of the `names`."""
    shortest = policy["MinimumPasswordLength"] if policy is not None else _UNSET_LENGTH
    found = [] if len(password) >= shortest else [f"Password should have a minimum length of {shortest}"]
    kinds = {
        "RequireUppercaseCharacters": (any(map(str.isupper, password)), "one uppercase letter"),
        "RequireLowercaseCharacters": (any(map(str.islower, password)), "one lowercase letter"),
        "RequireNumbers": (any(map(str.isdigit, password)), "one number"),
        "RequireSymbols": (not SYMBOLS.isdisjoint(password), "one symbol"),
    }
    if policy is not None:
        found += [
            f"Password should have at least {word}" for rule, (has, word) in kinds.items() if policy[rule] and not has
        ]
        return found
    if sum(has for has, _ in kinds.values()) < 3:
        found.append("Password should have at least three of: uppercase letters, lowercase letters, numbers, symbols")
    if password.lower() in {name.lower() for name in names}:
        found.append("Password should not be identical to the account or user name")
    return found
