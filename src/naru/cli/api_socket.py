"""`--use-api-socket`: a container that may speak to the engine, with the user's logins.

Spec: docker/cli, cli/command/container/create.go.
"""

from __future__ import annotations

from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from naru.cli.invocation import Invocation

_SOCKET = "/var/run/docker.sock"
_FOLDER = "/run/secrets/docker"


def add(invocation: Invocation, body: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Add the socket to the body; return the logins to `copy_logins` once it is created.

    Raises:
        InvalidInputError: the engine is not reached through a socket.
        FaultError: a credential helper failed.
    """
    endpoint = invocation.client.endpoint
    if not endpoint.path:
        raise InvalidInputError(
            "flag --use-api-socket can only be used with unix sockets: "
            f"docker endpoint {endpoint.host} incompatible"
        )
    body["HostConfig"].setdefault("Mounts", []).append(
        {"Type": "bind", "Source": endpoint.path, "Target": _SOCKET, "BindOptions": {}}
    )
    variables = body["Env"] or []
    if any(text.partition("=")[0] == "DOCKER_CONFIG" for text in variables):
        # Whoever sets this knows where the logins are.
        return {}
    from naru.client import credentials

    logins = credentials.find_all(invocation.config)
    if logins:
        body["Env"] = [*variables, f"DOCKER_CONFIG={_FOLDER}"]
    return logins


def copy_logins(invocation: Invocation, container: str, logins: dict[str, dict[str, str]]) -> None:
    """Put a config.json with the logins into a container that is not started yet."""
    import binascii
    import io
    import tarfile

    from naru.client import json_text
    from naru.client.transport import quote

    auths = {
        key: {
            "auth": binascii.b2a_base64(
                f"{login['username']}:{login['password']}".encode(), newline=False
            ).decode()
        }
        if "password" in login
        else {name: value for name, value in login.items() if name != "serveraddress"}
        for key, login in logins.items()
    }
    text = json_text.dumps({"auths": auths}).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(f"{_FOLDER.lstrip('/')}/config.json")
        member.size, member.mode = len(text), 0o600
        tar.addfile(member, io.BytesIO(text))
    path = f"/containers/{quote(container)}/archive"
    headers = {"Content-Type": "application/x-tar"}
    invocation.client.put(path, {"path": "/"}, archive.getvalue(), headers)
