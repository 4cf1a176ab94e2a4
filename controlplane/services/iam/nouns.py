"""IAM's nouns: how users, groups, roles and the rest are named in ids, ARNs, errors and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.services.iam.errors import EntityAlreadyExists, NoSuchEntity


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of IAM resource. `member` is the request parameter that names it, `prefix` that of its unique ids,
    `inline_bytes` the room for all inline policies together."""

    kind: str
    word: str
    member: str
    prefix: str
    inline_bytes: int = 0

    def arn(self, account_id: str, path: str, name: str) -> str:
        """The ARN of one that has (or will have) this path and name."""
        return f"arn:aws:iam::{account_id}:{self.kind}{path}{name}"

    def arn_of(self, row: Mapping[str, Any]) -> str:
        """The ARN of a row."""
        return self.arn(row["account_id"], row["path"], row["name"])

    def missing(self, name: str) -> NoSuchEntity:
        """What IAM says when there is none of that name."""
        if self is PROFILE:
            return NoSuchEntity(f"Instance Profile {name} cannot be found.")
        return NoSuchEntity(f"The {self.kind} with name {name} cannot be found.")

    def taken(self, name: str) -> EntityAlreadyExists:
        """What IAM says when the name is taken, in whatever case."""
        if self is PROFILE:
            return EntityAlreadyExists(f"Instance Profile {name} already exists.")
        return EntityAlreadyExists(f"{self.word} with name {name} already exists.")


USER = Noun("user", "User", "UserName", "AIDA", 2048)
GROUP = Noun("group", "Group", "GroupName", "AGPA", 5120)
ROLE = Noun("role", "Role", "RoleName", "AROA", 10240)
PROFILE = Noun("instance-profile", "InstanceProfile", "InstanceProfileName", "AIPA")
POLICY = Noun("policy", "Policy", "PolicyArn", "ANPA")
