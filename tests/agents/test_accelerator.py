"""Whether KVM works is found out by booting a kernel, once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agents.hypervisor.accelerator import Accelerator
from tests.agents.lab import built_image

pytestmark = [
    pytest.mark.machines,
    pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no /dev/kvm"),
]


async def test_a_kernel_decides_and_the_answer_is_remembered(tmp_path: Path) -> None:
    kernel = built_image("tiny") / "kernel"
    begun = time.monotonic()
    choice = await Accelerator(tmp_path).choose(kernel)
    took = time.monotonic() - begun
    assert choice is not None and took < 10
    print(f"{choice.accelerator}, because {choice.reason}: {took:.2f} s")
    begun = time.monotonic()
    assert await Accelerator(tmp_path).choose(None) == choice
    assert time.monotonic() - begun < 1


async def test_what_does_not_boot_is_no_proof(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(bytes(65536))
    choice = await Accelerator(tmp_path).choose(kernel)
    assert choice is not None and choice.accelerator == "qemu"


async def test_a_choice_by_hand_is_taken(tmp_path: Path) -> None:
    choice = await Accelerator(tmp_path, "kvm").choose(None)
    assert choice is not None and (choice.accelerator, choice.reason) == ("kvm", "chosen by hand")
