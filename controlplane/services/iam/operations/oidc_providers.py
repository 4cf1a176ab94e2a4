"""OpenID Connect providers: whose tokens AssumeRoleWithWebIdentity takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from controlplane.access.issuers import IssuerUnreachable, thumbprint
from controlplane.core.context import Context
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.tags import to_list
from controlplane.services.iam import identities as common
from controlplane.services.iam import providers as common_providers
from controlplane.services.iam.errors import (
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    OpenIdIdpCommunicationError,
    ValidationError,
)
from controlplane.services.iam.providers import MAX_PROVIDERS, OIDC
from controlplane.services.iam.queries import providers

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        AddClientIDToOpenIDConnectProviderRequestTypeDef,
        CreateOpenIDConnectProviderRequestTypeDef,
        GetOpenIDConnectProviderRequestTypeDef,
        RemoveClientIDFromOpenIDConnectProviderRequestTypeDef,
        UpdateOpenIDConnectProviderThumbprintRequestTypeDef,
    )

MAX_CLIENTS = 100
MAX_THUMBPRINTS = 5
_HEX = re.compile(r"[0-9a-fA-F]{40}")


def _name(url: str) -> str:
    """What the ARN says of a URL: host, port and path."""
    return url.partition("://")[2].rstrip("/") if "://" in url else url.rstrip("/")


async def on_new(ctx: Context, request: Any) -> list[Resource]:
    """The provider to be."""
    return [Resource(OIDC.arn(ctx, _name(request.get("Url") or "")))]


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValidationError("Invalid Open ID Connect Provider URL") from error
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username or port == 0:
        raise ValidationError("Invalid Open ID Connect Provider URL")


def _check_thumbprints(given: Sequence[str]) -> list[str]:
    if len(given) > MAX_THUMBPRINTS:
        raise InvalidInput("Thumbprint list must contain fewer than 5 entries.")
    if not all(map(_HEX.fullmatch, given)):
        raise InvalidInput("Thumbprint must be the SHA-1 hash of a certificate: 40 hexadecimal digits.")
    return [item.lower() for item in dict.fromkeys(given)]


@operation("CreateOpenIDConnectProvider", on=on_new)
async def create_open_id_connect_provider(
    ctx: Context, request: CreateOpenIDConnectProviderRequestTypeDef
) -> dict[str, Any]:
    """Trust an issuer; without thumbprints, the certificate that it shows now is taken.

    Raises EntityAlreadyExists, InvalidInput, LimitExceeded, OpenIdIdpCommunicationError.
    """
    url, clients = request["Url"], list(dict.fromkeys(request.get("ClientIDList") or ()))
    _check_url(url)
    if len(clients) > MAX_CLIENTS:
        raise LimitExceeded(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MAX_CLIENTS}")
    tags = common.new_tags(request.get("Tags"))
    arn = OIDC.arn(ctx, _name(url))
    if await providers.find(ctx, OIDC.name, arn) is not None:
        raise _taken(url)
    if len(await providers.every(ctx, OIDC.name)) >= MAX_PROVIDERS:
        raise LimitExceeded(f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {MAX_PROVIDERS}")
    thumbprints = _check_thumbprints(request.get("ThumbprintList") or [])
    if not thumbprints:
        try:
            thumbprints = [await thumbprint(url, ctx.engine("outbound").resolve)]
        except IssuerUnreachable as error:
            raise OpenIdIdpCommunicationError("Unable to get the certificate of the identity provider.") from error
    content = {"url": _name(url), "clients": clients, "thumbprints": thumbprints}
    if not await providers.insert(ctx, arn, "", OIDC.name, content, tags, None):
        raise _taken(url)
    return {"OpenIDConnectProviderArn": arn, **({"Tags": to_list(tags)} if tags else {})}


def _taken(url: str) -> EntityAlreadyExists:
    return EntityAlreadyExists(f"Provider with url {url} already exists.")


@operation("GetOpenIDConnectProvider", on=common_providers.named(OIDC))
async def get_open_id_connect_provider(ctx: Context, request: GetOpenIDConnectProviderRequestTypeDef) -> dict[str, Any]:
    """A provider. Raises NoSuchEntity."""
    row = await common_providers.get(ctx, OIDC, request)
    content = row["content"]
    return {
        "Url": content["url"],
        "ClientIDList": content["clients"],
        "ThumbprintList": content["thumbprints"],
        "CreateDate": row["created_at"],
        "Tags": to_list(row["tags"]),
    }


@operation("ListOpenIDConnectProviders", on=ANY)
async def list_open_id_connect_providers(ctx: Context, request: Any) -> dict[str, Any]:
    """All providers."""
    return {"OpenIDConnectProviderList": [{"Arn": row["arn"]} for row in await providers.every(ctx, OIDC.name)]}


@operation("DeleteOpenIDConnectProvider", on=common_providers.named(OIDC))
async def delete_open_id_connect_provider(ctx: Context, request: Any) -> None:
    """Delete a provider. Raises NoSuchEntity."""
    await common_providers.delete(ctx, OIDC, request)


@operation("AddClientIDToOpenIDConnectProvider", on=common_providers.named(OIDC))
async def add_client_id_to_open_id_connect_provider(
    ctx: Context, request: AddClientIDToOpenIDConnectProviderRequestTypeDef
) -> None:
    """Take tokens for a further audience; once more changes nothing. Raises NoSuchEntity, LimitExceeded."""
    row = await common_providers.lock(ctx, OIDC, request)
    clients = list(dict.fromkeys([*row["content"]["clients"], request["ClientID"]]))
    if len(clients) > MAX_CLIENTS:
        raise LimitExceeded(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MAX_CLIENTS}")
    await providers.set_content(ctx, row["arn"], {**row["content"], "clients": clients})


@operation("RemoveClientIDFromOpenIDConnectProvider", on=common_providers.named(OIDC))
async def remove_client_id_from_open_id_connect_provider(
    ctx: Context, request: RemoveClientIDFromOpenIDConnectProviderRequestTypeDef
) -> None:
    """Take no more tokens for an audience; one that was not there is fine. Raises NoSuchEntity."""
    row = await common_providers.lock(ctx, OIDC, request)
    clients = [client for client in row["content"]["clients"] if client != request["ClientID"]]
    await providers.set_content(ctx, row["arn"], {**row["content"], "clients": clients})


@operation("UpdateOpenIDConnectProviderThumbprint", on=common_providers.named(OIDC))
async def update_open_id_connect_provider_thumbprint(
    ctx: Context, request: UpdateOpenIDConnectProviderThumbprintRequestTypeDef
) -> None:
    """Replace the thumbprints. Raises NoSuchEntity, InvalidInput."""
    row = await common_providers.lock(ctx, OIDC, request)
    thumbprints = _check_thumbprints(request["ThumbprintList"])
    if not thumbprints:
        raise InvalidInput("Thumbprint list must contain at least 1 entry.")
    await providers.set_content(ctx, row["arn"], {**row["content"], "thumbprints": thumbprints})


@operation("TagOpenIDConnectProvider", on=common_providers.named(OIDC))
async def tag_open_id_connect_provider(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    await common_providers.tag(ctx, OIDC, request)


@operation("UntagOpenIDConnectProvider", on=common_providers.named(OIDC))
async def untag_open_id_connect_provider(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    await common_providers.untag(ctx, OIDC, request)


@operation("ListOpenIDConnectProviderTags", on=common_providers.named(OIDC))
async def list_open_id_connect_provider_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a provider. Raises NoSuchEntity."""
    return await common_providers.list_tags(ctx, OIDC, request)
