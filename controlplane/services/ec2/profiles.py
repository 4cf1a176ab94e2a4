"""Instance profiles: finding the one that a request names, with its role, and handing that role to EC2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.access import directory
from controlplane.core.context import Context
from controlplane.services.ec2.errors import InvalidParameterCombination, InvalidParameterValue


@dataclass(frozen=True, slots=True)
class Profile:
    """An instance profile; `role` is the name of its role, None when it has none yet."""

    arn: str
    id: str
    role: str | None


async def find(ctx: Context, given: Mapping[str, str] | None) -> Profile | None:
    """The profile that `{Arn}` or `{Name}` names, after `iam:PassRole` for its role was checked."""
    if not given:
        return None
    if given.get("Arn") and given.get("Name"):
        raise InvalidParameterCombination("The parameter 'name' may not be used in combination with 'arn'")
    name = given.get("Name") or given.get("Arn", "").rpartition("/")[2]
    row = await directory.instance_profile(ctx.db, ctx.account_id, name)
    if row is None or (given.get("Arn") and row["arn"] != given["Arn"]):
        shown = given.get("Arn") or given.get("Name")
        kind = "iamInstanceProfile.arn" if given.get("Arn") else "iamInstanceProfile.name"
        raise InvalidParameterValue(f"Value ({shown}) for parameter {kind} is invalid. Invalid IAM Instance Profile")
    if row["role_arn"]:
        await ctx.pass_role(row["role_arn"], "ec2.amazonaws.com")
    return Profile(row["arn"], row["id"], row["role_name"])
