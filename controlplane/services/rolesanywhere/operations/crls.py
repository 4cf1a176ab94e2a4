"""Revocation lists of trust anchors."""

from __future__ import annotations

import base64
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.rolesanywhere import queries, resources
from controlplane.services.rolesanywhere.certificates import bundle, revocation_list
from controlplane.services.rolesanywhere.errors import ValidationException
from controlplane.services.rolesanywhere.resources import CRL, TRUST_ANCHOR


def _shown(answer: dict[str, Any]) -> dict[str, Any]:
    """The data is kept as base64, since content is JSON."""
    return {CRL.prefix: _decoded(answer[CRL.prefix])}


def _decoded(crl: dict[str, Any]) -> dict[str, Any]:
    return {**crl, "crlData": base64.b64decode(crl["crlData"])}


async def _check(ctx: Context, data: bytes, trust_anchor_arn: str) -> str:
    """Refuse a list that the trust anchor did not sign. Raises ValidationException."""
    id = TRUST_ANCHOR.id_of(trust_anchor_arn)
    anchor = await queries.find(ctx, TRUST_ANCHOR.name, id)
    if anchor is None or trust_anchor_arn != TRUST_ANCHOR.arn(ctx.account_id, ctx.region, id):
        raise resources.missing(TRUST_ANCHOR)
    found = revocation_list(data)
    issuers = bundle(anchor["content"]["source"]["sourceData"]["x509CertificateData"])
    if not any(found.issuer == issuer.subject and _is_signed(found, issuer.public_key()) for issuer in issuers):
        raise ValidationException("The revocation list is not signed by the trust anchor.")
    return base64.b64encode(data).decode()


def _is_signed(found: Any, key: Any) -> bool:
    try:
        return bool(found.is_signature_valid(key))
    except (TypeError, ValueError):
        return False


@operation("ImportCrl", on=ANY)
async def import_crl(ctx: Context, request: Any) -> dict[str, Any]:
    """Keep a list in PEM. Raises ResourceNotFoundException, ValidationException."""
    data = await _check(ctx, request["crlData"], request["trustAnchorArn"])
    content = {"crlData": data, "trustAnchorArn": request["trustAnchorArn"]}
    return _shown(await resources.make(ctx, CRL, request, content, enabled=bool(request.get("enabled"))))


@operation("GetCrl", on=resources.named(CRL))
async def get_crl(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return {"crl": _decoded(resources.shown(CRL, await resources.get(ctx, CRL, request)))}


@operation("ListCrls", on=ANY)
async def list_crls(ctx: Context, request: Any) -> dict[str, Any]:
    """Revocation lists by id."""
    found = await resources.listed(ctx, CRL, request)
    return {**found, "crls": [_decoded(crl) for crl in found["crls"]]}


@operation("UpdateCrl", on=resources.named(CRL))
async def update_crl(ctx: Context, request: Any) -> dict[str, Any]:
    """Another name or a newer list. Raises ResourceNotFoundException, ValidationException."""
    row = await resources.lock(ctx, CRL, request)
    content = dict(row["content"])
    if request.get("crlData"):
        content["crlData"] = await _check(ctx, request["crlData"], content["trustAnchorArn"])
    return _shown(await resources.change(ctx, CRL, row, name=request.get("name") or row["name"], content=content))


@operation("EnableCrl", on=resources.named(CRL))
async def enable_crl(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return _shown(await resources.switch(ctx, CRL, request, enabled=True))


@operation("DisableCrl", on=resources.named(CRL))
async def disable_crl(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return _shown(await resources.switch(ctx, CRL, request, enabled=False))


@operation("DeleteCrl", on=resources.named(CRL))
async def delete_crl(ctx: Context, request: Any) -> dict[str, Any]:
    """Raises ResourceNotFoundException."""
    return _shown(await resources.delete(ctx, CRL, request))
