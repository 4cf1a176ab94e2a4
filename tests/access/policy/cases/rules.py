"""How the kinds of policies act together: denials, boundaries, sessions, organizations, resource policies, accounts."""

from __future__ import annotations

from typing import Any

from tests.access.policy.cases import (
    ACCOUNT,
    ALLOW,
    EVERYTHING,
    FEDERATED,
    NO_IDENTITY,
    OTHER,
    QUEUE,
    ROLE,
    ROOT,
    SESSION,
    USER,
    Case,
    Document,
    allow,
    deny,
    document,
    forbid,
    permit,
)

GET = permit("s3:GetObject")
PUT = permit("s3:PutObject")
NO_GET = forbid("s3:GetObject")
SECURE = {"Bool": {"aws:SecureTransport": "true"}}
DENY_IDENTITY = "explicit deny in an identity-based policy"
DENY_RESOURCE = "explicit deny in a resource-based policy"
DENY_BOUNDARY = "explicit deny in a permissions boundary"
DENY_SESSION = "explicit deny in a session policy"
DENY_SCP = "explicit deny in a service control policy"
DENY_RCP = "explicit deny in a resource control policy"
NO_RESOURCE = "no resource-based policy"
NO_BOUNDARY = "no permissions boundary"
NO_SESSION = "no session policy"
NO_SCP = "no service control policy"
NO_RCP = "no resource control policy"


def named(principal: Any, effect: str = "Allow", action: str = "s3:GetObject", **more: Any) -> Document:
    """A resource policy with one statement about a principal."""
    return document({"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more})


def not_named(principal: Any) -> Document:
    return document({"Effect": "Deny", "NotPrincipal": principal, "Action": "*", "Resource": "*"})


IDENTITY = [
    Case("no policies", NO_IDENTITY),
    Case("an unrelated allow", NO_IDENTITY, [PUT]),
    Case("one of two policies allows", ALLOW, [PUT, GET]),
    Case("deny beats allow", DENY_IDENTITY, [GET, NO_GET]),
    Case("deny beats allow whatever the order", DENY_IDENTITY, [NO_GET, GET]),
    Case("deny in the same policy", DENY_IDENTITY, [document(allow(), deny("s3:Get*"))]),
    Case("a deny whose condition fails", ALLOW, [document(allow(), deny(Condition=SECURE))]),
    Case(
        "a deny whose condition holds",
        DENY_IDENTITY,
        [document(allow(), deny(Condition=SECURE))],
        context={"aws:SecureTransport": "true"},
    ),
    Case("a deny alone", DENY_IDENTITY, [NO_GET]),
    Case("a deny of something else", ALLOW, [document(allow(), deny("s3:PutObject"))]),
    Case("an assumed role", ALLOW, [GET], caller=SESSION),
    Case("an assumed role without policies", NO_IDENTITY, caller=SESSION),
    Case("root needs no policy", ALLOW, caller=ROOT, oracle=False),
]
BOUNDARIES = [
    Case("boundary and identity allow", ALLOW, [GET], boundary=EVERYTHING),
    Case("a boundary grants nothing", NO_IDENTITY, boundary=EVERYTHING),
    Case("a boundary limits", NO_BOUNDARY, [GET], boundary=PUT),
    Case("a boundary denies", DENY_BOUNDARY, [GET], boundary=document(allow(), deny("s3:Get*"))),
    Case("a boundary with a condition", NO_BOUNDARY, [GET], boundary=permit(Condition=SECURE)),
    Case(
        "a boundary whose condition holds",
        ALLOW,
        [GET],
        boundary=permit(Condition=SECURE),
        context={"aws:SecureTransport": "true"},
    ),
    Case("a role with a boundary", NO_BOUNDARY, [GET], caller=SESSION, boundary=PUT),
    Case("a user named by the resource passes the boundary", ALLOW, boundary=PUT, policy=named({"AWS": USER})),
    Case(
        "the boundary's deny holds all the same",
        DENY_BOUNDARY,
        boundary=document(allow(), deny("s3:Get*")),
        policy=named({"AWS": USER}),
    ),
    Case("a role named by the resource stays in its boundary", NO_BOUNDARY, caller=SESSION, boundary=PUT,
         policy=named({"AWS": ROLE})),
    Case("a session named by the resource passes the boundary", ALLOW, caller=SESSION, boundary=PUT,
         policy=named({"AWS": SESSION})),
]  # fmt: skip
SESSIONS = [
    Case("session and role allow", ALLOW, [GET], caller=SESSION, session=[GET]),
    Case("a session policy grants nothing", NO_IDENTITY, caller=SESSION, session=[EVERYTHING], oracle=False),
    Case("a session policy limits", NO_SESSION, [EVERYTHING], caller=SESSION, session=[PUT]),
    Case("a session policy denies", DENY_SESSION, [EVERYTHING], caller=SESSION,
         session=[document(allow(), deny("s3:Get*"))]),
    Case("one of two session policies allows", ALLOW, [EVERYTHING], caller=SESSION, session=[PUT, GET], oracle=False),
    Case("boundary, session and role allow", ALLOW, [GET], caller=SESSION, session=[GET], boundary=GET),
    Case("boundary lacks, session and role allow", NO_BOUNDARY, [GET], caller=SESSION, session=[GET], boundary=PUT),
    Case("session lacks, boundary and role allow", NO_SESSION, [GET], caller=SESSION, session=[PUT], boundary=GET),
    Case("a role named by the resource stays in its session", NO_SESSION, caller=SESSION, session=[PUT],
         policy=named({"AWS": ROLE})),
    Case("a role named by the resource, session allows", ALLOW, caller=SESSION, session=[GET],
         policy=named({"AWS": ROLE})),
    Case("a session named by the resource passes its session policy", ALLOW, caller=SESSION, session=[PUT],
         policy=named({"AWS": SESSION}), oracle=False),
    Case("a federated user within user and session", ALLOW, [GET], caller=FEDERATED, session=[GET], oracle=False),
    Case("a federated user without session allowance", NO_SESSION, [GET], caller=FEDERATED, session=[PUT],
         oracle=False),
    Case("a federated user named by the resource", ALLOW, caller=FEDERATED, session=[PUT],
         policy=named({"AWS": FEDERATED}), oracle=False),
]  # fmt: skip
ORGANIZATION = [
    Case("one level allows", ALLOW, [GET], scp=[[EVERYTHING]]),
    Case("every level allows", ALLOW, [GET], scp=[[EVERYTHING], [GET], [EVERYTHING]]),
    Case("a level lacks", NO_SCP, [GET], scp=[[EVERYTHING], [PUT]]),
    Case("the root level lacks", NO_SCP, [GET], scp=[[PUT], [EVERYTHING]]),
    Case("an empty level", NO_SCP, [GET], scp=[[EVERYTHING], []]),
    Case("two policies of a level are one", ALLOW, [GET], scp=[[PUT, GET]]),
    Case("a level denies", DENY_SCP, [GET], scp=[[EVERYTHING], [EVERYTHING, NO_GET]]),
    Case("a level grants nothing", NO_IDENTITY, scp=[[EVERYTHING]]),
    Case("root is subject to it", NO_SCP, caller=ROOT, scp=[[PUT]], oracle=False),
    Case("root is denied by it", DENY_SCP, caller=ROOT, scp=[[EVERYTHING, NO_GET]], oracle=False),
    Case("service-linked roles are exempt", ALLOW, [GET], caller=SESSION, scp=[[NO_GET]], service_linked=True,
         oracle=False),
    Case("a named user is subject to it", NO_SCP, scp=[[PUT]], policy=named({"AWS": USER})),
    Case("a deny by region", DENY_SCP, [GET],
         scp=[[EVERYTHING, forbid(Condition={"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}})]],
         context={"aws:RequestedRegion": "eu-west-1"}),
    Case("a deny by region elsewhere", ALLOW, [GET],
         scp=[[EVERYTHING, forbid(Condition={"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}})]],
         context={"aws:RequestedRegion": "us-east-1"}),
    Case("a resource control level denies", DENY_RCP, [GET],
         rcp=[[named("*", "Allow", "*"), named("*", "Deny", "s3:*")]]),
    Case("a resource control level allows", ALLOW, [GET], rcp=[[named("*", "Allow", "*")]]),
    Case("a resource control level lacks", NO_RCP, [GET], rcp=[[named("*", "Allow", "sqs:*")]], oracle=False),
    Case("a resource control deny of insecure transport", DENY_RCP, [GET],
         rcp=[[named("*", "Allow", "*"),
               named("*", "Deny", "s3:*", Condition={"BoolIfExists": {"aws:SecureTransport": "false"}})]],
         context={"aws:SecureTransport": "false"}),
    Case("a management account has no levels", ALLOW, [GET], scp=[]),
]  # fmt: skip
RESOURCE = [
    Case("the resource names the user", ALLOW, policy=named({"AWS": USER})),
    Case("the resource names another user", NO_IDENTITY, policy=named({"AWS": USER + "2"})),
    Case("the resource names everyone", ALLOW, policy=named("*")),
    Case("the resource names everyone, long form", ALLOW, policy=named({"AWS": "*"})),
    Case("the resource names the account", NO_IDENTITY, policy=named({"AWS": ROOT})),
    Case("the resource names the account by number", NO_IDENTITY, policy=named({"AWS": ACCOUNT})),
    Case("the resource names the account, identity allows", ALLOW, [GET], policy=named({"AWS": ROOT})),
    Case("the resource names the role", ALLOW, caller=SESSION, policy=named({"AWS": ROLE})),
    Case("the resource names the session", ALLOW, caller=SESSION, policy=named({"AWS": SESSION})),
    Case("the resource names another session", NO_IDENTITY, caller=SESSION, policy=named({"AWS": SESSION + "2"})),
    Case("the resource names one of many", ALLOW, policy=named({"AWS": [ROLE, USER]})),
    Case("the resource names a service, a user asks", NO_IDENTITY, policy=named({"Service": "ec2.amazonaws.com"})),
    Case("the resource allows something else", NO_IDENTITY, policy=named({"AWS": USER}, action="s3:PutObject")),
    Case("the resource's condition fails", NO_IDENTITY, policy=named({"AWS": USER}, Condition=SECURE)),
    Case("the resource's condition holds", ALLOW, policy=named({"AWS": USER}, Condition=SECURE),
         context={"aws:SecureTransport": "true"}),
    Case("the resource denies the user", DENY_RESOURCE, [GET], policy=named({"AWS": USER}, "Deny")),
    Case("the resource denies the account", DENY_RESOURCE, [GET], policy=named({"AWS": ROOT}, "Deny")),
    Case("the resource denies everyone", DENY_RESOURCE, [GET], policy=named("*", "Deny")),
    Case("the resource denies another user", ALLOW, [GET], policy=named({"AWS": USER + "2"}, "Deny")),
    Case("the resource denies the role", DENY_RESOURCE, [GET], caller=SESSION, policy=named({"AWS": ROLE}, "Deny")),
    Case("the resource denies root", DENY_RESOURCE, caller=ROOT, policy=named({"AWS": ROOT}, "Deny"), oracle=False),
    Case("identity denies, resource allows", DENY_IDENTITY, [NO_GET], policy=named({"AWS": USER})),
    Case("a deny of all but the user spares it", ALLOW, [GET], policy=not_named({"AWS": [USER, ROOT]})),
    Case("a deny of all but another of its account hits", DENY_RESOURCE, [GET],
         policy=not_named({"AWS": [USER + "2", ROOT]}), oracle=False),
    Case("a deny of all but an account spares its root", ALLOW, caller=ROOT, policy=not_named({"AWS": ROOT}),
         oracle=False),
    Case("a deny of all but another hits", DENY_RESOURCE, [GET], policy=not_named({"AWS": USER + "2"})),
    Case("a deny of all but a service hits", DENY_RESOURCE, [GET], policy=not_named({"Service": "ec2.amazonaws.com"})),
    Case("a service the resource names", ALLOW, caller="ec2.amazonaws.com",
         policy=named({"Service": "ec2.amazonaws.com"}), oracle=False),
    Case("a service the resource does not name", NO_RESOURCE, caller="ec2.amazonaws.com",
         policy=named({"Service": "sns.amazonaws.com"}), oracle=False),
    Case("a service without a resource policy", NO_RESOURCE, caller="ec2.amazonaws.com", oracle=False),
    Case("a service denied as one of everyone", DENY_RESOURCE, caller="ec2.amazonaws.com",
         policy=document(*named({"Service": "ec2.amazonaws.com"})["Statement"], *named("*", "Deny")["Statement"]),
         oracle=False),
    Case("nobody, public resource", ALLOW, caller="", policy=named("*")),
    Case("nobody, private resource", NO_RESOURCE, caller="", policy=named({"AWS": USER})),
    Case("nobody, an empty name in the policy", NO_RESOURCE, caller="", policy=named({"AWS": [""]}), oracle=False),
    Case("nobody, no resource policy", NO_RESOURCE, caller=""),
    Case("nobody, denied", DENY_RESOURCE, caller="",
         policy=document(*named("*")["Statement"], *named("*", "Deny")["Statement"])),
]  # fmt: skip
DELEGATING = [
    Case("identity alone is not enough", NO_RESOURCE, [EVERYTHING], delegates=True, policy=named({"AWS": USER + "2"}),
         oracle=False),
    Case("the account is named, identity allows", ALLOW, [EVERYTHING], delegates=True, policy=named({"AWS": ROOT}),
         oracle=False),
    Case("the account is named, identity lacks", NO_IDENTITY, delegates=True, policy=named({"AWS": ROOT}),
         oracle=False),
    Case("the user is named", ALLOW, delegates=True, policy=named({"AWS": USER}), oracle=False),
    Case("even root needs the policy", NO_RESOURCE, caller=ROOT, delegates=True, policy=named({"AWS": USER}),
         oracle=False),
    Case("root through its account", ALLOW, caller=ROOT, delegates=True, policy=named({"AWS": ROOT}), oracle=False),
]  # fmt: skip
FAR: dict[str, Any] = {
    "owner": OTHER,
    "action": "sqs:SendMessage",
    "resource": QUEUE.replace(ACCOUNT, OTHER),
}


def reach(principal: Any, effect: str = "Allow") -> Document:
    return named(principal, effect, "sqs:SendMessage")


SEND = permit("sqs:SendMessage")
ACROSS = [
    Case("both sides allow", ALLOW, [SEND], policy=reach({"AWS": USER}), **FAR),
    Case("both sides allow, account named", ALLOW, [SEND], policy=reach({"AWS": ROOT}), **FAR),
    Case("both sides allow, number named", ALLOW, [SEND], policy=reach({"AWS": ACCOUNT}), **FAR),
    Case("both sides allow, everyone named", ALLOW, [SEND], policy=reach("*"), **FAR),
    Case("only identity allows", NO_RESOURCE, [SEND], **FAR),
    Case("only the resource allows", NO_IDENTITY, policy=reach({"AWS": USER}), **FAR),
    Case("neither allows", NO_IDENTITY, **FAR),
    Case("the resource names its own account only", NO_RESOURCE, [SEND], policy=reach({"AWS": OTHER}), **FAR),
    Case("the resource denies", DENY_RESOURCE, [SEND], policy=reach({"AWS": USER}, effect="Deny"), **FAR),
    Case("identity denies", DENY_IDENTITY, [forbid("sqs:*")], policy=reach({"AWS": USER}), **FAR),
    Case("the boundary lacks", NO_BOUNDARY, [SEND], boundary=PUT, policy=reach({"AWS": USER}), **FAR),
    Case("the session lacks", NO_SESSION, [SEND], caller=SESSION, session=[PUT], policy=reach({"AWS": ROLE}), **FAR),
    Case("a session named from afar still needs its role", NO_IDENTITY, caller=SESSION,
         policy=reach({"AWS": SESSION}), **FAR),
    Case("the role named, role allows", ALLOW, [SEND], caller=SESSION, policy=reach({"AWS": ROLE}), **FAR),
    Case("the organization lacks", NO_SCP, [SEND], scp=[[PUT]], policy=reach({"AWS": USER}), **FAR),
    Case("the owner's organization denies", DENY_RCP, [SEND], policy=reach({"AWS": USER}),
         rcp=[[named("*", "Allow", "*"), named("*", "Deny", "sqs:*")]], **FAR),
    Case("root of another account, named", ALLOW, caller=ROOT, policy=reach({"AWS": ROOT}), oracle=False, **FAR),
    Case("root of another account, not named", NO_RESOURCE, caller=ROOT, oracle=False, **FAR),
    Case("everything allowed at home", NO_RESOURCE, [EVERYTHING], **FAR),
]  # fmt: skip

CASES = [*IDENTITY, *BOUNDARIES, *SESSIONS, *ORGANIZATION, *RESOURCE, *DELEGATING, *ACROSS]
