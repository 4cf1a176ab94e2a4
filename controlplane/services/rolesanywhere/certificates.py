"""Certificates: reading bundles, building a path to a trust anchor, and what a certificate says of its holder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from controlplane.services.rolesanywhere.errors import ValidationException

_SHORT = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.SERIAL_NUMBER: "SERIALNUMBER",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.USER_ID: "UID",
    NameOID.TITLE: "T",
    NameOID.GIVEN_NAME: "GN",
    NameOID.SURNAME: "SN",
}
_LONGEST_VALUE = 256


class Untrusted(Exception):
    """There is no valid path from a certificate to a trust anchor."""


def bundle(pem: str) -> list[x509.Certificate]:
    """The CA certificates of a trust anchor. Raises ValidationException."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValidationException("Unable to parse the certificates: PEM is expected.") from error
    for certificate in found:
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except (x509.ExtensionNotFound, ValueError) as error:
            raise ValidationException("Certificates must have basic constraints.") from error
        if not constraints.ca:
            raise ValidationException("Certificates of a trust anchor must be those of authorities.")
    return found


def revocation_list(pem: bytes) -> x509.CertificateRevocationList:
    """Raises ValidationException."""
    try:
        return x509.load_pem_x509_crl(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValidationException("Unable to parse the revocation list: PEM is expected.") from error


def check_path(certificates: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]) -> None:
    """Refuse an end-entity certificate that none of the anchors vouches for. Raises Untrusted."""
    leaf, *between = certificates
    policy = (
        PolicyBuilder()
        .store(Store(list(anchors)))
        .time(datetime.now(UTC))
        .extension_policies(
            ca_policy=ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None),
            ee_policy=ExtensionPolicy.permit_all(),
        )
    )
    try:
        path = policy.build_client_verifier().verify(leaf, between).chain
        _check_end_entity(leaf)
        for below, authority in enumerate(path[1:]):
            _check_authority(authority, below)
    except (VerificationError, x509.ExtensionNotFound, ValueError, UnsupportedAlgorithm) as error:
        raise Untrusted(str(error)) from error


def _check_end_entity(leaf: x509.Certificate) -> None:
    if leaf.version is not x509.Version.v3:
        raise Untrusted("not of version 3")
    if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise Untrusted("an authority's certificate")
    if not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
        raise Untrusted("not for digital signatures")


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    """Said here, as the verifier was told to permit all extensions; `below` counts the authorities under this one."""
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca or (constraints.path_length is not None and constraints.path_length < below):
        raise Untrusted("not an authority, or not over so many others")
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.KeyUsage) and not extension.value.key_cert_sign:
            raise Untrusted("an authority that may not sign certificates")


def is_revoked(certificates: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList]) -> bool:
    """Whether one of the certificates is on a list of its issuer."""
    return any(
        found.issuer == certificate.issuer
        and found.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
        for found in lists
        for certificate in certificates
    )


def attributes(certificate: x509.Certificate) -> dict[str, dict[str, str]]:
    """What sessions are tagged with, by field (`x509Subject`, `x509Issuer`, `x509SAN`) and specifier, first values."""
    return {
        "x509Subject": dict(_of_name(certificate.subject)),
        "x509Issuer": dict(_of_name(certificate.issuer)),
        "x509SAN": dict(_of_alternatives(certificate)),
    }


def _of_name(name: x509.Name, prefix: str = "") -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for attribute in name:
        short = _SHORT.get(attribute.oid)
        if short is not None and short not in seen and isinstance(attribute.value, str):
            seen.add(short)
            yield f"{prefix}{short}", attribute.value[:_LONGEST_VALUE]


def _of_alternatives(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for word, sort in (("DNS", x509.DNSName), ("URI", x509.UniformResourceIdentifier)):
        values = names.get_values_for_type(sort)
        if values:
            yield word, str(values[0])[:_LONGEST_VALUE]
    for directory in names.get_values_for_type(x509.DirectoryName)[:1]:
        yield from _of_name(directory, "Name/")
