"""Invitations, and the way of an organization to all features."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.access import accounts as access
from controlplane.access import queries as access_queries
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.services.organizations import membership, nouns, shapes, standing, tagging
from controlplane.services.organizations.errors import (
    AccessDeniedException,
    AlreadyInOrganizationException,
    DuplicateHandshakeException,
    HandshakeAlreadyInStateException,
    HandshakeConstraintViolationException,
    HandshakeNotFoundException,
    InvalidHandshakeTransitionException,
    InvalidInputException,
)
from controlplane.services.organizations.queries import handshakes, tree

LASTS = timedelta(days=15)
_LIVE = ("OPEN", "REQUESTED")


async def on_handshake(ctx: Context, request: Any) -> list[Resource]:
    """A handshake that the caller takes part in; others are asked about by their id alone."""
    id = str(request.get("HandshakeId") or "*")
    row = await handshakes.one(ctx.db, id)
    if row is None or not await _takes_part(ctx, row):
        return [Resource(f"arn:aws:organizations::{ctx.account_id}:handshake/*/*/{id}")]
    owner = {"id": row["organization_id"], "management_id": row["management"]["id"]}
    return [Resource(nouns.handshake_arn(owner, row), conditions={"aws:ResourceAccount": ctx.account_id}, row=row)]


async def _takes_part(ctx: Context, row: Any) -> bool:
    return ctx.account_id == row["management"]["id"] or await _is_invited(ctx, row)


async def _is_invited(ctx: Context, row: Any) -> bool:
    if row["target_type"] == "ACCOUNT":
        return bool(row["target"] == ctx.account_id)
    own = await access_queries.account(ctx.db, ctx.account_id)
    return bool(access.email_of(own).lower() == row["target"].lower())


async def _locked(ctx: Context) -> tuple[Any, Any]:
    """The handshake that permission was asked for and its organization, both locked. Raises HandshakeNotFound."""
    known = ctx.resources[0].row
    if known is None:
        raise HandshakeNotFoundException
    organization = await tree.lock(ctx.db, known["organization_id"])
    row = await handshakes.one(ctx.db, known["id"])
    if organization is None or row is None:
        raise HandshakeNotFoundException
    return organization, row


async def _move(ctx: Context, organization: Any, row: Any, state: str) -> dict[str, Any]:
    if row["state"] == state:
        raise HandshakeAlreadyInStateException
    if row["state"] not in _LIVE or row["expires_at"] <= datetime.now(UTC):
        raise InvalidHandshakeTransitionException
    await handshakes.set_state(ctx.db, row["id"], state)
    return {"Handshake": shapes.handshake({**row, "state": state}, await tree.lock(ctx.db, organization["id"]))}


async def _open(ctx: Context, organization: Any, action: str, type: str, target: str, **more: Any) -> Any:
    row = await handshakes.insert(
        ctx.db,
        id=nouns.new_id("h", 10),
        organization_id=organization["id"],
        action=action,
        state=more.pop("state", "OPEN"),
        target_type=type,
        target=target,
        expires_at=datetime.now(UTC) + LASTS,
        **more,
    )
    if row is None:
        raise DuplicateHandshakeException
    return row


@operation("InviteAccountToOrganization", on=standing.on())
async def invite_account_to_organization(ctx: Context, request: Any) -> dict[str, Any]:
    """Invite an account by its id or address. Raises HandshakeConstraintViolation, DuplicateHandshake."""
    organization, target = await standing.governed(ctx), request["Target"]
    if target["Type"] not in ("ACCOUNT", "EMAIL"):
        raise InvalidInputException("INVALID_PARTY_TYPE_TARGET", "You specified an invalid party type.")
    found = await access.find(ctx.db, target["Id"]) if target["Type"] == "ACCOUNT" else None
    if target["Type"] == "ACCOUNT" and found is None:
        raise HandshakeConstraintViolationException(
            "TARGET_ACCOUNT_VALIDATION_FAILURE", "The account that you invited cannot be verified."
        )
    if found is not None and await tree.member(ctx.db, organization["id"], found["id"]) is not None:
        raise HandshakeConstraintViolationException(
            "ALREADY_IN_AN_ORGANIZATION", "The provided account is already a member of an organization."
        )
    if await membership.is_full(ctx.db, organization):
        raise HandshakeConstraintViolationException(
            "ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS Accounts."
        )
    if await handshakes.live(ctx.db, organization["id"], "ENABLE_ALL_FEATURES"):
        raise HandshakeConstraintViolationException(
            "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES",
            "You can't invite accounts while all features are being enabled.",
        )
    row = await _open(
        ctx,
        organization,
        "INVITE",
        target["Type"],
        target["Id"],
        notes=request.get("Notes"),
        tags=tagging.requested(request),
    )
    return {"Handshake": shapes.handshake(row, organization)}


@operation("AcceptHandshake", on=on_handshake)
async def accept_handshake(ctx: Context, request: Any) -> dict[str, Any]:
    """Accept: an invitation as the invited account, all features as whoever they ask. Raises HandshakeNotFound,
    HandshakeConstraintViolation, InvalidHandshakeTransition."""
    organization, row = await _locked(ctx)
    answer = await _move(ctx, organization, row, "ACCEPTED")
    if row["action"] == "ENABLE_ALL_FEATURES":
        if ctx.account_id != organization["management_id"]:
            raise AccessDeniedException
        if row["state"] != "OPEN":
            raise InvalidHandshakeTransitionException
        await handshakes.enable_all_features(ctx.db, organization["id"])
        return answer
    if not await _is_invited(ctx, row):
        raise AccessDeniedException
    if row["action"] == "APPROVE_ALL_FEATURES":
        await handshakes.open_when_all_agree(ctx.db, row["parent_handshake"])
        return answer
    if await membership.is_full(ctx.db, organization):
        raise HandshakeConstraintViolationException(
            "ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS Accounts."
        )
    if not await membership.admit(ctx.db, organization, ctx.account_id, "INVITED"):
        raise AlreadyInOrganizationException
    await tree.put_tags(ctx.db, organization["id"], ctx.account_id, row["tags"])
    return answer


@operation("DeclineHandshake", on=on_handshake)
async def decline_handshake(ctx: Context, request: Any) -> dict[str, Any]:
    """Decline, as the one who was asked. Raises HandshakeNotFound, InvalidHandshakeTransition."""
    organization, row = await _locked(ctx)
    if not await _is_invited(ctx, row):
        raise AccessDeniedException
    return await _move(ctx, organization, row, "DECLINED")


@operation("CancelHandshake", on=on_handshake)
async def cancel_handshake(ctx: Context, request: Any) -> dict[str, Any]:
    """Take back, as the one who asked. Raises HandshakeNotFound, InvalidHandshakeTransition."""
    organization, row = await _locked(ctx)
    if ctx.account_id != organization["management_id"]:
        raise AccessDeniedException
    return await _move(ctx, organization, row, "CANCELED")


@operation("DescribeHandshake", on=on_handshake)
async def describe_handshake(ctx: Context, request: Any) -> dict[str, Any]:
    """A handshake, for its two parties. Raises HandshakeNotFound."""
    row = ctx.resources[0].row
    if row is None:
        raise HandshakeNotFoundException
    return {"Handshake": shapes.handshake(row, row["organization"])}


@operation("ListHandshakesForAccount", on=ANY)
async def list_handshakes_for_account(ctx: Context, request: Any) -> dict[str, Any]:
    """Handshakes that ask the caller's account."""
    own = await access_queries.account(ctx.db, ctx.account_id)
    rows = await handshakes.for_account(ctx.db, ctx.account_id, access.email_of(own))
    return _page(request, rows)


@operation("ListHandshakesForOrganization", on=standing.on(reading=True))
async def list_handshakes_for_organization(ctx: Context, request: Any) -> dict[str, Any]:
    """Handshakes of the caller's organization."""
    organization = standing.readable(ctx)
    return _page(request, await handshakes.for_organization(ctx.db, organization["id"]))


def _page(request: Any, rows: list[Any]) -> dict[str, Any]:
    wanted = request.get("Filter") or {}
    found = [
        row
        for row in rows
        if wanted.get("ActionType") in (None, row["action"])
        and wanted.get("ParentHandshakeId") in (None, row["parent_handshake"])
    ]
    return shapes.page(
        request, "Handshakes", found, lambda row: str(row["id"]), lambda row: shapes.handshake(row, row["organization"])
    )


@operation("EnableAllFeatures", on=standing.on())
async def enable_all_features(ctx: Context, request: Any) -> dict[str, Any]:
    """Ask invited members to agree to all features; when all have, the management account accepts."""
    organization = await standing.management_only(ctx)
    if organization["feature_set"] == "ALL":
        raise HandshakeConstraintViolationException(
            "ORGANIZATION_ALREADY_HAS_ALL_FEATURES", "The organization already has all features enabled."
        )
    if await handshakes.live(ctx.db, organization["id"], "ENABLE_ALL_FEATURES"):
        raise HandshakeConstraintViolationException(
            "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION",
            "The organization is already in the process of enabling all features.",
        )
    asked = [
        row["id"]
        for row in await tree.members(ctx.db, organization["id"])
        if row["joined_method"] == "INVITED" and row["id"] != organization["management_id"]
    ]
    parent = await _open(
        ctx,
        organization,
        "ENABLE_ALL_FEATURES",
        "ACCOUNT",
        organization["management_id"],
        state="REQUESTED" if asked else "OPEN",
    )
    for account in asked:
        await _open(ctx, organization, "APPROVE_ALL_FEATURES", "ACCOUNT", account, parent_handshake=parent["id"])
    return {"Handshake": shapes.handshake(parent, organization)}
