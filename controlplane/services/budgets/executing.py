"""What an action does and how it is undone: calls of other services, with the action's execution role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controlplane.access.assuming import assume
from controlplane.core.context import Context
from controlplane.core.operation import Resource
from controlplane.services.budgets import budgets
from controlplane.services.budgets.actions import SERVICE

SESSION = "BudgetsAction"
_SSM = "ssm.amazonaws.com"
_VIA_SSM = {
    "aws:ViaAWSService": "true",
    "aws:CalledVia": [_SSM],
    "aws:CalledViaFirst": _SSM,
    "aws:CalledViaLast": _SSM,
}
_RUNBOOKS = {
    ("STOP_EC2_INSTANCES", False): ("AWS-StopEC2Instance", "ec2", "StopInstances"),
    ("STOP_EC2_INSTANCES", True): ("AWS-StartEC2Instance", "ec2", "StartInstances"),
    ("STOP_RDS_INSTANCES", False): ("AWS-StopRdsInstance", "rds", "StopDBInstance"),
    ("STOP_RDS_INSTANCES", True): ("AWS-StartRdsInstance", "rds", "StartDBInstance"),
}
_ATTACHED_TO = {"Users": "User", "Groups": "Group", "Roles": "Role"}


@dataclass(frozen=True, slots=True)
class Deed:
    """One call. Errors with a code of `settled` mean that all is as it shall be; `runbook` is the document of Systems
    Manager that AWS would run for it."""

    service: str
    operation: str
    request: Mapping[str, Any]
    settled: tuple[str, ...] = ()
    region: str = ""
    runbook: str = ""

    async def do(self, run: Any, db: Any, row: Any) -> None:
        """Call, in the caller's transaction. Raises AwsError."""
        source = budgets.arn(row["account_id"], row["budget"], row["id"])
        acting: Context = run.acting(db, SERVICE, source, region=self.region)
        ctx = await assume(acting, row["content"]["ExecutionRoleArn"], SESSION)
        if self.runbook:
            ctx = replace(ctx, service="ssm", model="ssm")
            document = f"arn:aws:ssm:{self.region}::automation-definition/{self.runbook}:$DEFAULT"
            await ctx.authorize("ssm:StartAutomationExecution", Resource(document))
            ctx = replace(ctx, facts=dict(_VIA_SSM))
        await ctx.call(self.service, self.operation, self.request)


def deeds(content: Mapping[str, Any], *, undo: bool, restart: bool = True) -> list[Deed]:
    """What is to be called. Instances are started again only where somebody asks for it (`restart`)."""
    definition = content["Definition"]
    if content["ActionType"] == "APPLY_IAM_POLICY":
        return list(_policies(definition["IamActionDefinition"], undo=undo))
    if content["ActionType"] == "APPLY_SCP_POLICY":
        return list(_controls(definition["ScpActionDefinition"], undo=undo))
    return list(_runbooks(definition["SsmActionDefinition"], undo=undo)) if restart or not undo else []


def _policies(definition: Mapping[str, Any], *, undo: bool) -> Iterator[Deed]:
    verb = "Detach" if undo else "Attach"
    for member, kind in _ATTACHED_TO.items():
        for name in definition.get(member) or ():
            request = {f"{kind}Name": name.rpartition("/")[2], "PolicyArn": definition["PolicyArn"]}
            yield Deed("iam", f"{verb}{kind}Policy", request, ("NoSuchEntity",) if undo else ())


def _controls(definition: Mapping[str, Any], *, undo: bool) -> Iterator[Deed]:
    settled = ("PolicyNotAttachedException", "TargetNotFoundException", "PolicyNotFoundException")
    for target in definition["TargetIds"]:
        request = {"PolicyId": definition["PolicyId"], "TargetId": target}
        if undo:
            yield Deed("organizations", "DetachPolicy", request, settled)
        else:
            yield Deed("organizations", "AttachPolicy", request, ("DuplicatePolicyAttachmentException",))


def _runbooks(definition: Mapping[str, Any], *, undo: bool) -> Iterator[Deed]:
    runbook, service, operation = _RUNBOOKS[definition["ActionSubType"], undo]
    for id in definition["InstanceIds"]:
        request = {"InstanceIds": [id]} if service == "ec2" else {"DBInstanceIdentifier": id}
        yield Deed(service, operation, request, region=definition["Region"], runbook=runbook)
