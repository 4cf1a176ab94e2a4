"""Libvirt's description of a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

_SPARE_PORTS = 4
"""PCI Express root ports left free, for disks and interfaces that are attached while the machine runs."""
_LEAST_CACHE_MIB, _MOST_CACHE_MIB = 32, 256


@dataclass(frozen=True)
class DomainDisk:
    """A disk in the order of attachment."""

    path: Path
    serial: str


@dataclass(frozen=True)
class DomainPort:
    """A network interface whose tap exists already."""

    tap: str
    mac: str


@dataclass(frozen=True)
class DomainSpec:
    """All that the XML is made of. `accelerator` is kvm or qemu, sizes in MiB."""

    name: str
    accelerator: str
    vcpus: int
    memory_mib: int
    kernel: Path | None
    initrd: Path | None
    command_line: str
    firmware: str
    disks: tuple[DomainDisk, ...]
    ports: tuple[DomainPort, ...]
    console: Path
    nvram: Path
    mtu: int


def machine_uuid(name: str) -> str:
    """A UUID that begins with ec2, by which cloud-init knows that an EC2 metadata service is there."""
    digest = "ec2" + hashlib.sha256(name.encode()).hexdigest()[:29]
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))


def describe(spec: DomainSpec, label: str | None, seen: Callable[[Path], Path]) -> str:
    """The domain XML of a machine that runs as `label`, user and group; `seen` tells where libvirt finds a file."""
    domain = Element("domain", type=spec.accelerator)
    _text(domain, "name", spec.name)
    _text(domain, "uuid", machine_uuid(spec.name))
    _text(domain, "memory", str(spec.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(spec.vcpus))
    _processor(domain, spec.accelerator)
    _boot(domain, spec, seen)
    _smbios(domain, spec)
    features = SubElement(domain, "features")
    SubElement(features, "acpi")
    SubElement(features, "apic")
    if spec.accelerator == "qemu":
        # By default the translation cache may take 1 GiB of the host for a guest of any size; one that is too small is
        # translated into again and again: with 16 MiB, Debian takes four times as long to boot.
        cache = min(max(_LEAST_CACHE_MIB, spec.memory_mib // 4), _MOST_CACHE_MIB)
        _text(SubElement(features, "tcg"), "tb-cache", str(cache), unit="MiB")
    SubElement(domain, "clock", offset="utc")
    for event, action in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        _text(domain, event, action)
    _devices(SubElement(domain, "devices"), spec, seen)
    if label is not None:
        _text(SubElement(domain, "seclabel", type="static", model="dac", relabel="yes"), "label", label)
    return tostring(domain, encoding="unicode")


def _text(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = text


def _processor(domain: Element, accelerator: str) -> None:
    if accelerator == "kvm":
        SubElement(domain, "cpu", mode="host-passthrough")
    else:
        # Boots 10 % faster under TCG than the "maximum" model: no page-table isolation, no five-level paging.
        cpu = SubElement(domain, "cpu", mode="custom", match="exact", check="none")
        _text(cpu, "model", "EPYC", fallback="allow")


def _boot(domain: Element, spec: DomainSpec, seen: Callable[[Path], Path]) -> None:
    system = SubElement(domain, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="q35")
    if spec.firmware == "uefi" and spec.kernel is None:
        system.set("firmware", "efi")
        SubElement(SubElement(system, "firmware"), "feature", name="secure-boot", enabled="no")
        _text(system, "nvram", str(seen(spec.nvram)))
    SubElement(system, "smbios", mode="sysinfo")
    if spec.kernel is None:
        SubElement(system, "boot", dev="hd")
        return
    _text(system, "kernel", str(seen(spec.kernel)))
    if spec.initrd is not None:
        _text(system, "initrd", str(seen(spec.initrd)))
    _text(system, "cmdline", spec.command_line)


def _smbios(domain: Element, spec: DomainSpec) -> None:
    system = SubElement(SubElement(domain, "sysinfo", type="smbios"), "system")
    uuid = machine_uuid(spec.name)
    for name, value in (("manufacturer", "Celaje"), ("product", "machine"), ("serial", uuid), ("uuid", uuid)):
        _text(system, "entry", value, name=name)


def _devices(devices: Element, spec: DomainSpec, seen: Callable[[Path], Path]) -> None:
    SubElement(devices, "controller", type="usb", model="none")
    for index in range(1, len(spec.disks) + len(spec.ports) + 1 + _SPARE_PORTS + 1):
        SubElement(devices, "controller", type="pci", index=str(index), model="pcie-root-port")
    for position, disk in enumerate(spec.disks):
        element = SubElement(devices, "disk", type="file", device="disk")
        SubElement(element, "driver", name="qemu", type="qcow2", discard="unmap")
        SubElement(element, "source", file=str(seen(disk.path)))
        SubElement(element, "target", dev=f"vd{chr(ord('a') + position)}", bus="virtio")
        _text(element, "serial", disk.serial)
    for port in spec.ports:
        element = SubElement(devices, "interface", type="ethernet")
        SubElement(element, "mac", address=port.mac)
        SubElement(element, "target", dev=port.tap, managed="no")
        SubElement(element, "model", type="virtio")
        SubElement(element, "mtu", size=str(spec.mtu))
    serial = SubElement(devices, "serial", type="file")
    SubElement(serial, "source", path=str(seen(spec.console)), append="on")
    rng = SubElement(devices, "rng", model="virtio")
    _text(rng, "backend", "/dev/urandom", model="random")
    SubElement(SubElement(devices, "video"), "model", type="none")
    SubElement(devices, "memballoon", model="none")
