"""The routes under /containers."""

from __future__ import annotations

from naru.client.hijack import HijackedStream
from naru.client.transport import quote
from naru.errors import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from naru.client.transport import Client
    from naru.client.wire import Response


def create(
    client: Client,
    body: Mapping[str, Any],
    *,
    name: str = "",
    platform: str = "",
    replaces: bool = False,
) -> Any:
    """Create a container; returns `{"Id": …, "Warnings": […]}`.

    `replaces` takes the name from a container that has it; engines other than ours do not heed it.
    """
    query = {"name": name or None, "platform": platform or None, "replace": replaces or None}
    return client.post("/containers/create", query, body)


def inspect(client: Client, container: str) -> Any:
    """Return all that the engine knows about a container."""
    return client.get(f"/containers/{quote(container)}/json")


def start(client: Client, container: str) -> None:
    """Start a container; raises NotModifiedError when it runs already."""
    client.post(f"/containers/{quote(container)}/start")


def kill(client: Client, container: str, signal: str) -> None:
    """Send a signal to a container's first process."""
    client.post(f"/containers/{quote(container)}/kill", {"signal": signal})


def remove(client: Client, container: str) -> None:
    """Remove a container that does not run, with its anonymous volumes."""
    client.delete(f"/containers/{quote(container)}", {"v": True})


def resize(client: Client, container: str, rows: int, columns: int) -> None:
    """Set the size of a container's terminal."""
    client.post(f"/containers/{quote(container)}/resize", {"h": rows, "w": columns})


def attach(
    client: Client,
    container: str,
    *,
    is_raw: bool,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    detach_keys: str = "",
) -> HijackedStream:
    """Connect to the streams of a container, running or not yet; `is_raw`: it has a terminal."""
    query = {
        "stream": True,
        "stdin": stdin or None,
        "stdout": stdout or None,
        "stderr": stderr or None,
        "detachKeys": detach_keys or None,
    }
    reader = client.hijack(f"/containers/{quote(container)}/attach", query)
    return HijackedStream(reader, is_raw=is_raw)


class Waiter:
    """A wait that the engine has taken note of; the container may end from now on."""

    def __init__(self, client: Client, response: Response) -> None:
        self._client = client
        self._response = response

    def exit_code(self) -> int:
        """Block until the container has ended; return its exit code.

        Raises:
            FaultError: the engine could not wait.
        """
        from naru.client import json_text

        text = self._response.read()
        self._client.release(self._response)
        try:
            answer = json_text.loads(text)
        except ValueError as error:
            raise FaultError("unexpected EOF") from error
        problem = (answer.get("Error") or {}).get("Message")
        if problem:
            raise FaultError(str(problem))
        return int(answer["StatusCode"])


def wait(client: Client, container: str, condition: str) -> Waiter:
    """Begin to wait; `condition` is `not-running`, `next-exit` or `removed`."""
    query = {"condition": condition}
    return Waiter(client, client.raw("POST", f"/containers/{quote(container)}/wait", query))


def logs(client: Client, container: str, query: Mapping[str, Any]) -> Response:
    """Return the response whose body is the log; `release` it on the client afterwards."""
    return client.raw("GET", f"/containers/{quote(container)}/logs", query)
