"""SAML 2.0: metadata of identity providers, and assertions that they signed.

Only what the verified signature covers is ever read: signxml gives back the signed element, and everything is taken
from that. So an assertion that was wrapped into another document says nothing.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidInput, InvalidSignature
from signxml.verifier import SignatureConfiguration, XMLVerifier

AUDIENCES = frozenset({"https://signin.aws.amazon.com/saml", "urn:amazon:webservices"})
RECIPIENT = "https://signin.aws.amazon.com/saml"
ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/"
_ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_SKEW = timedelta(minutes=1)
_LONGEST_WAY = timedelta(minutes=5)
"""An assertion must be used within five minutes of its issue, as at AWS."""
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


class BadMetadata(Exception):
    """No metadata of an identity provider; the message may be told."""


class BadAssertion(Exception):
    """The assertion cannot be believed; the message may be told."""


class ExpiredAssertion(BadAssertion):
    """The assertion is genuine and too old."""


def _parse(text: bytes) -> Any:
    """XML without entities, document types or anything from elsewhere. Raises ValueError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("not XML") from error
    if root.getroottree().docinfo.doctype:
        raise ValueError("a document type")
    return root


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider's metadata says: who it is and the certificates (PEM) that it signs with."""

    entity_id: str
    certificates: tuple[str, ...]
    valid_until: datetime

    @classmethod
    def read(cls, document: str) -> Metadata:
        """Raises BadMetadata."""
        try:
            root = _parse(document.encode())
            entity = str(root.get("entityID") or "")
            keys = [
                "".join(certificate.itertext())
                for key in root.iterfind(f"{_METADATA}IDPSSODescriptor/{_METADATA}KeyDescriptor")
                if key.get("use") in (None, "signing")
                for certificate in key.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
            ]
            loaded = [x509.load_der_x509_certificate(base64.b64decode("".join(key.split()))) for key in keys]
            until = root.get("validUntil")
            valid_until = _time(until) if until else max(item.not_valid_after_utc for item in loaded)
        except (ValueError, binascii.Error) as error:
            raise BadMetadata("Could not parse metadata") from error
        if root.tag != f"{_METADATA}EntityDescriptor" or not entity or not loaded:
            raise BadMetadata("Could not parse metadata")
        return cls(entity, tuple(item.public_bytes(Encoding.PEM).decode() for item in loaded), valid_until)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion. `attributes` by full name, each with its values."""

    issuer: str
    audience: str
    recipient: str
    subject: str
    subject_type: str
    name_qualifier: str
    attributes: dict[str, list[str]]
    session_ends: datetime | None

    def values(self, name: str) -> list[str]:
        """The values of one of AWS's own attributes."""
        return self.attributes.get(ATTRIBUTE + name, [])

    def roles(self) -> set[tuple[str, str]]:
        """(role, provider) ARNs that the assertion grants; they come in either order."""
        pairs = [[part.strip() for part in value.split(",")] for value in self.values("Role")]
        return {(pair[0], pair[1]) if ":role/" in pair[0] else (pair[1], pair[0]) for pair in pairs if len(pair) == 2}


def read_assertion(encoded: str, metadata: Metadata) -> Assertion:
    """The assertion in a base64 SAML response. Raises BadAssertion."""
    try:
        root = _parse(base64.b64decode("".join(encoded.split()), validate=True))
    except (ValueError, binascii.Error) as error:
        raise BadAssertion("Invalid base64 SAMLResponse") from error
    return _read(_signed(root, metadata), metadata)


def _signed(root: Any, metadata: Metadata) -> Any:
    """The assertion element out of the signed part of a response: signed itself, or inside a signed response."""
    if root.tag != f"{_PROTOCOL}Response":
        raise BadAssertion("The response is not a SAML response.")
    status = root.find(f"{_PROTOCOL}Status/{_PROTOCOL}StatusCode")
    if status is None or status.get("Value") != _SUCCESS:
        raise BadAssertion("The response does not tell of success.")
    if root.find(f"{_DS}Signature") is not None:
        signed = _verified(root, metadata)
        if signed.tag != f"{_PROTOCOL}Response":
            raise _bad_signature()
        assertions = signed.findall(f"{_ASSERTION}Assertion")
    else:
        assertions = root.findall(f"{_ASSERTION}Assertion")
        if len(assertions) == 1:
            assertions = [_verified(etree.fromstring(etree.tostring(assertions[0])), metadata)]
    if len(assertions) != 1 or assertions[0].tag != f"{_ASSERTION}Assertion":
        raise BadAssertion("The response must hold exactly one assertion.")
    return assertions[0]


def _bad_signature() -> BadAssertion:
    return BadAssertion("Response signature invalid")


def _verified(element: Any, metadata: Metadata) -> Any:
    """What the signature, a direct child of the element, covers. Raises BadAssertion."""
    rules = SignatureConfiguration(
        require_x509=True,
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True,
    )
    for certificate in metadata.certificates:
        try:
            result = XMLVerifier().verify(element, x509_cert=certificate, expect_config=rules)
        except (InvalidInput, InvalidSignature, InvalidDigest, ValueError, etree.LxmlError):
            continue
        if not isinstance(result, list) and result.signed_xml is not None:
            return result.signed_xml
    raise _bad_signature()


def _text(parent: Any, path: str) -> str:
    found = parent.find(path)
    return "" if found is None else "".join(found.itertext()).strip()


def _read(assertion: Any, metadata: Metadata) -> Assertion:
    now = datetime.now(UTC)
    issuer = _text(assertion, f"{_ASSERTION}Issuer")
    if issuer != metadata.entity_id:
        raise BadAssertion("Issuer not present in specified provider")
    try:
        recipient = _confirmed(assertion, now)
        audience = _conditions(assertion, now)
        issued = _time(assertion.get("IssueInstant") or "")
        ends = [
            _time(item.get("SessionNotOnOrAfter"))
            for item in assertion.iterfind(f"{_ASSERTION}AuthnStatement")
            if item.get("SessionNotOnOrAfter")
        ]
    except ValueError as error:
        raise BadAssertion("The assertion holds a time that cannot be read.") from error
    if issued > now + _SKEW:
        raise BadAssertion("The assertion is not yet valid.")
    if issued < now - _LONGEST_WAY or any(end <= now for end in ends):
        raise ExpiredAssertion("Response has expired")
    name = assertion.find(f"{_ASSERTION}Subject/{_ASSERTION}NameID")
    if name is None:
        raise BadAssertion("The assertion has no subject.")
    return Assertion(
        issuer,
        audience,
        recipient,
        "".join(name.itertext()).strip(),
        str(name.get("Format") or "").rpartition(":")[2],
        str(name.get("NameQualifier") or ""),
        _attributes(assertion),
        min(ends) if ends else None,
    )


def _attributes(assertion: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for attribute in assertion.iterfind(f"{_ASSERTION}AttributeStatement/{_ASSERTION}Attribute"):
        values = ["".join(value.itertext()).strip() for value in attribute.iterfind(f"{_ASSERTION}AttributeValue")]
        found.setdefault(str(attribute.get("Name")), []).extend(values)
    return found


def _confirmed(assertion: Any, now: datetime) -> str:
    """The recipient that a bearer's confirmation is for, and whether it is still good."""
    for confirmation in assertion.iterfind(f"{_ASSERTION}Subject/{_ASSERTION}SubjectConfirmation"):
        data = confirmation.find(f"{_ASSERTION}SubjectConfirmationData")
        if confirmation.get("Method") != _BEARER or data is None or data.get("Recipient") != RECIPIENT:
            continue
        if data.get("NotOnOrAfter") is None:
            raise BadAssertion("The subject's confirmation has no end.")
        if _time(data.get("NotOnOrAfter")) + _SKEW <= now:
            raise ExpiredAssertion("Response has expired")
        return RECIPIENT
    raise BadAssertion("The assertion is not meant for this recipient.")


def _conditions(assertion: Any, now: datetime) -> str:
    conditions = assertion.find(f"{_ASSERTION}Conditions")
    if conditions is None:
        raise BadAssertion("The assertion has no conditions.")
    start, end = conditions.get("NotBefore"), conditions.get("NotOnOrAfter")
    if start and _time(start) - _SKEW > now:
        raise BadAssertion("The assertion is not yet valid.")
    if end and _time(end) + _SKEW <= now:
        raise ExpiredAssertion("Response has expired")
    restrictions = conditions.findall(f"{_ASSERTION}AudienceRestriction")
    if not restrictions:
        raise BadAssertion("The assertion has no audience.")
    audience = ""
    for restriction in restrictions:
        named = {"".join(item.itertext()).strip() for item in restriction.iterfind(f"{_ASSERTION}Audience")}
        if not named & AUDIENCES:
            raise BadAssertion("Audience is not acceptable")
        audience = min(named & AUDIENCES)
    return audience
