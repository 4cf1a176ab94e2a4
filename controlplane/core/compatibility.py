"""Ways in which an API answers otherwise than AWS, for clients that were written for another implementation of it.

Operations are written for AWS. A compatibility stands between them and the wire, where what differs can be changed
there; what cannot asks `Cloud.compatibility`.
"""

from __future__ import annotations

from typing import Any

from controlplane.core.errors import AwsError


class Compatibility:
    """With one other implementation of an API; this one changes nothing."""

    def asked(self, operation: str, request: dict[str, Any]) -> None:
        """Change a request, which the model allows, before anybody looks at it. Raises AwsError."""

    def told(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """Change an answer. What streams in it is not read yet."""

    def refused(self, operation: str, error: AwsError) -> AwsError:
        """The refusal that goes out."""
        return error
