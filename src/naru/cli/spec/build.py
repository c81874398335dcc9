"""The commands on builds, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
    "build": {
        "usage": "[OPTIONS] PATH | URL | -",
        "about": "Build an image from a Dockerfile",
        "aliases": ("image build", "build", "builder build"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.build:build",
        "checks": "naru.cli.build_options:CHECKS",
        "options": (
            ("add-host", "", "list", "", 'Add a custom host-to-IP mapping ("host:ip")'),
            ("build-arg", "", "list", "", "Set build-time variables"),
            ("cache-from", "", "strings", "", "Images to consider as cache sources"),
            (
                "cgroup-parent",
                "",
                "string",
                "",
                'Set the parent cgroup for the "RUN" instructions during build',
            ),
            ("compress", "", "bool", "", "Compress the build context using gzip"),
            ("cpu-period", "", "int", "", "Limit the CPU CFS (Completely Fair Scheduler) period"),
            ("cpu-quota", "", "int", "", "Limit the CPU CFS (Completely Fair Scheduler) quota"),
            ("cpu-shares", "c", "int", "", "CPU shares (relative weight)"),
            ("cpuset-cpus", "", "string", "", "CPUs in which to allow execution (0-3, 0,1)"),
            ("cpuset-mems", "", "string", "", "MEMs in which to allow execution (0-3, 0,1)"),
            ("disable-content-trust", "", "bool", "true", "Skip image verification"),
            ("file", "f", "string", "", 'Name of the Dockerfile (Default is "PATH/Dockerfile")'),
            ("force-rm", "", "bool", "", "Always remove intermediate containers"),
            ("iidfile", "", "string", "", "Write the image ID to the file"),
            ("isolation", "", "string", "", "Container isolation technology"),
            ("label", "", "list", "", "Set metadata for an image"),
            ("memory", "m", "bytes", "", "Memory limit"),
            (
                "memory-swap",
                "",
                "bytes",
                "",
                "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
            ),
            (
                "network",
                "",
                "string",
                "default",
                "Set the networking mode for the RUN instructions during build",
            ),
            ("no-cache", "", "bool", "", "Do not use cache when building the image"),
            ("platform", "", "string", "", "Set platform if server is multi-platform capable"),
            (
                "progress",
                "",
                "string",
                "auto",
                'How to show progress: "auto", "plain", "quiet" or "rawjson"',
                "ours",
            ),
            ("pull", "", "bool", "", "Always attempt to pull a newer version of the image"),
            ("quiet", "q", "bool", "", "Suppress the build output and print image ID on success"),
            ("rm", "", "bool", "true", "Remove intermediate containers after a successful build"),
            ("security-opt", "", "strings", "", "Security options"),
            ("shm-size", "", "bytes", "", 'Size of "/dev/shm"'),
            (
                "squash",
                "",
                "bool",
                "",
                "Squash newly built layers into a single new layer",
                "hidden",
            ),
            ("tag", "t", "list", "", 'Name and optionally a tag in the "name:tag" format'),
            ("target", "", "string", "", "Set the target build stage to build."),
            ("ulimit", "", "ulimit", "[]", "Ulimit options"),
        ),
    },
    "prune": {
        "usage": "",
        "about": "Remove build cache",
        "arity": (0, 0),
        "handler": "naru.cli.commands.build:prune_cache",
        "options": (
            ("all", "a", "bool", "", "Remove all unused build cache, not just dangling ones"),
            ("filter", "", "filter", "", 'Provide filter values (e.g. "until=24h")'),
            ("force", "f", "bool", "", "Do not prompt for confirmation"),
            ("keep-storage", "", "bytes", "", "Amount of disk space to keep for cache"),
        ),
    },
}
