"""Trust anchors: the authorities whose certificates are believed."""

from __future__ import annotations

from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.rolesanywhere import resources
from controlplane.services.rolesanywhere.certificates import bundle
from controlplane.services.rolesanywhere.errors import ValidationException
from controlplane.services.rolesanywhere.resources import TRUST_ANCHOR

_DEFAULTS = [
    {"enabled": True, "event": event, "threshold": 45, "channel": "ALL", "configuredBy": "rolesanywhere.amazonaws.com"}
    for event in ("CA_CERTIFICATE_EXPIRY", "END_ENTITY_CERTIFICATE_EXPIRY")
]


def _source(given: Any) -> dict[str, Any]:
    data = (given.get("sourceData") or {}).get("x509CertificateData")
    if given.get("sourceType") != "CERTIFICATE_BUNDLE" or not data:
        raise ValidationException("A trust anchor's source must be a CERTIFICATE_BUNDLE with x509CertificateData.")
    bundle(data)
    return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": data}}


def _settings(old: list[dict[str, Any]], new: Any) -> list[dict[str, Any]]:
    given = {item["event"]: {"channel": "ALL", "threshold": 45, **item} for item in new or ()}
    return [{**item, **given.get(item["event"], {})} for item in old]


@operation("CreateTrustAnchor", on=ANY)
async def create_trust_anchor(ctx: Context, request: Any) -> dict[str, Any]:
    """Believe an authority. Raises ValidationException."""
    if request.get("crlDpRevocationEnabled"):
        raise ValidationException("Distribution points of certificates are not asked by this cloud; import the lists.")
    settings = _settings(_DEFAULTS, request.get("notificationSettings"))
    content = {"source": _source(request["source"]), "notificationSettings": settings}
    return await resources.make(ctx, TRUST_ANCHOR, request, content, enabled=bool(request.get("enabled")))


@operation("GetTrustAnchor", on=resources.named(TRUST_ANCHOR))
async def get_trust_anchor(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"trustAnchor": resources.shown(TRUST_ANCHOR, await resources.get(ctx, TRUST_ANCHOR, request))}


@operation("ListTrustAnchors", on=ANY)
async def list_trust_anchors(ctx: Context, request: Any) -> dict[str, Any]:
    """Trust anchors by id."""
    return await resources.listed(ctx, TRUST_ANCHOR, request)


@operation("UpdateTrustAnchor", on=resources.named(TRUST_ANCHOR))
async def update_trust_anchor(ctx: Context, request: Any) -> dict[str, Any]:
    """Another name or other certificates. Raises ResourceNotFoundException, ValidationException."""
    row = await resources.lock(ctx, TRUST_ANCHOR, request)
    content = {**row["content"], **({"source": _source(request["source"])} if request.get("source") else {})}
    return await resources.change(ctx, TRUST_ANCHOR, row, name=request.get("name") or row["name"], content=content)


@operation("EnableTrustAnchor", on=resources.named(TRUST_ANCHOR))
async def enable_trust_anchor(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return await resources.switch(ctx, TRUST_ANCHOR, request, enabled=True)


@operation("DisableTrustAnchor", on=resources.named(TRUST_ANCHOR))
async def disable_trust_anchor(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return await resources.switch(ctx, TRUST_ANCHOR, request, enabled=False)


@operation("DeleteTrustAnchor", on=resources.named(TRUST_ANCHOR))
async def delete_trust_anchor(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return await resources.delete(ctx, TRUST_ANCHOR, request)
