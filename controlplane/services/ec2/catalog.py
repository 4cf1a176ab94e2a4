"""Instance types: families that people know, with AWS's own sizes."""

from __future__ import annotations

from dataclasses import dataclass

_SIZES = {
    "nano": (2, 512),
    "micro": (2, 1024),
    "small": (2, 2048),
    "medium": (2, 4096),
    "large": (2, 8192),
    "xlarge": (4, 16384),
    "2xlarge": (8, 32768),
}
_LARGER = {"4xlarge": 4, "8xlarge": 8, "12xlarge": 12, "16xlarge": 16}
"""Sizes as multiples of the family's xlarge."""


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One type. Memory in MiB; `burstable` families share processors."""

    name: str
    vcpus: int
    memory_mib: int
    burstable: bool
    current: bool

    @property
    def cores(self) -> int:
        return max(1, self.vcpus // 2)

    @property
    def threads(self) -> int:
        return self.vcpus // self.cores


def _burstable(family: str, current: bool) -> list[InstanceType]:
    return [InstanceType(f"{family}.{size}", *numbers, True, current) for size, numbers in _SIZES.items()]


def _fixed(family: str, gib_per_vcpu: int) -> list[InstanceType]:
    sizes = {"large": 2, "xlarge": 4, "2xlarge": 8, **{size: 4 * times for size, times in _LARGER.items()}}
    return [
        InstanceType(f"{family}.{size}", vcpus, vcpus * gib_per_vcpu * 1024, False, True)
        for size, vcpus in sizes.items()
    ]


_OLD = [
    # RunInstances without a type means m1.small, still.
    InstanceType("m1.small", 1, 1740, False, False),
    InstanceType("t2.nano", 1, 512, True, True),
    InstanceType("t2.micro", 1, 1024, True, True),
    InstanceType("t2.small", 1, 2048, True, True),
    InstanceType("t2.medium", 2, 4096, True, True),
    InstanceType("t2.large", 2, 8192, True, True),
    InstanceType("t2.xlarge", 4, 16384, True, True),
    InstanceType("t2.2xlarge", 8, 32768, True, True),
]

TYPES: dict[str, InstanceType] = {
    type.name: type
    for type in (
        *_OLD,
        *_burstable("t3", True),
        *_burstable("t3a", True),
        *_fixed("m5", 4),
        *_fixed("m6i", 4),
        *_fixed("m7i", 4),
        *_fixed("c5", 2),
        *_fixed("c6i", 2),
        *_fixed("r5", 8),
        *_fixed("r6i", 8),
    )
}
