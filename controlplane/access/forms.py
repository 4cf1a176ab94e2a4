"""Who signed an HTML form that uploads to S3: the signature is over the form's policy, in its fields."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.access import keys, sessions, sigv4
from controlplane.access.dialects import Dialect, Refusal, compared, refusal
from controlplane.access.principals import Credential, Principals
from controlplane.core.errors import AwsError
from controlplane.core.http import Signed
from controlplane.core.principal import ANONYMOUS, Principal
from controlplane.state.sealing import Sealer, SealError

_FIELDS_4 = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")
_FIELDS_2 = ("AWSAccessKeyId", "Signature")
_CREDENTIAL = re.compile(r"([\w.-]{1,128})/(\d{8})/([a-z0-9-]{1,64})/(s3)/(aws4_request)", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Signed:
    access_key_id: str
    signature: str


def _require(fields: Mapping[str, str], names: Sequence[str]) -> None:
    for name in names:
        if not fields.get(name.lower()):
            raise AwsError(
                f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the "
                "fields.",
                code="InvalidArgument",
                members={"ArgumentName": name, "ArgumentValue": ""},
            )


def _check(signed: _Signed, expected: str, policy: str) -> None:
    if not sigv4.equal(expected, signed.signature):
        error = refusal(Dialect.S3, Refusal.MISMATCH)
        error.members = compared(signed, policy.encode())
        raise error


class Forms:
    """Checks forms' signatures, of version 4 and of version 2."""

    def __init__(self, principals: Principals, sealer: Sealer) -> None:
        self._principals = principals
        self._sealer = sealer

    async def authenticate(self, fields: Mapping[str, str]) -> tuple[Principal, Signed | None]:
        """The signer of a form, by its fields in lower case, and how it was signed; ANONYMOUS without a policy.
        Raises AwsError."""
        policy = fields.get("policy")
        if policy is None:
            return ANONYMOUS, None
        for names, check, scheme in (
            (_FIELDS_4, self._version_4, sigv4.ALGORITHM),
            (_FIELDS_2, self._version_2, "AWS"),
        ):
            if any(name.lower() in fields for name in names):
                _require(fields, names)
                return await check(fields, policy), Signed(scheme, "POST", None)
        raise AwsError("Access Denied", code="AccessDenied", status=403)

    async def _version_2(self, fields: Mapping[str, str], policy: str) -> Principal:
        signed = _Signed(fields["awsaccesskeyid"], fields["signature"])
        credential = await self._credential(signed.access_key_id, fields.get("x-amz-security-token"))
        digest = hmac.digest(credential.secret.encode(), policy.encode(), hashlib.sha1)
        _check(signed, b64encode(digest).decode(), policy)
        return credential.principal

    async def _version_4(self, fields: Mapping[str, str], policy: str) -> Principal:
        parts = _CREDENTIAL.fullmatch(fields["x-amz-credential"])
        if fields["x-amz-algorithm"] != sigv4.ALGORITHM or parts is None:
            raise refusal(Dialect.S3, Refusal.UNREADABLE, "The form's credential or algorithm is malformed.")
        credential = await self._credential(parts[1], fields.get("x-amz-security-token"))
        key = credential.signing_key(parts[2], parts[3], parts[4])
        _check(_Signed(parts[1], fields["x-amz-signature"]), hmac.digest(key, policy.encode(), "sha256").hex(), policy)
        return credential.principal

    async def _credential(self, access_key_id: str, token: str | None) -> Credential:
        if token is not None:
            try:
                principal = sessions.open_token(self._sealer, access_key_id, token)
            except SealError as error:
                raise refusal(Dialect.S3, Refusal.BAD_TOKEN) from error
            if sessions.is_expired(principal, time.time()):
                raise refusal(Dialect.S3, Refusal.EXPIRED_TOKEN)
            if await self._principals.is_closed(principal.account_id):
                raise refusal(Dialect.S3, Refusal.UNKNOWN_KEY)
            return Credential(principal, sessions.secret_of(self._sealer, access_key_id))
        found = None if access_key_id.startswith(keys.TEMPORARY) else await self._principals.credential(access_key_id)
        if found is None:
            raise refusal(Dialect.S3, Refusal.UNKNOWN_KEY)
        return found
