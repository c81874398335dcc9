"""Platforms: what an image was built for, and which of several fits a machine best.

Spec: image-spec v1.1, image-index.md §platform; variants as Go spells them.
"""

from __future__ import annotations

import os
import re

import msgspec

from naru.errors import InvalidInputError

_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "x86": "386",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "loongarch64": "loong64",
    "mips64el": "mips64le",
    "mipsel": "mipsle",
    "powerpc64le": "ppc64le",
}
_IMPLIED_VARIANTS = {"armhf": "v7", "armel": "v6", "armv6l": "v6", "armv7l": "v7", "armv8l": "v8"}
_OPERATING_SYSTEMS = {"macos": "darwin"}
_KNOWN_SYSTEMS = frozenset(
    "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris "
    "wasip1 windows".split()
)
# As Go spells them, by which a word alone is told from a slip.
_KNOWN_ARCHITECTURES = frozenset(
    "386 amd64 arm arm64 arm64be armbe loong64 mips mips64 mips64le mipsle ppc ppc64 ppc64le riscv "
    "riscv64 s390 s390x sparc sparc64 wasm".split()
)
_SYSTEM = re.compile(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)\))?")
_COMPONENT = re.compile(r"[A-Za-z0-9_.-]+")
# A 64-bit arm machine runs these as well, in this order.
_ARM_VARIANTS = ("v8", "v7", "v6", "v5")


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """Operating system and processor. Field names are the wire's."""

    architecture: str = ""
    os: str = ""
    os_version: str = msgspec.field(default="", name="os.version")
    os_features: tuple[str, ...] = msgspec.field(default=(), name="os.features")
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def normalised(self) -> Platform:
        """Return the platform with Go's spellings and without variants that go without saying."""
        architecture = self.architecture.lower()
        variant = self.variant.lower() or _IMPLIED_VARIANTS.get(architecture, "")
        architecture = _ARCHITECTURES.get(architecture, architecture)
        if variant.isdigit():
            variant = f"v{variant}"
        if (architecture, variant) in {("arm64", "v8"), ("amd64", "v1")}:
            variant = ""
        if architecture == "arm" and not variant:
            variant = "v7"
        system = self.os.lower()
        return msgspec.structs.replace(
            self,
            os=_OPERATING_SYSTEMS.get(system, system),
            architecture=architecture,
            variant=variant,
        )


def parse_platform(text: str) -> Platform:
    """Read `os`, `arch`, `os/arch` or `os/arch/variant`; what is missing is the host's.

    Raises:
        InvalidInputError: no platform.
    """
    if "*" in text:
        raise InvalidInputError(f'"{text}": wildcards not yet supported: invalid argument')
    system, *rest = text.split("/", 3)
    named = _SYSTEM.fullmatch(system)
    if named is None:
        raise InvalidInputError(
            f'"{system}" is an invalid OS component of "{text}": OSAndVersion specifier component '
            'must match "^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.-]*)\\\\))?$": invalid argument'
        )
    for part in rest:
        if not _COMPONENT.fullmatch(part):
            raise InvalidInputError(
                f'"{part}" is an invalid component of "{text}": platform specifier component must '
                'match "^[A-Za-z0-9_.-]+$": invalid argument'
            )
    if len(rest) > 2:
        raise InvalidInputError(f'"{text}": cannot parse platform specifier: invalid argument')
    return _platform(text, named[1], named[2] or "", rest)


def _platform(text: str, system: str, version: str, rest: list[str]) -> Platform:
    host = host_platform()
    if not rest:
        alone = system.lower()
        if _OPERATING_SYSTEMS.get(alone, alone) in _KNOWN_SYSTEMS:
            return Platform(
                os=alone, os_version=version, architecture=host.architecture, variant=host.variant
            ).normalised()
        platform = Platform(os=host.os, architecture=alone).normalised()
        if platform.architecture not in _KNOWN_ARCHITECTURES:
            raise InvalidInputError(
                f'"{text}": unknown operating system or architecture: invalid argument'
            )
        return platform
    return Platform(
        os=system, os_version=version, architecture=rest[0], variant="".join(rest[1:])
    ).normalised()


def host_platform() -> Platform:
    """Return this machine's platform, normalised."""
    machine = os.uname()
    return Platform(os=machine.sysname.lower(), architecture=machine.machine).normalised()


def rank(candidate: Platform, wanted: Platform) -> int | None:
    """Say how well `candidate` runs on `wanted`: 0 is best, None means not at all."""
    candidate, wanted = candidate.normalised(), wanted.normalised()
    if candidate.os != wanted.os:
        return None
    runnable = _runnable_on(wanted)
    spelled = (candidate.architecture, candidate.variant)
    return runnable.index(spelled) if spelled in runnable else None


def matches(candidate: Platform, wanted: Platform) -> bool:
    """Say whether `candidate` can run on `wanted`."""
    return rank(candidate, wanted) is not None


def _runnable_on(wanted: Platform) -> list[tuple[str, str]]:
    """Return the (architecture, variant) pairs that `wanted` runs, best first."""
    architecture, variant = wanted.architecture, wanted.variant
    runnable = [(architecture, variant)]
    if architecture == "amd64":
        level = int(variant[1:]) if re.fullmatch(r"v[2-9]", variant) else 1
        runnable += [("amd64", f"v{lower}") for lower in range(level - 1, 1, -1)]
        runnable += [("amd64", ""), ("386", "")]
    elif architecture == "arm64":
        runnable += [("arm64", "")] + [("arm", older) for older in _ARM_VARIANTS]
    elif architecture == "arm" and variant in _ARM_VARIANTS:
        older_ones = _ARM_VARIANTS[_ARM_VARIANTS.index(variant) :]
        runnable += [("arm", older) for older in older_ones]
    return list(dict.fromkeys(runnable))
