"""Creating a container for `run` and `create`: the image pulled if need be, the id written."""

from __future__ import annotations

import os

from naru.cli import terminal
from naru.cli.batch import require_api
from naru.cli.container_options.body import create_body
from naru.cli.failure import CommandFailedError
from naru.client import containers
from naru.errors import InvalidInputError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from naru.cli.invocation import Invocation

PULL_POLICIES = ("", "always", "missing", "never")
_ARCHITECTURES = frozenset(
    (
        "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm"
    ).split()
)
# Options that an older engine would not heed, with the version that began to.
_SINCE = {"annotation": "1.43", "health-start-interval": "1.44"}
# And those that no other engine heeds.
_OURS = ("health-on-failure", "replace")


def read_options(invocation: Invocation) -> dict[str, Any]:
    """Return the body that the options ask for; the engine is not asked anything.

    Raises:
        CommandFailedError: in Docker's words, with exit code 125.
    """
    options = invocation.options
    policy = options["pull"]
    try:
        if policy not in PULL_POLICIES:
            raise InvalidInputError(unknown_policy(policy))
        if options["replace"] and not options["name"]:
            raise InvalidInputError("--replace needs --name: it says which container to replace")
        body = create_body(options, invocation.args, invocation.environ)
    except InvalidInputError as error:
        raise usage_failure(invocation, error.message) from error
    if measured := terminal.size(invocation.stdout):
        body["HostConfig"]["ConsoleSize"] = list(measured)
    return body


def unknown_policy(policy: str) -> str:
    """Return what is wrong with a `--pull` that means nothing."""
    return f'invalid pull option: \'{policy}\': must be one of "always", "missing" or "never"'


def usage_failure(invocation: Invocation, message: str) -> CommandFailedError:
    """Return the error of options that do not fit, as docker prints it."""
    name = invocation.command.full_name
    return CommandFailedError(f"naru: {message}\n\nRun '{name} --help' for more information", 125)


def create(invocation: Invocation, body: dict[str, Any]) -> str:
    """Create the container; return its id. Warnings go to stderr.

    Raises:
        InvalidInputError: the image's name, the platform or the id file is no good.
        NaruError: the engine refused.
        CommandFailedError: the image cannot be pulled.
    """
    options = invocation.options
    check_image(body["Image"])
    platform = read_platform(options["platform"])
    _refuse_content_trust(invocation)
    logins: dict[str, dict[str, str]] = {}
    if options["use-api-socket"]:
        from naru.cli import api_socket

        logins = api_socket.add(invocation, body)
    _fit_to_version(invocation, body)
    with _IdFile(options["cidfile"]) as id_file:
        for address in options["dns"]:
            if address == "::1" or address.startswith("127."):
                invocation.complain(f"WARNING: Localhost DNS ({address}) may fail in containers.")
        if options["pull"] == "always":
            pull(invocation, body["Image"], platform)
        try:
            answer = _ask(invocation, body, platform)
        except NotFoundError as error:
            if not is_missing_image(error) or options["pull"] not in ("missing", ""):
                raise
            pull_missing(invocation, body["Image"], platform)
            answer = _ask(invocation, body, platform)
        id_file.write(answer["Id"])
    if logins:
        from naru.cli import api_socket

        api_socket.copy_logins(invocation, answer["Id"], logins)
    for warning in answer.get("Warnings") or ():
        invocation.complain(f"WARNING: {warning}")
    return str(answer["Id"])


def _ask(invocation: Invocation, body: dict[str, Any], platform: str) -> Any:
    options = invocation.options
    return containers.create(
        invocation.client,
        body,
        name=options["name"],
        platform=platform,
        replaces=options["replace"],
    )


def check_image(text: str) -> None:
    """Refuse what cannot name an image.

    Raises:
        InvalidInputError: with Docker's words.
    """
    name, colon, tag = text.partition(":")
    is_plain = name.isalnum() and name.isascii() and name == name.lower() and len(name) < 64
    if is_plain and (not colon or (tag.isascii() and tag.replace(".", "0").isalnum())):
        # Names such as `debian:12` need no grammar, and none of the 20 ms of importing it.
        return
    from naru.oci.reference import Reference

    if not text.startswith("sha256:"):
        Reference.parse(text)


def _refuse_content_trust(invocation: Invocation) -> None:
    asked = invocation.options.changed("disable-content-trust")
    if asked or invocation.environ.get("DOCKER_CONTENT_TRUST"):
        from naru.cli.commands.pull import refuse_content_trust

        refuse_content_trust(invocation)


def _familiar(image: str) -> str:
    from naru.oci.reference import Reference

    return Reference.parse(image).with_default_tag().familiar


def read_platform(text: str) -> str:
    """Return what `--platform` means, as the engine is told.

    Raises:
        InvalidInputError: it is no platform.
    """
    if not text:
        return ""
    from naru.oci.platform import parse_platform

    try:
        platform = str(parse_platform(text))
    except InvalidInputError as error:
        raise InvalidInputError(f"error parsing specified platform: {error.message}") from error
    parts = text.split("/")
    if len(parts) < 3 and platform.endswith("/arm/v7"):
        platform = platform.removesuffix("/v7")
    if len(parts) == 1 and platform.split("/")[1] not in _ARCHITECTURES:
        raise InvalidInputError(
            f'error parsing specified platform: "{text}": unknown operating system or '
            "architecture: invalid argument"
        )
    # A variant that goes without saying is sent when it was said.
    if len(parts) == 3 and platform.count("/") == 1:
        platform += f"/{parts[2].lower()}"
    return platform


def is_missing_image(error: NotFoundError) -> bool:
    """Say whether an image is not there, or not for the platform: a pull may help then."""
    return error.message.startswith(("No such image", "image with reference"))


def pull_missing(invocation: Invocation, image: str, platform: str) -> None:
    """Say that an image is not there, and pull it."""
    if not invocation.options["quiet"]:
        invocation.complain(f"Unable to find image '{_familiar(image)}' locally")
    pull(invocation, image, platform)


def pull(invocation: Invocation, image: str, platform: str) -> None:
    """Pull an image, showing how it goes unless `--quiet` is given.

    Raises:
        NaruError: it cannot be pulled.
    """
    from naru.cli.commands.pull import pull_image
    from naru.oci.reference import Reference

    out = None if invocation.options["quiet"] else invocation.stderr
    reference = Reference.parse(image).with_default_tag()
    pull_image(invocation, reference, platform=platform, out=out)


def _fit_to_version(invocation: Invocation, body: dict[str, Any]) -> None:
    """Say what an older engine cannot do, and say to it what it can in its own way."""
    from naru.client.transport import MAX_API_VERSION, version_key

    version = invocation.client.api_version
    for name in _OURS:
        if invocation.options.changed(name):
            from naru.cli.engine_kind import require_naru

            require_naru(invocation, f"--{name}")
    if version == MAX_API_VERSION:
        return
    spoken = version_key(version)
    for name, since in _SINCE.items():
        if invocation.options.changed(name):
            require_api(invocation, name, since)
    host = body["HostConfig"]
    if spoken < (1, 42):
        host["ConsoleSize"] = [0, 0]
    if spoken < (1, 44):
        endpoint = body["NetworkingConfig"]["EndpointsConfig"].get(host["NetworkMode"], {})
        if endpoint.get("MacAddress"):
            body["MacAddress"] = endpoint["MacAddress"]


class _IdFile:
    """The file of `--cidfile`: made before the container, removed again when there is none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._is_written = False

    def __enter__(self) -> Self:
        if not self._path:
            return self
        if os.path.exists(self._path):
            raise InvalidInputError(
                "container ID file found, make sure the other container isn't running "
                f"or delete {self._path}"
            )
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o666)
        except OSError as error:
            raise InvalidInputError(
                f"failed to create the container ID file: open {self._path}: "
                f"{(error.strerror or '').lower()}"
            ) from error
        return self

    def write(self, container_id: str) -> None:
        """Write the id."""
        if self._descriptor >= 0:
            os.write(self._descriptor, container_id.encode())
            self._is_written = True

    def __exit__(self, *_: object) -> None:
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        if not self._is_written:
            os.unlink(self._path)
