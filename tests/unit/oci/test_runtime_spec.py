"""Capabilities by number."""

from __future__ import annotations

from naru.oci.runtime_spec import CAPABILITIES, RLIMITS, capability_names


def test_masks_are_read_by_bit() -> None:
    assert capability_names(0) == frozenset()
    assert capability_names(0b1) == {"CAP_CHOWN"}
    # What /proc/self/status shows in a default container of Docker's.
    assert len(capability_names(0xA80425FB)) == 14
    assert capability_names((1 << 41) - 1) == {f"CAP_{name}" for name in CAPABILITIES}


def test_numbers_are_the_kernels() -> None:
    assert CAPABILITIES.index("SYS_ADMIN") == 21
    assert CAPABILITIES.index("CHECKPOINT_RESTORE") == 40
    assert "nofile" in RLIMITS
