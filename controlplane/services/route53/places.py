"""Where somebody is who asks, for geolocation and latency routing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from controlplane.services.route53 import geography

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
    """A place on earth and, where it is one of these, a region. What is not known is empty. `locations` are those of
    CIDR collections that lie there: collection and name."""

    continent: str = ""
    country: str = ""
    subdivision: str = ""
    region: str = ""
    locations: tuple[tuple[str, str], ...] = ()

    def point(self) -> geography.Point:
        """Where that is: where it is in no region, one in the same country or on the same continent stands for it."""
        return _point(replace(self, locations=()))

    def within(self, config: Mapping[str, Any]) -> int:
        """How well a CidrRoutingConfig fits: 2 by its location, 1 as the default, 0 not at all."""
        if config["LocationName"] == "*":
            return 1
        return 2 if (config["CollectionId"], config["LocationName"]) in self.locations else 0

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


@lru_cache(1000)
def _point(place: Place) -> geography.Point:
    if place.region in geography.REGIONS:
        return geography.REGIONS[place.region]
    nearest = min(geography.REGIONS, key=lambda region: place.distance(region))
    return geography.REGIONS[nearest]


@lru_cache(1000)
def place(text: str) -> Place:
    """Of a region, or of `continent-country-subdivision`."""
    if text[:1].islower():
        found = next((value for key, value in _REGIONS.items() if text.startswith(key)), "")
        continent, _, country = found.partition("-")
        return Place(continent, country, region=text)
    continent, country, subdivision = (*text.split("-"), "", "")[:3]
    return Place(continent, country, subdivision)


def of_networks(places: Mapping[str, str], blocks: Iterable[tuple[str, str, str]]) -> dict[str, Place]:
    """What is known of networks: where they are, and in which location of each collection (`blocks`: collection,
    location, network). What holds for a network holds for those in it of which nothing else is told."""
    known: dict[Any, Place] = {ip_network(network): place(text) for network, text in places.items()}
    located: dict[Any, dict[str, str]] = {}
    for collection, location, network in blocks:
        located.setdefault(ip_network(network), {})[collection] = location
    found = {}
    for network in known.keys() | located.keys():
        around = [network.supernet(new_prefix=length) for length in range(network.prefixlen, -1, -1)]
        own = next((known[each] for each in around if each in known), None) or Place()
        locations: dict[str, str] = {}
        for each in reversed(around):
            locations |= located.get(each, {})
        found[str(network)] = replace(own, locations=tuple(sorted(locations.items())))
    return found


def somewhere(region: str) -> Place:
    """Of somebody of whom nothing is known: near a region, but in no country."""
    return Place(region=region, continent=place(region).continent)
