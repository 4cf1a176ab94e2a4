"""What `celaje status` shows of a host with machines."""

from __future__ import annotations

import platform

import libvirt

from agents.hypervisor.accelerator import Choice, qemu_version

_ACCELERATORS = {"kvm": "kvm", "qemu": "tcg"}


async def facts(choice: Choice | None) -> dict[str, str]:
    """Accelerator and why, versions of libvirt, QEMU and the kernel."""
    version = libvirt.getVersion()
    return {
        "accelerator": _ACCELERATORS[choice.accelerator] if choice else "not known yet",
        "accelerator_reason": choice.reason if choice else "KVM is tried with the first image that brings a kernel",
        "kernel": platform.release(),
        "libvirt": f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}",
        "qemu": await qemu_version(),
    }
