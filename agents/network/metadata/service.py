"""Answers the machines' questions about themselves. Who asks is told by the VPC and the source address."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from http import HTTPStatus

from agents.network.metadata.credentials import CredentialCache
from agents.network.metadata.http import Request, Response
from agents.network.metadata.tokens import Tokens
from agents.network.metadata.tree import Folder, Identity, find, identity_document, metadata

log = logging.getLogger(__name__)

_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
    "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19",
    "2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
    "2021-03-23", "2021-07-15", "2022-09-24", "2024-04-11", "latest",
)  # fmt: skip
_TOKEN = "x-aws-ec2-metadata-token"  # noqa: S105
_TTL = "x-aws-ec2-metadata-token-ttl-seconds"
_TOKEN_PATHS = {f"/{version}/api/token" for version in _VERSIONS}


class MetadataService:
    """`lookup` finds out who has an address in a VPC; `asked` is told the machine on every question."""

    def __init__(
        self,
        tokens: Tokens,
        credentials: CredentialCache,
        lookup: Callable[[str, str], Identity | None],
        asked: Callable[[str], None],
    ) -> None:
        self._tokens = tokens
        self._credentials = credentials
        self._lookup = lookup
        self._asked = asked

    async def handle(self, vpc: str, request: Request) -> Response:
        """Answer one request that came from inside a VPC."""
        identity = self._lookup(vpc, request.peer)
        if identity is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        self._asked(identity.machine.id)
        if not identity.machine.metadata.endpoint_enabled:
            return _refusal(HTTPStatus.FORBIDDEN)
        if request.method == "PUT":
            return self._token(identity, request)
        if request.method not in ("GET", "HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        return await self._item(identity, request)

    def _token(self, identity: Identity, request: Request) -> Response:
        if request.path not in _TOKEN_PATHS:
            return _refusal(HTTPStatus.NOT_FOUND)
        if "x-forwarded-for" in request.headers:
            # A proxy that can be talked into fetching an address must not be able to fetch a token.
            return _refusal(HTTPStatus.FORBIDDEN)
        ttl = request.headers.get(_TTL, "")
        token = self._tokens.make(identity.machine.id, ttl)
        if token is None:
            return _refusal(HTTPStatus.BAD_REQUEST)
        hops = identity.machine.metadata.hop_limit
        return Response(HTTPStatus.OK, token.encode(), {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": ttl}, hops=hops)

    async def _item(self, identity: Identity, request: Request) -> Response:
        headers = {}
        token = request.headers.get(_TOKEN)
        if token is not None:
            left = self._tokens.remaining(identity.machine.id, token)
            if left is None:
                return _refusal(HTTPStatus.UNAUTHORIZED)
            headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] = str(left)
        elif identity.machine.metadata.tokens_required:
            return _refusal(HTTPStatus.UNAUTHORIZED)
        version, *path = request.path.lstrip("/").split("/")
        if version == "":
            return Response(HTTPStatus.OK, "\n".join(_VERSIONS).encode(), headers)
        if version not in _VERSIONS:
            return _refusal(HTTPStatus.NOT_FOUND)
        if path[:1] == ["user-data"]:
            return _user_data(identity, path, headers)
        tree = await self._tree(identity, path)
        text = find(tree, path) if tree is not None else None
        if text is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        kind = "application/json" if text.startswith("{") else "text/plain"
        return Response(HTTPStatus.OK, text.encode(), headers, kind)

    async def _tree(self, identity: Identity, path: list[str]) -> Folder | None:
        own = metadata(identity)
        about = identity.machine.metadata
        if about.role is not None:
            secrets: str = ""
            if path[:4] == ["meta-data", "iam", "security-credentials", about.role]:
                secrets = await self._secrets(identity.machine.id, about.role)
            profile = {
                "Code": "Success",
                "LastUpdated": about.launch_time,
                "InstanceProfileArn": about.instance_profile_arn,
                "InstanceProfileId": about.instance_profile_id,
            }
            credentials = Folder({about.role: secrets})
            own["iam"] = Folder({"info": json.dumps(profile, indent=2), "security-credentials": credentials})
        dynamic = Folder({"instance-identity": Folder({"document": identity_document(identity)})})
        tree = Folder({"dynamic": dynamic, "meta-data": own})
        if about.user_data is not None:
            tree["user-data"] = ""
        return tree

    async def _secrets(self, machine: str, role: str) -> str:
        try:
            credentials = await self._credentials.get(machine, role)
        except Exception as error:
            log.warning("no credentials for %s: %s", machine, error)
            credentials = None
        if credentials is None:
            failed = {"Code": "AssumeRoleUnauthorizedAccess", "Message": f"The role {role} could not be assumed."}
            return json.dumps(failed, indent=2)
        document = {
            "Code": "Success",
            "LastUpdated": credentials.last_updated,
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.token,
            "Expiration": credentials.expiration,
        }
        return json.dumps(document, indent=2)


def _user_data(identity: Identity, path: list[str], headers: dict[str, str]) -> Response:
    encoded = identity.machine.metadata.user_data
    if encoded is None or path[1:] not in ([], [""]):
        return _refusal(HTTPStatus.NOT_FOUND)
    return Response(HTTPStatus.OK, base64.b64decode(encoded), headers, "application/octet-stream")


def _refusal(status: HTTPStatus) -> Response:
    text = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        f"<html><head><title>{status.value} - {status.phrase}</title></head>"
        f"<body><h1>{status.value} - {status.phrase}</h1></body></html>\n"
    )
    return Response(status, text.encode(), content_type="text/html")
