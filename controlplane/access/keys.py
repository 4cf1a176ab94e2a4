"""Access keys: their ids and secrets.

As AWS does, an id carries its account: in the 80 bits after the prefix, bits 1 to 40 are the account's number. Thus
GetAccessKeyInfo answers for every key, temporary ones included, without a table.
"""

from __future__ import annotations

import base64
import binascii
import secrets

LONG_TERM = "AKIA"
TEMPORARY = "ASIA"

_BITS = 80
_ACCOUNT_SHIFT = 39
_ACCOUNT_MASK = (1 << 40) - 1


def new_id(prefix: str, account_id: str) -> str:
    """An access key id of 20 characters, `AKIA…` or `ASIA…`."""
    number = 1 << (_BITS - 1) | int(account_id) << _ACCOUNT_SHIFT | secrets.randbits(_ACCOUNT_SHIFT)
    return prefix + base64.b32encode(number.to_bytes(_BITS // 8)).decode()


def account_of(access_key_id: str) -> str:
    """The account that an id was made for. Raises ValueError when it is no such id."""
    try:
        number = int.from_bytes(base64.b32decode(access_key_id[4:]))
    except binascii.Error as error:
        raise ValueError("not an access key id") from error
    if len(access_key_id) != 20 or not number >> (_BITS - 1):
        raise ValueError("not an access key id")
    return f"{number >> _ACCOUNT_SHIFT & _ACCOUNT_MASK:012d}"


def new_secret() -> str:
    """A secret of 40 characters."""
    return base64.b64encode(secrets.token_bytes(30)).decode()
