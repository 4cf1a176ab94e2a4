"""What an account may have in Roles Anywhere, for the test that others cannot reach it."""

from __future__ import annotations

import uuid

from tests.cloud import Account
from tests.services.rolesanywhere.test_rolesanywhere import Site


def make(account: Account) -> None:
    """A trust anchor and a profile with a role."""
    site, name = Site(account), f"own-{uuid.uuid4().hex[:12]}"
    site.api.tag_resource(resourceArn=site.anchor["trustAnchorArn"], tags=[{"key": name, "value": name}])
    site.api.update_profile(profileId=site.profile["profileId"], name=name)
