"""What S3 writes that its model does not say: the names of root elements and one body that is bare text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controlplane.wire.protocols.xml_text import DECLARATION, escape
from controlplane.wire.service import Operation

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotification": "NotificationConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsOutput",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


def root_name(operation: Operation) -> str | None:
    """The root element of an operation's answer, where S3 has its own name for it."""
    return _ROOTS.get(operation.name) if operation.service.name == "s3" else None


def default_namespace(operation: Operation) -> Any:
    """The namespace of a REST-XML answer: S3's, or the one that the API's requests with a body have."""
    if operation.service.name == "s3":
        return _NAMESPACE
    inputs = (other.get("input", {}) for other in operation.service.description["operations"].values())
    return next((given["xmlNamespace"] for given in inputs if "xmlNamespace" in given), None)


def special_writer(operation: Operation) -> Callable[[Mapping[str, Any]], bytes] | None:
    """The writer of GetBucketLocation, whose root holds the text itself."""
    if operation.service.name != "s3" or operation.name != "GetBucketLocation":
        return None

    def write(result: Mapping[str, Any]) -> bytes:
        text = escape(result.get("LocationConstraint") or "")
        end = f">{text}</LocationConstraint>" if text else "/>"
        return f'{DECLARATION}<LocationConstraint xmlns="{_NAMESPACE}"{end}'.encode()

    return write
