"""The list of all commands: path, where each is declared, one line of help.

A path's declaration is `COMMANDS[key]` of the `naru.cli.spec` module named here.
"""

from __future__ import annotations

# path: (module, key, one line of help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "attach": (
        "container",
        "attach",
        "Attach local standard input, output, and error streams to a running container",
    ),
    "container attach": (
        "container",
        "attach",
        "Attach local standard input, output, and error streams to a running container",
    ),
    "container create": ("container_run", "create", "Create a new container"),
    "container exec": ("container", "exec", "Execute a command in a running container"),
    "container inspect": (
        "container",
        "inspect",
        "Display detailed information on one or more containers",
    ),
    "container kill": ("container", "kill", "Kill one or more running containers"),
    "container list": ("container", "ls", "List containers"),
    "container logs": ("container", "logs", "Fetch the logs of a container"),
    "container ls": ("container", "ls", "List containers"),
    "container pause": ("container", "pause", "Pause all processes within one or more containers"),
    "container ps": ("container", "ls", "List containers"),
    "container remove": ("container", "rm", "Remove one or more containers"),
    "container rename": ("container", "rename", "Rename a container"),
    "container restart": ("container", "restart", "Restart one or more containers"),
    "container rm": ("container", "rm", "Remove one or more containers"),
    "container run": ("container_run", "run", "Create and run a new container from an image"),
    "container start": ("container", "start", "Start one or more stopped containers"),
    "container stop": ("container", "stop", "Stop one or more running containers"),
    "container top": ("container", "top", "Display the running processes of a container"),
    "container unpause": (
        "container",
        "unpause",
        "Unpause all processes within one or more containers",
    ),
    "container wait": (
        "container",
        "wait",
        "Block until one or more containers stop, then print their exit codes",
    ),
    "create": ("container_run", "create", "Create a new container"),
    "events": ("system", "events", "Get real time events from the server"),
    "exec": ("container", "exec", "Execute a command in a running container"),
    "history": ("image", "history", "Show the history of an image"),
    "image history": ("image", "history", "Show the history of an image"),
    "image import": (
        "image",
        "import",
        "Import the contents from a tarball to create a filesystem image",
    ),
    "image inspect": ("image", "inspect", "Display detailed information on one or more images"),
    "image list": ("image", "ls", "List images"),
    "image load": ("image", "load", "Load an image from a tar archive or STDIN"),
    "image ls": ("image", "ls", "List images"),
    "image pull": ("image", "pull", "Download an image from a registry"),
    "image remove": ("image", "rm", "Remove one or more images"),
    "image rm": ("image", "rm", "Remove one or more images"),
    "image tag": ("image", "tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    "images": ("image", "ls", "List images"),
    "import": (
        "image",
        "import",
        "Import the contents from a tarball to create a filesystem image",
    ),
    "info": ("system", "info", "Display system-wide information"),
    "inspect": ("system", "inspect", "Return low-level information on Docker objects"),
    "kill": ("container", "kill", "Kill one or more running containers"),
    "load": ("image", "load", "Load an image from a tar archive or STDIN"),
    "logs": ("container", "logs", "Fetch the logs of a container"),
    "network inspect": (
        "network",
        "inspect",
        "Display detailed information on one or more networks",
    ),
    "network list": ("network", "ls", "List networks"),
    "network ls": ("network", "ls", "List networks"),
    "pause": ("container", "pause", "Pause all processes within one or more containers"),
    "ps": ("container", "ls", "List containers"),
    "pull": ("image", "pull", "Download an image from a registry"),
    "rename": ("container", "rename", "Rename a container"),
    "restart": ("container", "restart", "Restart one or more containers"),
    "rm": ("container", "rm", "Remove one or more containers"),
    "rmi": ("image", "rm", "Remove one or more images"),
    "run": ("container_run", "run", "Create and run a new container from an image"),
    "start": ("container", "start", "Start one or more stopped containers"),
    "stop": ("container", "stop", "Stop one or more running containers"),
    "system events": ("system", "events", "Get real time events from the server"),
    "system info": ("system", "info", "Display system-wide information"),
    "tag": ("image", "tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    "top": ("container", "top", "Display the running processes of a container"),
    "unpause": ("container", "unpause", "Unpause all processes within one or more containers"),
    "version": ("system", "version", "Show the Docker version information"),
    "volume create": ("volume", "create", "Create a volume"),
    "volume inspect": ("volume", "inspect", "Display detailed information on one or more volumes"),
    "volume list": ("volume", "ls", "List volumes"),
    "volume ls": ("volume", "ls", "List volumes"),
    "volume prune": ("volume", "prune", "Remove unused local volumes"),
    "volume remove": ("volume", "rm", "Remove one or more volumes"),
    "volume rm": ("volume", "rm", "Remove one or more volumes"),
    "wait": (
        "container",
        "wait",
        "Block until one or more containers stop, then print their exit codes",
    ),
}

# Spellings that usage lines and error messages never show, and what they show instead.
ALIASES = {
    "container list": "container ls",
    "container ps": "container ls",
    "container remove": "container rm",
    "image list": "image ls",
    "image remove": "image rm",
    "network list": "network ls",
    "volume list": "volume ls",
    "volume remove": "volume rm",
}

# The words that only hold other commands.
GROUPS = {
    "container": "Manage containers",
    "image": "Manage images",
    "network": "Manage networks",
    "system": "Manage Docker",
    "volume": "Manage volumes",
}

# The root help page, section by section.
ROOT_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Common Commands", ("run", "exec", "ps", "pull", "images", "version", "info")),
    ("Management Commands", ("container", "image", "network", "system", "volume")),
    (
        "Commands",
        (
            "attach",
            "create",
            "events",
            "history",
            "import",
            "inspect",
            "kill",
            "load",
            "logs",
            "pause",
            "rename",
            "restart",
            "rm",
            "rmi",
            "start",
            "stop",
            "tag",
            "top",
            "unpause",
            "wait",
        ),
    ),
)
