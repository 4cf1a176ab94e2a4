"""Websites by the names of others: what an alias of Route 53 leads to, and the bucket that a host is named like."""

from __future__ import annotations

import re

from controlplane.core.context import Cloud, Unit
from controlplane.core.public_names import AliasTarget, Site, alias_target, host

ZONES = {
    "af-south-1": "Z83WF9RJE8B12",
    "ap-east-1": "ZNB98KWMFR0R6",
    "ap-east-2": "Z064739330DAH7WJVOO93",
    "ap-northeast-1": "Z2M4EHUR26P7ZW",
    "ap-northeast-2": "Z3W03O7B5YMIYP",
    "ap-northeast-3": "Z2YQB5RD63NC85",
    "ap-south-1": "Z11RGJOFQNVJUP",
    "ap-south-2": "Z02976202B4EZMXIPMXF7",
    "ap-southeast-1": "Z3O0J2DXBE1FTB",
    "ap-southeast-2": "Z1WCIGYICN2BYD",
    "ap-southeast-3": "Z01846753K324LI26A3VV",
    "ap-southeast-4": "Z0312387243XT5FE14WFO",
    "ap-southeast-5": "Z08660063OXLMA7F1FJHU",
    "ap-southeast-6": "Z05686083R66JX5C163TC",
    "ap-southeast-7": "Z0031014GXUMRZG6I14G",
    "ca-central-1": "Z1QDHH18159H29",
    "ca-west-1": "Z03565811Z33SLEZTHOUL",
    "eu-central-1": "Z21DNDUVLTQW6Q",
    "eu-central-2": "Z030506016YDQGETNASS",
    "eu-north-1": "Z3BAZG2TWCNX0D",
    "eu-south-1": "Z30OZKI7KPW7MI",
    "eu-south-2": "Z0081959F7139GRJC19J",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "eu-west-2": "Z3GKZC51ZF0DB4",
    "eu-west-3": "Z3R1K369G5AVDG",
    "il-central-1": "Z09640613K4A3MN55U7GU",
    "me-central-1": "Z06143092I8HRXZRUZROF",
    "me-south-1": "Z1MPMWCPA7YB62",
    "mx-central-1": "Z057606446ZNVQJJ8WOP",
    "sa-east-1": "Z7KQH4QJS55SO",
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-east-2": "Z2O1EMRO9K5GLX",
    "us-gov-east-1": "Z2NIFVYYW2VKV1",
    "us-gov-west-1": "Z31GFT0UA1I2HV",
    "us-west-1": "Z2F56UZL2M1ACD",
    "us-west-2": "Z3BJ6K6RIION7M",
}
"""The hosted zone of each region's website endpoint, as AWS documents them (S3 endpoints and quotas)."""
# AWS has a hyphen in its older regions and a dot in all others; the gateway takes both everywhere.
_ENDPOINT = re.compile(r"s3-website[.-]([a-z0-9-]+)\.(.+)")
_AWS = "amazonaws.com"
_SITE = "SELECT region FROM s3_buckets WHERE name = $1 AND settings ? 'website'"


@alias_target(*ZONES.values())
async def website_endpoint(db: Unit, cloud: Cloud, name: str) -> AliasTarget | None:
    """A region's website endpoint, at AWS or at this cloud; which bucket it shows, the host of a request says."""
    found = _ENDPOINT.fullmatch(name)
    if found is None or found[1] not in cloud.regions or found[1] not in ZONES:
        return None
    if found[2] != _AWS and found[2] not in cloud.own_names:
        return None
    return AliasTarget(ZONES[found[1]])


@host
async def website(db: Unit, name: str) -> Site | None:
    """The bucket of a name, if it is a website."""
    row = await db.cached_row(_SITE, name)
    return Site("GetWebsitePage", row["region"], {"Bucket": name}) if row is not None else None
