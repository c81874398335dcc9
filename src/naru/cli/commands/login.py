"""`login` and `logout`. Spec: docker/cli, command/registry."""

from __future__ import annotations

import os

from naru.cli import config_file, terminal
from naru.cli.batch import describe
from naru.cli.command_table import PROGRAM
from naru.cli.failure import CommandFailedError
from naru.client import credential_store, credentials
from naru.errors import FaultError, NaruError, UnauthenticatedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation

    Login = dict[str, str]

_NO_TERMINAL = "Error: Cannot perform an interactive login from a non TTY device"
_UNENCRYPTED = """
WARNING! Your credentials are stored unencrypted in '{path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/
"""
_EXISTING = """Authenticating with existing credentials... [Username: {name}]

 Info -> To login with a different account, run '{program} logout' followed by '{program} login'

"""


def log_in(invocation: Invocation) -> int:
    """Show a name and a password to a registry, and keep them if it takes them."""
    password = _given_password(invocation)
    name, key = invocation.options["username"], _key(invocation)
    status = ""
    if not (name or password):
        stored = credentials.find(invocation.config, _registry(key)) or {}
        name = stored.get("username", "")
        if name and stored.get("password"):
            status = _log_in_again(invocation, stored)
    if not status:
        status = _authenticate(invocation, _ask(invocation, name, password, key))
    invocation.print(status)
    return 0


def log_out(invocation: Invocation) -> int:
    """Forget the login for a registry, under every name that it may have been kept by."""
    key = _key(invocation)
    names = [key]
    if key != credentials.HUB_KEY:
        names = list(dict.fromkeys([invocation.args[0], key, f"http://{key}", f"https://{key}"]))
    invocation.print(f"Removing login credentials for {key}")
    problems = []
    for name in names:
        try:
            credential_store.forget(_path(invocation), invocation.config, name)
        except FaultError as error:
            problems.append(f"{name}: {error.message}")
    if len(problems) == len(names):
        invocation.complain("WARNING: could not erase credentials:\n" + "\n".join(problems))
    return 0


def _path(invocation: Invocation) -> str:
    folder = config_file.folder(invocation.root_options["config"], invocation.environ)
    return os.path.join(folder, "config.json")


def _key(invocation: Invocation) -> str:
    """Return the name under which the login for the server given is kept."""
    server = invocation.args[0] if invocation.args else ""
    host = (server.partition("://")[2] or server).partition("/")[0]
    if server == credentials.HUB_KEY:
        return server
    return credentials.key_of(host or credentials.HUB_REGISTRY)


def _registry(key: str) -> str:
    return credentials.HUB_REGISTRY if key == credentials.HUB_KEY else key


def _given_password(invocation: Invocation) -> str:
    """Return the password of the command line or of stdin; "" when it is to be asked for."""
    options = invocation.options
    password: str = options["password"]
    if options.changed("username") and not options["username"]:
        raise CommandFailedError("username is empty")
    if options["password-stdin"]:
        if options.changed("password"):
            raise CommandFailedError(
                "conflicting options: cannot specify both --password and --password-stdin"
            )
        if not options["username"]:
            raise CommandFailedError("the --password-stdin option requires --username to be set")
        return invocation.stdin.read().removesuffix("\n").removesuffix("\r")
    if password:
        invocation.complain(
            "WARNING! Using --password via the CLI is insecure. Use --password-stdin."
        )
    return password


def _log_in_again(invocation: Invocation, stored: Login) -> str:
    """Try what was kept from the last time; return "" when that is not taken any more."""
    invocation.complain(_EXISTING.format(name=stored["username"], program=PROGRAM))
    try:
        return _authenticate(invocation, stored)
    except UnauthenticatedError:
        invocation.complain("Stored credentials invalid or expired")
    except NaruError as error:
        invocation.complain(f"Login did not succeed, error: {describe(error)}")
    return ""


def _ask(invocation: Invocation, name: str, password: str, key: str) -> Login:
    """Ask for what is not there yet.

    Raises:
        CommandFailedError: there is nobody to ask, or no answer.
    """
    given = invocation.options["username"]
    if not (given and password):
        if not terminal.is_terminal(invocation.stdin):
            raise CommandFailedError(_NO_TERMINAL)
        if not given:
            shown = f" ({name})" if name else ""
            given = terminal.ask(invocation.stdin, invocation.stdout, f"Username{shown}: ").strip()
        given = given or name
        if not given:
            raise CommandFailedError("Error: Non-null Username Required")
        if not password:
            password = terminal.ask(
                invocation.stdin, invocation.stdout, "Password: ", is_secret=True
            )
            if not password:
                raise CommandFailedError("Error: Password Required")
    return {"username": given, "password": password, "serveraddress": key}


def _authenticate(invocation: Invocation, login: Login) -> str:
    """Let the engine show a login to its registry, and keep it if it is taken.

    Raises:
        CommandFailedError: it cannot be kept.
        NaruError: the registry refuses it, or is not there.
    """
    answer = invocation.client.post("/auth", body=login)
    kept = {"username": login["username"], "password": login["password"]}
    if token := answer.get("IdentityToken"):
        kept["identitytoken"] = token
    path = _path(invocation)
    try:
        is_readable = credential_store.keep(path, invocation.config, login["serveraddress"], kept)
    except FaultError as error:
        raise CommandFailedError(f"Error saving credentials: {error.message}") from error
    if is_readable:
        invocation.complain(_UNENCRYPTED.format(path=path))
    return str(answer["Status"])
