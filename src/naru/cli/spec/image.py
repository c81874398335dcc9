"""The commands on images, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

from naru.cli.spec.wording import FORMAT_PLAIN, FORMAT_TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS: dict[str, dict[str, Any]] = {
    "copy": {
        "usage": "[OPTIONS] SOURCE TARGET",
        "about": (
            "Copy an image between engines, registries and files\n\n"
            "Places are NAME or engine:NAME, ssh://HOST#NAME, unix://SOCKET#NAME,\n"
            "tcp://HOST:PORT#NAME, context:CONTEXT#NAME, docker://REGISTRY/NAME,\n"
            "oci:DIR:TAG, oci-archive:FILE:TAG and docker-archive:FILE:NAME"
        ),
        "arity": (2, 2),
        "handler": "naru.cli.commands.image_copy:copy",
        "options": (
            (
                "platform",
                "",
                "string",
                "",
                'Copy the image for the given platform. Formatted as "os[/arch[/variant]]"',
                "ours",
            ),
            ("quiet", "q", "bool", "", "Print only where the image is now", "ours"),
        ),
    },
    "history": {
        "usage": "[OPTIONS] IMAGE",
        "about": "Show the history of an image",
        "aliases": ("image history", "history"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.images:history",
        "options": (
            ("format", "", "string", "", FORMAT_TABLE),
            ("human", "H", "bool", "true", "Print sizes and dates in human readable format"),
            ("no-trunc", "", "bool", "", "Don't truncate output"),
            (
                "platform",
                "",
                "string",
                "",
                (
                    'Show history for the given platform. Formatted as "os[/arch[/variant]]" '
                    '(e.g., "linux/amd64")'
                ),
            ),
            ("quiet", "q", "bool", "", "Only show image IDs"),
        ),
    },
    "import": {
        "usage": "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
        "about": "Import the contents from a tarball to create a filesystem image",
        "aliases": ("image import", "import"),
        "arity": (1, None),
        "handler": "naru.cli.commands.image_transfer:import_image",
        "options": (
            ("change", "c", "list", "", "Apply Dockerfile instruction to the created image"),
            ("message", "m", "string", "", "Set commit message for imported image"),
            ("platform", "", "string", "", "Set platform if server is multi-platform capable"),
        ),
    },
    "inspect": {
        "usage": "[OPTIONS] IMAGE [IMAGE...]",
        "about": "Display detailed information on one or more images",
        "arity": (1, None),
        "handler": "naru.cli.commands.inspect:inspect_images",
        "options": (
            ("format", "f", "string", "", FORMAT_PLAIN),
            (
                "platform",
                "",
                "string",
                "",
                (
                    "Inspect a specific platform of the multi-platform image.\n"
                    "If the image or the server is not multi-platform capable, the command will "
                    "error out if the platform does not match.\n"
                    "'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)"
                ),
            ),
        ),
    },
    "load": {
        "usage": "[OPTIONS]",
        "about": "Load an image from a tar archive or STDIN",
        "aliases": ("image load", "load"),
        "arity": (0, 0),
        "handler": "naru.cli.commands.image_transfer:load",
        "options": (
            ("input", "i", "string", "", "Read from tar archive file, instead of STDIN"),
            (
                "platform",
                "",
                "string",
                "",
                (
                    'Load only the given platform variant. Formatted as "os[/arch[/variant]]" '
                    '(e.g., "linux/amd64")'
                ),
            ),
            ("quiet", "q", "bool", "", "Suppress the load output"),
        ),
    },
    "ls": {
        "usage": "[OPTIONS] [REPOSITORY[:TAG]]",
        "about": "List images",
        "aliases": ("image ls", "image list", "images"),
        "arity": (0, 1),
        "handler": "naru.cli.commands.images:list_images",
        "options": (
            ("all", "a", "bool", "", "Show all images (default hides intermediate images)"),
            ("digests", "", "bool", "", "Show digests"),
            ("filter", "f", "filter", "", "Filter output based on conditions provided"),
            ("format", "", "string", "", FORMAT_TABLE),
            ("no-trunc", "", "bool", "", "Don't truncate output"),
            ("quiet", "q", "bool", "", "Only show image IDs"),
            ("tree", "", "bool", "", "List multi-platform images as a tree (EXPERIMENTAL)"),
        ),
    },
    "prune": {
        "usage": "[OPTIONS]",
        "about": "Remove unused images",
        "arity": (0, 0),
        "handler": "naru.cli.commands.image_prune:prune",
        "options": (
            ("all", "a", "bool", "", "Remove all unused images, not just dangling ones"),
            ("filter", "", "filter", "", 'Provide filter values (e.g. "until=<timestamp>")'),
            ("force", "f", "bool", "", "Do not prompt for confirmation"),
            (
                "keep",
                "",
                "int",
                "",
                "With --all, keep this many tags of each repository, the last ones",
                "ours",
            ),
        ),
    },
    "pull": {
        "usage": "[OPTIONS] NAME[:TAG|@DIGEST]",
        "about": "Download an image from a registry",
        "aliases": ("image pull", "pull"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.pull:pull",
        "options": (
            ("all-tags", "a", "bool", "", "Download all tagged images in the repository"),
            ("disable-content-trust", "", "bool", "true", "Skip image verification"),
            ("platform", "", "string", "", "Set platform if server is multi-platform capable"),
            ("quiet", "q", "bool", "", "Suppress verbose output"),
        ),
    },
    "push": {
        "usage": "[OPTIONS] NAME[:TAG]",
        "about": "Upload an image to a registry",
        "aliases": ("image push", "push"),
        "arity": (1, 1),
        "handler": "naru.cli.commands.push:push",
        "options": (
            ("all-tags", "a", "bool", "", "Push all tags of an image to the repository"),
            ("disable-content-trust", "", "bool", "true", "Skip image signing"),
            (
                "platform",
                "",
                "string",
                "",
                (
                    "Push a platform-specific manifest as a single-platform image to the "
                    "registry.\n"
                    "Image index won't be pushed, meaning that other manifests, including "
                    "attestations won't be preserved.\n"
                    "'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)"
                ),
            ),
            ("quiet", "q", "bool", "", "Suppress verbose output"),
        ),
    },
    "rm": {
        "usage": "[OPTIONS] IMAGE [IMAGE...]",
        "about": "Remove one or more images",
        "aliases": ("image rm", "image remove", "rmi"),
        "arity": (1, None),
        "handler": "naru.cli.commands.images:remove",
        "options": (
            ("force", "f", "bool", "", "Force removal of the image"),
            ("no-prune", "", "bool", "", "Do not delete untagged parents"),
            (
                "platform",
                "",
                "strings",
                "",
                (
                    'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" '
                    '(e.g., "linux/amd64")'
                ),
            ),
        ),
    },
    "save": {
        "usage": "[OPTIONS] IMAGE [IMAGE...]",
        "about": "Save one or more images to a tar archive (streamed to STDOUT by default)",
        "aliases": ("image save", "save"),
        "arity": (1, None),
        "handler": "naru.cli.commands.image_transfer:save",
        "options": (
            ("output", "o", "string", "", "Write to a file, instead of STDOUT"),
            (
                "platform",
                "",
                "string",
                "",
                (
                    'Save only the given platform variant. Formatted as "os[/arch[/variant]]" '
                    '(e.g., "linux/amd64")'
                ),
            ),
        ),
    },
    "tag": {
        "usage": "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        "about": "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
        "aliases": ("image tag", "tag"),
        "arity": (2, 2),
        "handler": "naru.cli.commands.images:tag",
        "options": (),
    },
}
