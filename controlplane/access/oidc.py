"""ID tokens of OpenID Connect providers: keys from the issuer's discovery document, signature, audience, times."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from controlplane.access.issuers import IssuerUnreachable, Resolve, fetch_json

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
_FRESH = 3600.0
_AGAIN = 10.0
"""Keys are asked for anew after an hour, and for an unknown key id, but not more often than every ten seconds."""
_KEPT = 256
_MOST_KEYS = 100
_LEEWAY = 30
_OF_TYPE = {"RSA": "RS", "EC": "ES"}


class BadToken(Exception):
    """The token cannot be believed; the message may be told."""


class ExpiredToken(BadToken):
    """The token is genuine and too old."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as IAM keeps it: its URL without scheme, the audiences and thumbprints that it lists."""

    url: str
    clients: Sequence[str]
    thumbprints: Sequence[str]


_keys: OrderedDict[tuple[str, ...], tuple[float, dict[str, jwt.PyJWK]]] = OrderedDict()


def issuer_of(token: str) -> str:
    """The issuer that a token claims, nothing of it being checked. Raises BadToken."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise _not_a_jwt() from error
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer:
        raise _not_a_jwt()
    return issuer


def _not_a_jwt() -> BadToken:
    return BadToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")


async def verify(token: str, provider: Provider, resolve: Resolve) -> Mapping[str, Any]:
    """The claims of a token that the provider issued for one of its audiences. Raises BadToken, IssuerUnreachable."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise _not_a_jwt() from error
    algorithm = str(header.get("alg"))
    if algorithm not in ALGORITHMS:
        raise BadToken("The ID Token provided is not signed with a supported algorithm.")
    key = await _key(provider, header.get("kid"), algorithm, resolve)
    issuers = [f"https://{provider.url}", f"https://{provider.url}/", provider.url]
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            issuer=issuers,
            leeway=_LEEWAY,
            options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_aud": False},
        )
    except jwt.ExpiredSignatureError as error:
        raise ExpiredToken("Token expired: current date/time must be before the expiration date/time.") from error
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise BadToken("The ID Token provided could not be validated.") from error
    if audience_of(claims) not in provider.clients:
        raise BadToken("Incorrect token audience")
    if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:
        raise BadToken("The subject of the ID Token is not valid.")
    return claims


def audience_of(claims: Mapping[str, Any]) -> str:
    """For whom a token is: its authorized party where it names one, as AWS takes it, or else its only audience."""
    party, audience = claims.get("azp"), claims.get("aud")
    if isinstance(party, str):
        return party
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    return audience if isinstance(audience, str) else ""


async def _key(provider: Provider, id: Any, algorithm: str, resolve: Resolve) -> jwt.PyJWK:
    place = (provider.url, *provider.thumbprints)
    found = _keys.get(place)
    now = time.monotonic()
    if found is None or now - found[0] > _FRESH or (id and id not in found[1] and now - found[0] > _AGAIN):
        found = now, await _fetched(provider, resolve)
        _keys[place] = found
        if len(_keys) > _KEPT:
            _keys.popitem(last=False)
    keys = found[1]
    only = next(iter(keys.values())) if len(keys) == 1 and not id else None
    key = keys.get(str(id), only)
    if key is None or _OF_TYPE.get(str(key.key_type)) != algorithm[:2]:
        raise BadToken("Couldn't retrieve verification key from your identity provider.")
    return key


async def _fetched(provider: Provider, resolve: Resolve) -> dict[str, jwt.PyJWK]:
    base = f"https://{provider.url}"
    discovery = await fetch_json(f"{base}/.well-known/openid-configuration", provider.thumbprints, resolve)
    if str(discovery.get("issuer")).rstrip("/") not in (base, provider.url):
        raise IssuerUnreachable(f"{base}: its discovery document names another issuer")
    answer = await fetch_json(str(discovery.get("jwks_uri")), provider.thumbprints, resolve)
    listed = answer.get("keys")
    if not isinstance(listed, list):
        raise IssuerUnreachable(f"{base}: no list of keys")
    found: dict[str, jwt.PyJWK] = {}
    for item in listed[:_MOST_KEYS]:
        if isinstance(item, dict) and item.get("use", "sig") == "sig" and item.get("kty") in _OF_TYPE:
            try:
                found[str(item.get("kid"))] = jwt.PyJWK.from_dict(item)
            except (jwt.PyJWTError, ValueError, TypeError):
                continue
    return found
