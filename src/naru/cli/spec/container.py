"""The commands on containers, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

from naru.cli.spec.wording import FORMAT_PLAIN, FORMAT_TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
    "attach": {
        "usage": "[OPTIONS] CONTAINER",
        "about": "Attach local standard input, output, and error streams to a running container",
        "aliases": ("container attach", "attach"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.attach:attach",
        "options": (
            (
                "detach-keys",
                "",
                "string",
                "",
                "Override the key sequence for detaching a container",
            ),
            ("no-stdin", "", "bool", "", "Do not attach STDIN"),
            ("sig-proxy", "", "bool", "true", "Proxy all received signals to the process"),
        ),
    },
    "commit": {
        "usage": "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
        "about": "Create a new image from a container's changes",
        "aliases": ("container commit", "commit"),
        "arity": (1, 2),
        "handler": "naru.cli.commands.rootfs:commit",
        "options": (
            (
                "author",
                "a",
                "string",
                "",
                'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")',
            ),
            ("change", "c", "list", "", "Apply Dockerfile instruction to the created image"),
            ("message", "m", "string", "", "Commit message"),
            ("pause", "p", "bool", "true", "Pause container during commit"),
        ),
    },
    "cp": {
        "usage": "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n"
        "\tnaru cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
        "about": "Copy files/folders between a container and the local filesystem\n\n"
        "Use '-' as the source to read a tar archive from stdin\n"
        "and extract it to a directory destination in a container.\n"
        "Use '-' as the destination to stream a tar archive of a\n"
        "container source to stdout.",
        "aliases": ("container cp", "cp"),
        "arity": (2, 2),
        "handler": "naru.cli.commands.cp:copy",
        "options": (
            ("archive", "a", "bool", "", "Archive mode (copy all uid/gid information)"),
            ("follow-link", "L", "bool", "", "Always follow symbol link in SRC_PATH"),
            (
                "quiet",
                "q",
                "bool",
                "",
                (
                    "Suppress progress output during copy. Progress output is automatically suppressed "
                    "if no terminal is attached"
                ),
            ),
        ),
    },
    "diff": {
        "usage": "CONTAINER",
        "about": "Inspect changes to files or directories on a container's filesystem",
        "aliases": ("container diff", "diff"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.rootfs:diff",
        "options": (),
    },
    "exec": {
        "usage": "[OPTIONS] CONTAINER COMMAND [ARG...]",
        "about": "Execute a command in a running container",
        "aliases": ("container exec", "exec"),
        "arity": (2, None),
        "handler": "naru.cli.commands.exec:exec_command",
        "checks": "naru.cli.options:CHECKS",
        "stops_at_argument": True,
        "options": (
            ("detach", "d", "bool", "", "Detached mode: run command in the background"),
            (
                "detach-keys",
                "",
                "string",
                "",
                "Override the key sequence for detaching a container",
            ),
            ("env", "e", "list", "", "Set environment variables"),
            ("env-file", "", "list", "", "Read in a file of environment variables"),
            ("interactive", "i", "bool", "", "Keep STDIN open even if not attached"),
            ("privileged", "", "bool", "", "Give extended privileges to the command"),
            ("tty", "t", "bool", "", "Allocate a pseudo-TTY"),
            ("user", "u", "string", "", 'Username or UID (format: "<name|uid>[:<group|gid>]")'),
            ("workdir", "w", "string", "", "Working directory inside the container"),
        ),
    },
    "export": {
        "usage": "[OPTIONS] CONTAINER",
        "about": "Export a container's filesystem as a tar archive",
        "aliases": ("container export", "export"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.rootfs:export",
        "options": (("output", "o", "string", "", "Write to a file, instead of STDOUT"),),
    },
    "inspect": {
        "usage": "[OPTIONS] CONTAINER [CONTAINER...]",
        "about": "Display detailed information on one or more containers",
        "arity": (1, None),
        "handler": "naru.cli.commands.inspect:inspect_containers",
        "options": (
            ("format", "f", "string", "", FORMAT_PLAIN),
            ("size", "s", "bool", "", "Display total file sizes"),
        ),
    },
    "kill": {
        "usage": "[OPTIONS] CONTAINER [CONTAINER...]",
        "about": "Kill one or more running containers",
        "aliases": ("container kill", "kill"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:kill",
        "options": (("signal", "s", "string", "", "Signal to send to the container"),),
    },
    "logs": {
        "usage": "[OPTIONS] CONTAINER",
        "about": "Fetch the logs of a container",
        "aliases": ("container logs", "logs"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.logs:logs",
        "options": (
            ("details", "", "bool", "", "Show extra details provided to logs"),
            ("follow", "f", "bool", "", "Follow log output"),
            (
                "since",
                "",
                "string",
                "",
                (
                    'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. '
                    '"42m" for 42 minutes)'
                ),
            ),
            ("tail", "n", "string", "all", "Number of lines to show from the end of the logs"),
            ("timestamps", "t", "bool", "", "Show timestamps"),
            (
                "until",
                "",
                "string",
                "",
                (
                    'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative '
                    '(e.g. "42m" for 42 minutes)'
                ),
            ),
        ),
    },
    "ls": {
        "usage": "[OPTIONS]",
        "about": "List containers",
        "aliases": ("container ls", "container list", "container ps", "ps"),
        "arity": (0, 0),
        "handler": "naru.cli.commands.ps:list_containers",
        "options": (
            ("all", "a", "bool", "", "Show all containers (default shows just running)"),
            ("filter", "f", "filter", "", "Filter output based on conditions provided"),
            ("format", "", "string", "", FORMAT_TABLE),
            ("last", "n", "int", "-1", "Show n last created containers (includes all states)"),
            ("latest", "l", "bool", "", "Show the latest created container (includes all states)"),
            ("no-trunc", "", "bool", "", "Don't truncate output"),
            ("quiet", "q", "bool", "", "Only display container IDs"),
            ("size", "s", "bool", "", "Display total file sizes"),
            (
                "watch",
                "",
                "string",
                "",
                "Show the table again every `interval` (2s), or when it changes on a pipe",
                "ours no-value=2s",
            ),
        ),
    },
    "pause": {
        "usage": "CONTAINER [CONTAINER...]",
        "about": "Pause all processes within one or more containers",
        "aliases": ("container pause", "pause"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:pause",
        "options": (),
    },
    "port": {
        "usage": "CONTAINER [PRIVATE_PORT[/PROTO]]",
        "about": "List port mappings or a specific mapping for the container",
        "aliases": ("container port", "port"),
        "arity": (1, 2),
        "handler": "naru.cli.commands.port:port",
        "options": (),
    },
    "prune": {
        "usage": "[OPTIONS]",
        "about": "Remove all stopped containers",
        "arity": (0, 0),
        "handler": "naru.cli.commands.system_prune:prune_containers",
        "options": (
            ("filter", "", "filter", "", 'Provide filter values (e.g. "until=<timestamp>")'),
            ("force", "f", "bool", "", "Do not prompt for confirmation"),
        ),
    },
    "rename": {
        "usage": "CONTAINER NEW_NAME",
        "about": "Rename a container",
        "aliases": ("container rename", "rename"),
        "arity": (2, 2),
        "handler": "naru.cli.commands.container_verbs:rename",
        "options": (),
    },
    "restart": {
        "usage": "[OPTIONS] CONTAINER [CONTAINER...]",
        "about": "Restart one or more containers",
        "aliases": ("container restart", "restart"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:restart",
        "options": (
            ("signal", "s", "string", "", "Signal to send to the container"),
            ("timeout", "t", "int", "", "Seconds to wait before killing the container"),
            (
                "time",
                "",
                "int",
                "",
                "Seconds to wait before killing the container",
                "hidden same-as=timeout deprecated=use --timeout instead",
            ),
        ),
    },
    "rm": {
        "usage": "[OPTIONS] CONTAINER [CONTAINER...]",
        "about": "Remove one or more containers",
        "aliases": ("container rm", "container remove", "rm"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:remove",
        "options": (
            ("force", "f", "bool", "", "Force the removal of a running container (uses SIGKILL)"),
            ("link", "l", "bool", "", "Remove the specified link"),
            ("volumes", "v", "bool", "", "Remove anonymous volumes associated with the container"),
        ),
    },
    "start": {
        "usage": "[OPTIONS] CONTAINER [CONTAINER...]",
        "about": "Start one or more stopped containers",
        "aliases": ("container start", "start"),
        "arity": (1, None),
        "handler": "naru.cli.commands.start:start",
        "options": (
            ("attach", "a", "bool", "", "Attach STDOUT/STDERR and forward signals"),
            (
                "detach-keys",
                "",
                "string",
                "",
                "Override the key sequence for detaching a container",
            ),
            ("interactive", "i", "bool", "", "Attach container's STDIN"),
        ),
    },
    "stats": {
        "usage": "[OPTIONS] [CONTAINER...]",
        "about": "Display a live stream of container(s) resource usage statistics",
        "aliases": ("container stats", "stats"),
        "arity": (0, None),
        "handler": "naru.cli.commands.stats:stats",
        "options": (
            ("all", "a", "bool", "", "Show all containers (default shows just running)"),
            ("format", "", "string", "", FORMAT_TABLE),
            ("no-stream", "", "bool", "", "Disable streaming stats and only pull the first result"),
            ("no-trunc", "", "bool", "", "Do not truncate output"),
        ),
    },
    "stop": {
        "usage": "[OPTIONS] CONTAINER [CONTAINER...]",
        "about": "Stop one or more running containers",
        "aliases": ("container stop", "stop"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:stop",
        "options": (
            ("signal", "s", "string", "", "Signal to send to the container"),
            ("timeout", "t", "int", "", "Seconds to wait before killing the container"),
            (
                "time",
                "",
                "int",
                "",
                "Seconds to wait before killing the container",
                "hidden same-as=timeout deprecated=use --timeout instead",
            ),
        ),
    },
    "top": {
        "usage": "CONTAINER [ps OPTIONS]",
        "about": "Display the running processes of a container",
        "aliases": ("container top", "top"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:top",
        "stops_at_argument": True,
        "options": (),
    },
    "unpause": {
        "usage": "CONTAINER [CONTAINER...]",
        "about": "Unpause all processes within one or more containers",
        "aliases": ("container unpause", "unpause"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:unpause",
        "options": (),
    },
    "update": {
        "usage": "[OPTIONS] CONTAINER [CONTAINER...]",
        "about": "Update configuration of one or more containers",
        "aliases": ("container update", "update"),
        "arity": (1, None),
        "handler": "naru.cli.commands.update:update",
        "checks": "naru.cli.options:CHECKS",
        "options": (
            (
                "blkio-weight",
                "",
                "uint16",
                "0",
                "Block IO (relative weight), between 10 and 1000, or 0 to disable",
            ),
            ("cpu-period", "", "int", "", "Limit CPU CFS (Completely Fair Scheduler) period"),
            ("cpu-quota", "", "int", "", "Limit CPU CFS (Completely Fair Scheduler) quota"),
            ("cpu-rt-period", "", "int", "", "Limit the CPU real-time period in microseconds"),
            ("cpu-rt-runtime", "", "int", "", "Limit the CPU real-time runtime in microseconds"),
            ("cpu-shares", "c", "int", "", "CPU shares (relative weight)"),
            ("cpus", "", "decimal", "", "Number of CPUs"),
            ("cpuset-cpus", "", "string", "", "CPUs in which to allow execution (0-3, 0,1)"),
            ("cpuset-mems", "", "string", "", "MEMs in which to allow execution (0-3, 0,1)"),
            ("kernel-memory", "", "bytes", "", "Kernel memory limit (deprecated)", "hidden"),
            ("memory", "m", "bytes", "", "Memory limit"),
            ("memory-reservation", "", "bytes", "", "Memory soft limit"),
            (
                "memory-swap",
                "",
                "bytes",
                "",
                "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
            ),
            ("pids-limit", "", "int", "", "Tune container pids limit (set -1 for unlimited)"),
            ("publish-add", "", "list", "", "Publish further ports to the host", "ours"),
            (
                "publish-rm",
                "",
                "list",
                "",
                "Publish these ports of the host no longer ([ADDRESS:]PORT[-PORT][/PROTOCOL])",
                "ours",
            ),
            ("restart", "", "string", "", "Restart policy to apply when a container exits"),
        ),
    },
    "wait": {
        "usage": "CONTAINER [CONTAINER...]",
        "about": "Block until one or more containers stop, then print their exit codes",
        "aliases": ("container wait", "wait"),
        "arity": (1, None),
        "handler": "naru.cli.commands.container_verbs:wait",
        "options": (
            (
                "condition",
                "",
                "string",
                "not-running",
                'What to wait for ("not-running", "next-exit", "removed", "healthy")',
                "ours",
            ),
        ),
    },
}
