"""Points on earth, for geoproximity routing."""

from __future__ import annotations

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt
from typing import Any

_EARTH_KM = 6371.0
# Latitude and longitude of the places that AWS's regions are named for.
REGIONS = {
    "us-east-1": (39.0, -77.5), "us-east-2": (40.0, -83.0), "us-west-1": (37.4, -122.0), "us-west-2": (45.8, -119.7),
    "ca-central-1": (45.5, -73.6), "ca-west-1": (51.1, -114.1), "mx-central-1": (20.6, -100.4),
    "sa-east-1": (-23.5, -46.6), "af-south-1": (-33.9, 18.4), "eu-central-1": (50.1, 8.7), "eu-central-2": (47.4, 8.5),
    "eu-north-1": (59.3, 18.1), "eu-south-1": (45.5, 9.2), "eu-south-2": (41.6, -0.9), "eu-west-1": (53.3, -6.3),
    "eu-west-2": (51.5, -0.1), "eu-west-3": (48.9, 2.4), "ap-east-1": (22.3, 114.2), "ap-east-2": (25.0, 121.5),
    "ap-northeast-1": (35.7, 139.7), "ap-northeast-2": (37.6, 127.0), "ap-northeast-3": (34.7, 135.5),
    "ap-south-1": (19.1, 72.9), "ap-south-2": (17.4, 78.5), "ap-southeast-1": (1.3, 103.8),
    "ap-southeast-2": (-33.9, 151.2), "ap-southeast-3": (-6.2, 106.8), "ap-southeast-4": (-37.8, 145.0),
    "ap-southeast-5": (3.1, 101.7), "ap-southeast-7": (13.8, 100.5), "il-central-1": (32.1, 34.8),
    "me-central-1": (24.5, 54.4), "me-south-1": (26.1, 50.6),
}  # fmt: skip

Point = tuple[float, float]


def point(location: Mapping[str, Any]) -> Point:
    """Of a GeoProximityLocation."""
    if location.get("AWSRegion"):
        return REGIONS[location["AWSRegion"]]
    coordinates = location["Coordinates"]
    return float(coordinates["Latitude"]), float(coordinates["Longitude"])


def biased(here: Point, location: Mapping[str, Any]) -> float:
    """How far away a GeoProximityLocation counts as, in kilometres: its bias moves it nearer or further off."""
    distance, bias = _distance(here, point(location)), int(location.get("Bias") or 0)
    return distance * (1 - bias / 100) if bias >= 0 else distance / (1 + bias / 100)


def _distance(one: Point, other: Point) -> float:
    """On the surface of a sphere."""
    (a, b), (c, d) = (tuple(map(radians, each)) for each in (one, other))
    half = sin((c - a) / 2) ** 2 + cos(a) * cos(c) * sin((d - b) / 2) ** 2
    return 2 * _EARTH_KM * asin(sqrt(min(half, 1.0)))
