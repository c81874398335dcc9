"""One verb for many names, reported in the order of the command line."""

from __future__ import annotations

from naru.cli.failure import CommandFailedError, described
from naru.errors import NaruError, NotModifiedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from naru.cli.invocation import Invocation

_PARALLEL = 50


def run_on_each(
    invocation: Invocation, names: Sequence[str], act: Callable[[str], str | None]
) -> int:
    """Do `act` to every name at once and print what it returns (None: nothing); then the failures.

    A name that is already as asked for counts as done. Returns the exit code.
    """
    return _report(invocation, _outcomes(names, act))


def run_in_turn(
    invocation: Invocation, names: Sequence[str], act: Callable[[str], str | None]
) -> int:
    """Do as `run_on_each`, one name after the other."""
    return _report(invocation, (_attempt(act, name) for name in names))


def _report(invocation: Invocation, outcomes: Iterable[str | Exception | None]) -> int:
    problems: list[str] = []
    for outcome in outcomes:
        if isinstance(outcome, str):
            invocation.print(outcome)
        elif outcome is not None:
            problems.append(describe(outcome))
    if problems:
        invocation.complain("\n".join(problems))
    return 1 if problems else 0


def describe(error: Exception) -> str:
    """Return what docker prints for a failure."""
    if isinstance(error, CommandFailedError):
        return error.message
    if isinstance(error, NaruError):
        return described(error)
    raise error


def _outcomes(
    names: Sequence[str], act: Callable[[str], str | None]
) -> Iterator[str | Exception | None]:
    if len(names) == 1:
        # The usual case needs no thread, and no 8 ms for importing them.
        return iter([_attempt(act, names[0])])
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_PARALLEL, len(names))) as pool:
        return iter(list(pool.map(lambda name: _attempt(act, name), names)))


def _attempt(act: Callable[[str], str | None], name: str) -> str | Exception | None:
    try:
        return act(name)
    except NotModifiedError:
        return name
    except (NaruError, CommandFailedError) as error:
        return error


def container_path(name: str, tail: str = "") -> str:
    """Return the API path of a container.

    Raises:
        CommandFailedError: the name is empty: the path would mean something else.
    """
    from naru.client.transport import quote

    if not name.strip():
        raise CommandFailedError("invalid container name or ID: value is empty")
    return f"/containers/{quote(name)}{tail}"


def require_api(invocation: Invocation, option: str, version: str) -> None:
    """Refuse an option that the engine's API is too old for.

    Raises:
        CommandFailedError: in docker's words.
    """
    from naru.client.transport import version_key

    actual = invocation.client.api_version
    if version_key(actual) < version_key(version):
        raise CommandFailedError(
            f'"--{option}" requires API version {version}, '
            f"but the Docker daemon API version is {actual}"
        )
