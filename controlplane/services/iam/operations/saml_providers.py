"""SAML providers: whose assertions AssumeRoleWithSAML takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.access.saml import BadMetadata, Metadata
from controlplane.core.context import Context
from controlplane.core.ids import principal_id
from controlplane.core.operation import ANY, Resource, operation
from controlplane.core.tags import to_list
from controlplane.services.iam import identities as common
from controlplane.services.iam import providers as common_providers
from controlplane.services.iam.errors import EntityAlreadyExists, InvalidInput, LimitExceeded
from controlplane.services.iam.providers import MAX_PROVIDERS, SAML
from controlplane.services.iam.queries import providers

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import (
        CreateSAMLProviderRequestTypeDef,
        GetSAMLProviderRequestTypeDef,
        UpdateSAMLProviderRequestTypeDef,
    )


async def on_new(ctx: Context, request: Any) -> list[Resource]:
    """The provider to be."""
    return [Resource(SAML.arn(ctx, request.get("Name") or ""))]


def _read(document: str) -> Metadata:
    try:
        return Metadata.read(document)
    except BadMetadata as error:
        raise InvalidInput(str(error)) from error


def _no_encryption(request: Any) -> None:
    if request.get("AssertionEncryptionMode") or request.get("AddPrivateKey") or request.get("RemovePrivateKey"):
        raise InvalidInput("Encrypted assertions are not supported by this cloud.")


@operation("CreateSAMLProvider", on=on_new)
async def create_saml_provider(ctx: Context, request: CreateSAMLProviderRequestTypeDef) -> dict[str, Any]:
    """Trust an identity provider by its metadata. Raises EntityAlreadyExists, InvalidInput, LimitExceeded."""
    _no_encryption(request)
    document = request["SAMLMetadataDocument"]
    metadata, tags = _read(document), common.new_tags(request.get("Tags"))
    if len(await providers.every(ctx, SAML.name)) >= MAX_PROVIDERS:
        raise LimitExceeded(f"Cannot exceed quota for SAMLProvidersPerAccount: {MAX_PROVIDERS}")
    arn, content = SAML.arn(ctx, request["Name"]), {"metadata": document}
    id = principal_id("ASCP") + principal_id("")[:1]
    if not await providers.insert(ctx, arn, id, SAML.name, content, tags, metadata.valid_until):
        raise EntityAlreadyExists(f"SAML provider with name {request['Name']} already exists.")
    return {"SAMLProviderArn": arn, **({"Tags": to_list(tags)} if tags else {})}


@operation("GetSAMLProvider", on=common_providers.named(SAML))
async def get_saml_provider(ctx: Context, request: GetSAMLProviderRequestTypeDef) -> dict[str, Any]:
    """A provider with its metadata. Raises NoSuchEntity."""
    row = await common_providers.get(ctx, SAML, request)
    return {
        "SAMLProviderUUID": row["id"],
        "SAMLMetadataDocument": row["content"]["metadata"],
        "CreateDate": row["created_at"],
        "ValidUntil": row["valid_until"],
        "Tags": to_list(row["tags"]),
    }


@operation("ListSAMLProviders", on=ANY)
async def list_saml_providers(ctx: Context, request: Any) -> dict[str, Any]:
    """All providers."""
    rows = await providers.every(ctx, SAML.name)
    shown = [{"Arn": row["arn"], "CreateDate": row["created_at"], "ValidUntil": row["valid_until"]} for row in rows]
    return {"SAMLProviderList": shown}


@operation("UpdateSAMLProvider", on=common_providers.named(SAML))
async def update_saml_provider(ctx: Context, request: UpdateSAMLProviderRequestTypeDef) -> dict[str, Any]:
    """Replace the metadata. Raises NoSuchEntity, InvalidInput."""
    _no_encryption(request)
    row = await common_providers.lock(ctx, SAML, request)
    document = request.get("SAMLMetadataDocument")
    if document:
        await providers.set_content(ctx, row["arn"], {"metadata": document}, _read(document).valid_until)
    return {"SAMLProviderArn": row["arn"]}


@operation("DeleteSAMLProvider", on=common_providers.named(SAML))
async def delete_saml_provider(ctx: Context, request: Any) -> None:
    """Delete a provider. Raises NoSuchEntity."""
    await common_providers.delete(ctx, SAML, request)


@operation("TagSAMLProvider", on=common_providers.named(SAML))
async def tag_saml_provider(ctx: Context, request: Any) -> None:
    """Add tags. Raises NoSuchEntity, InvalidInput, LimitExceeded."""
    await common_providers.tag(ctx, SAML, request)


@operation("UntagSAMLProvider", on=common_providers.named(SAML))
async def untag_saml_provider(ctx: Context, request: Any) -> None:
    """Remove tags. Raises NoSuchEntity."""
    await common_providers.untag(ctx, SAML, request)


@operation("ListSAMLProviderTags", on=common_providers.named(SAML))
async def list_saml_provider_tags(ctx: Context, request: Any) -> dict[str, Any]:
    """The tags of a provider. Raises NoSuchEntity."""
    return await common_providers.list_tags(ctx, SAML, request)
