"""Variables of a build: what ARG allows, and what `--build-arg` sets. Pure.

Spec: Dockerfile reference, "ARG"; moby, builder/dockerfile/buildargs.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from naru.oci.platform import Platform

# Set without an ARG, and part of no cache key unless one names them.
PREDEFINED = frozenset(
    name
    for protocol in ("HTTP", "HTTPS", "FTP", "NO", "ALL")
    for name in (f"{protocol}_PROXY", f"{protocol.lower()}_proxy")
)


class BuildArguments:
    """The arguments of one build, stage after stage."""

    def __init__(
        self, given: Mapping[str, str | None], platform_arguments: Mapping[str, str]
    ) -> None:
        """Take what the user gave; a name without a value counts as not given.

        `platform_arguments` are defaults that every Dockerfile has.
        """
        self._given = {name: value for name, value in given.items() if value is not None}
        self._global: dict[str, str | None] = dict(platform_arguments)
        self._named: set[str] = set()

    def add_global(self, name: str, default: str | None) -> None:
        """Take an ARG that stands before the first stage."""
        self._global[name] = default

    def add(self, allowed: dict[str, str | None], name: str, default: str | None) -> None:
        """Take an ARG of a stage, which has `allowed` others so far."""
        allowed[name] = default
        self._named.add(name)

    def global_values(self) -> dict[str, str]:
        """Return the values that FROM sees."""
        return self._values(self._global)

    def values(
        self, allowed: Mapping[str, str | None], environment: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the values that a stage sees now; its environment goes before them."""
        found = self._values(allowed)
        return {name: value for name, value in found.items() if name not in environment}

    def is_remembered(self, name: str) -> bool:
        """Say whether a variable belongs into history and cache: predefined ones must be named."""
        return name not in PREDEFINED or name in self._named

    def unused(self) -> list[str]:
        """Return the names that were given for nothing, sorted."""
        return sorted(set(self._given) - self._named - set(self._global) - PREDEFINED)

    def _values(self, allowed: Mapping[str, str | None]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in {*PREDEFINED, *allowed}:
            value = self._given.get(name)
            if value is None:
                value = allowed.get(name)
            if value is None and name in allowed:
                # An ARG without a default takes the global one's.
                value = self._global.get(name)
            if value is not None:
                found[name] = value
        return found


def platform_arguments(target: Platform, host: Platform) -> dict[str, str]:
    """Return the arguments that name the platforms: BuildKit's names.

    Spec: Dockerfile reference, "Automatic platform ARGs in the global scope".
    """
    found: dict[str, str] = {}
    for word, platform in (("TARGET", target), ("BUILD", host)):
        parts = (platform.os, platform.architecture, platform.variant)
        found[f"{word}PLATFORM"] = "/".join(part for part in parts if part)
        found[f"{word}OS"] = platform.os
        found[f"{word}ARCH"] = platform.architecture
        found[f"{word}VARIANT"] = platform.variant
    return found
