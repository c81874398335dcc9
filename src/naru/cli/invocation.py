"""One command as it was typed: options, arguments, streams, and the way to the engine.

Every handler takes an `Invocation` and returns an exit code:

    def run(invocation: Invocation) -> int: ...

A handler reads `invocation.options["all"]` (the value, by the option's long name),
`invocation.options.changed("all")` (was it given?), `invocation.args`, prints to
`invocation.stdout`, and talks to the engine through `invocation.client`. It raises
`NaruError` for what the engine reports and `CommandFailedError` for an end of its own.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

    from naru.cli.command_table import Command
    from naru.client.endpoint import Endpoint
    from naru.client.transport import Client


class OptionValues:
    """The values of a command's options by long name, defaults included."""

    __slots__ = ("_given", "_values")

    def __init__(self, values: dict[str, Any], given: set[str]) -> None:
        self._values = values
        self._given = given

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def with_values(self, values: dict[str, Any]) -> OptionValues:
        """Return these, and values of options that the command does not have."""
        return OptionValues({**self._values, **values}, self._given)

    def changed(self, name: str) -> bool:
        """Say whether the option stood on the command line."""
        return name in self._given


class Invocation:
    """What a handler gets.

    `args` are the words left after the options. The streams are text; for bytes take
    `.buffer` of `stdin` and `stdout`. `client` connects on first use and is then kept;
    `root_options` are the words before the command (`-H`, `--config`, …).
    """

    def __init__(
        self,
        command: Command,
        options: OptionValues,
        args: list[str],
        *,
        root_options: OptionValues,
        environ: Mapping[str, str],
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
    ) -> None:
        self.command = command
        self.options = options
        self.args = args
        self.root_options = root_options
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._client: Client | None = None
        self._config: dict[str, Any] | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine is: `-H`, `--context`, the environment, or the default.

        Raises:
            CommandFailedError: the address cannot be read.
        """
        from naru.cli.failure import CommandFailedError
        from naru.client import endpoint
        from naru.errors import InvalidInputError

        hosts, given = self.root_options["host"], self.root_options.changed
        try:
            if len(hosts) > 1:
                raise InvalidInputError("unable to resolve docker endpoint: Specify only one -H")
            host = hosts[0] if hosts else None
            if self.root_options["context"] not in ("", "default"):
                from naru.cli import contexts

                if host:
                    raise InvalidInputError(
                        "conflicting options: cannot specify both --host and --context"
                    )
                host = contexts.host_of(
                    self.root_options["context"], self.root_options["config"], self.environ
                )
            tls = None
            if given("tls") or given("tlsverify"):
                options = self.root_options
                tls = endpoint.TlsFlags(
                    tls=options["tls"] if given("tls") else None,
                    verify=options["tlsverify"] if given("tlsverify") else None,
                    ca=options["tlscacert"] or None,
                    cert=options["tlscert"] or None,
                    key=options["tlskey"] or None,
                )
            return endpoint.resolve(host, self.environ, tls)
        except InvalidInputError as error:
            raise CommandFailedError(f"Failed to initialize: {error.message}") from error

    @property
    def client(self) -> Client:
        """The connection to the engine; an engine is started first where that is our job.

        Raises:
            UnavailableError: nobody listens.
        """
        if self._client is None:
            from naru.client.transport import Client

            endpoint = self.endpoint
            if endpoint.is_default:
                from naru.cli import autostart

                autostart.ensure_engine(endpoint, self.stderr)
            self._client = Client(endpoint, environ=self.environ)
        return self._client

    @property
    def config(self) -> dict[str, Any]:
        """The user's config.json as it stands there; empty when there is none."""
        if self._config is None:
            from naru.cli import config_file

            self._config, warning = config_file.load(self.root_options["config"], self.environ)
            if warning:
                self.complain(warning)
        return self._config

    def now(self) -> float:
        """Return the seconds since 1970."""
        # naru.clock brings asyncio, which would cost every command 40 ms.
        return time.time()

    def print(self, text: str = "", end: str = "\n") -> None:
        """Write a line to stdout."""
        self.stdout.write(text + end)

    def complain(self, text: str) -> None:
        """Write a line to stderr, after everything printed so far."""
        self.stdout.flush()
        self.stderr.write(text + "\n")
        self.stderr.flush()
