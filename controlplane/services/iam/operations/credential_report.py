"""The credential report: one line a user, as CSV in AWS's columns."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.core.context import Context
from controlplane.core.operation import ANY, operation
from controlplane.services.iam.errors import CredentialReportExpired, CredentialReportNotPresent
from controlplane.services.iam.nouns import USER
from controlplane.services.iam.queries import passwords, reports

KIND = "credentials"
FRESH = timedelta(hours=4)
COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active", "access_key_1_active", "access_key_1_last_rotated",
    "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
    "access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date", "access_key_2_last_used_region",
    "access_key_2_last_used_service", "cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
)  # fmt: skip
_NONE = "N/A"


@operation("GenerateCredentialReport", on=ANY)
async def generate_credential_report(ctx: Context, request: Any) -> dict[str, Any]:
    """Work the report out, unless there is one of the last four hours."""
    latest = await reports.latest(ctx, KIND)
    if latest is not None and datetime.now(UTC) - latest["created_at"] < FRESH:
        return {"State": "COMPLETE"}
    policy = (await passwords.account(ctx))["password_policy"] or {}
    lines = [_of_root(await reports.root(ctx))]
    lines += [_of_user(row, policy.get("MaxPasswordAge")) for row in await reports.credentials(ctx)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines)
    await reports.insert(ctx, str(uuid.uuid4()), KIND, {"csv": text.getvalue().rstrip("\n")})
    return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}


@operation("GetCredentialReport", on=ANY)
async def get_credential_report(ctx: Context, request: Any) -> dict[str, Any]:
    """The report as CSV. Raises CredentialReportNotPresent, CredentialReportExpired."""
    latest = await reports.latest(ctx, KIND)
    if latest is None:
        raise CredentialReportNotPresent("No report exists. Please generate a report first.")
    if datetime.now(UTC) - latest["created_at"] >= FRESH:
        raise CredentialReportExpired("The report has expired. Please generate a new report.")
    return {
        "Content": latest["content"]["csv"].encode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": latest["created_at"],
    }


def _time(moment: Any, missing: str = _NONE) -> str:
    if moment is None:
        return missing
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return str(moment.astimezone(UTC).replace(microsecond=0).isoformat())


def _truth(value: Any) -> str:
    return "true" if value else "false"


def _of_keys(keys: list[Any]) -> list[str]:
    cells: list[str] = []
    for key in [*keys, None, None][:2]:
        if key is None:
            cells += ["false", *[_NONE] * 4]
            continue
        region, service = key["last_used_region"] or _NONE, key["last_used_service"] or _NONE
        active = _truth(key["status"] == "Active")
        cells += [active, _time(key["created_at"]), _time(key["last_used_at"]), region, service]
    return cells


def _of_certificates(certificates: list[Any]) -> list[str]:
    cells: list[str] = []
    for item in [*certificates, None, None][:2]:
        cells += ["false", _NONE] if item is None else [_truth(item["status"] == "Active"), _time(item["created_at"])]
    return cells


def _of_user(row: Any, days: int | None) -> list[str]:
    has = row["password_at"] is not None
    rotation = row["changed_at"] + timedelta(days=days) if has and days else None
    used = _time(row["last_used_at"], "no_information") if has else _NONE
    return [
        row["name"],
        USER.arn_of(row),
        _time(row["created_at"]),
        _truth(has),
        used,
        _time(row["changed_at"]),
        _time(rotation),
        _truth(row["mfa"]),
        *_of_keys(row["keys"]),
        *_of_certificates(row["certificates"]),
    ]


def _of_root(row: Any) -> list[str]:
    arn = f"arn:aws:iam::{row['id']}:root"
    shown = ["<root_account>", arn, _time(row["created_at"]), "not_supported", "no_information", "not_supported"]
    return [*shown, "not_supported", _truth(row["mfa"]), *_of_keys(row["keys"]), *_of_certificates([])]
