"""Where somebody is who asks, for geolocation and latency routing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Continent and country of AWS's regions; a key that is a beginning holds for all regions that begin so.
_REGIONS = {
    "us-": "NA-US", "ca-": "NA-CA", "mx-": "NA-MX", "sa-": "SA-BR", "af-": "AF-ZA",
    "eu-central-1": "EU-DE", "eu-central-2": "EU-CH", "eu-north-1": "EU-SE", "eu-south-1": "EU-IT",
    "eu-south-2": "EU-ES", "eu-west-1": "EU-IE", "eu-west-2": "EU-GB", "eu-west-3": "EU-FR",
    "ap-east-1": "AS-HK", "ap-northeast-1": "AS-JP", "ap-northeast-2": "AS-KR", "ap-northeast-3": "AS-JP",
    "ap-south-": "AS-IN", "ap-southeast-1": "AS-SG", "ap-southeast-2": "OC-AU", "ap-southeast-3": "AS-ID",
    "ap-southeast-4": "OC-AU", "me-south-1": "AS-BH", "me-central-1": "AS-AE", "il-": "AS-IL",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A place on earth and, where it is one of these, a region. What is not known is empty."""

    continent: str = ""
    country: str = ""
    subdivision: str = ""
    region: str = ""

    def distance(self, region: str) -> tuple[int, str]:
        """How far away a region is: itself, then the same country, the same continent, anywhere."""
        there = place(region)
        steps = (region == self.region, there.country == self.country != "", there.continent == self.continent != "")
        return next((number for number, true in enumerate(steps) if true), len(steps)), region

    def fits(self, location: Mapping[str, Any]) -> int:
        """How closely a GeoLocation fits: 4 a subdivision, 3 a country, 2 a continent, 1 everywhere, 0 not at all."""
        country, subdivision = location.get("CountryCode"), location.get("SubdivisionCode")
        if location.get("ContinentCode"):
            return 2 if location["ContinentCode"] == self.continent else 0
        if subdivision:
            return 4 if (country, subdivision) == (self.country, self.subdivision) else 0
        if country == "*":
            return 1
        return 3 if country == self.country else 0


def place(text: str) -> Place:
    """Of a region, or of `continent-country-subdivision`."""
    if text[:1].islower():
        found = next((value for key, value in _REGIONS.items() if text.startswith(key)), "")
        continent, _, country = found.partition("-")
        return Place(continent, country, region=text)
    return Place(*text.split("-"))


def somewhere(region: str) -> Place:
    """Of somebody of whom nothing is known: near a region, but in no country."""
    return Place(region=region, continent=place(region).continent)
