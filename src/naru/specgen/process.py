"""The process of a container or an exec: words, environment, directory, user, limits. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from naru.api.container_config import ContainerConfig
from naru.api.exec import ExecConfig
from naru.api.host_config import HostConfig, Ulimit
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import RLIMITS, UNLIMITED, Json
from naru.specgen.facts import HostFacts
from naru.specgen.security import capabilities_of, capability_sets, process_security
from naru.specgen.users import User, resolve_user

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_IN_CONTAINER: Final = "/sbin/docker-init"


def container_process(
    config: ContainerConfig,
    host_config: HostConfig,
    facts: HostFacts,
    *,
    hostname: str,
    user: User,
    default_ulimits: Mapping[str, tuple[int, int]],
    no_new_privileges: bool,
) -> Json:
    """Return the first process of a container.

    Raises:
        InvalidInputError: no command, a relative directory, a bad limit, capability or option.
    """
    argv = config.argv()
    if not argv:
        raise InvalidInputError("no command specified")
    if wants_init(host_config):
        argv = [INIT_IN_CONTAINER, "--", *argv]
    process: Json = {
        "terminal": config.tty,
        "user": _user(user),
        "args": argv,
        "env": environment(config.env or (), hostname=hostname, tty=config.tty, home=user.home),
        "cwd": working_dir(config.working_dir),
        "capabilities": capability_sets(capabilities_of(host_config, facts), uid=user.uid),
        "rlimits": rlimits(host_config.ulimits or (), default_ulimits, facts),
        "oomScoreAdj": host_config.oom_score_adj,
    }
    process.update(process_security(host_config, facts, no_new_privileges=no_new_privileges))
    if config.tty and host_config.console_size and any(host_config.console_size):
        rows, columns = host_config.console_size[:2]
        process["consoleSize"] = {"height": rows, "width": columns}
    return process


def exec_process(
    spec_process: Json,
    config: ExecConfig,
    passwd: str,
    group: str,
    facts: HostFacts | None = None,
) -> Json:
    """Return a second process for a container whose first one is `spec_process`.

    `facts` are needed for a privileged one: it gets what the engine itself may.

    Raises:
        InvalidInputError: no command, an unknown user, or a relative directory.
    """
    if not config.cmd:
        raise InvalidInputError("No exec command specified")
    owner = _inherited_user(spec_process["user"], passwd, group)
    user = resolve_user(config.user, passwd, group) if config.user else owner
    # What the first process got from us rather than from its image or its user.
    ours = {f"HOME={owner.home}", "TERM=xterm"}
    env = [entry for entry in spec_process["env"] if entry not in ours]
    if config.tty:
        env.append("TERM=xterm")
    process = dict(spec_process)
    process.pop("consoleSize", None)
    process["env"] = _with_home(_merged(env, config.env or ()), user.home)
    process["terminal"] = config.tty
    process["user"] = _user(user)
    process["args"] = list(config.cmd)
    if config.working_dir:
        process["cwd"] = working_dir(config.working_dir)
    if config.privileged:
        capabilities = sorted((facts or HostFacts()).capabilities)
        process.pop("apparmorProfile", None)
    else:
        capabilities = list(spec_process["capabilities"].get("bounding", []))
    process["capabilities"] = capability_sets(capabilities, uid=user.uid)
    return process


def _inherited_user(spec_user: Json, passwd: str, group: str) -> User:
    known = resolve_user(str(spec_user["uid"]), passwd, group)
    return User(
        spec_user["uid"],
        spec_user["gid"],
        tuple(spec_user.get("additionalGids", ())),
        known.home,
    )


def _user(user: User) -> Json:
    return {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)}


def wants_init(host_config: HostConfig) -> bool:
    """Say whether a small init reaps for the process: only where it would be process 1."""
    return bool(host_config.init) and not host_config.pid_mode


def environment(env: Iterable[str], *, hostname: str, tty: bool, home: str) -> list[str]:
    """Return Docker's own variables, overridden and followed by the container's.

    A name without `=` takes a variable away.
    """
    base = [f"PATH={DEFAULT_PATH}", f"HOSTNAME={hostname}"]
    if tty:
        base.append("TERM=xterm")
    return _with_home(_merged(base, env), home)


def _with_home(env: list[str], home: str) -> list[str]:
    has_home = any(entry.startswith("HOME=") for entry in env)
    return env if has_home else [*env, f"HOME={home}"]


def _merged(base: Iterable[str], overrides: Iterable[str]) -> list[str]:
    merged = {entry.partition("=")[0]: entry for entry in base}
    for entry in overrides:
        if "\0" in entry:
            raise InvalidInputError("an environment variable holds a zero byte")
        name, equals, _ = entry.partition("=")
        if equals:
            merged[name] = entry
        else:
            merged.pop(name, None)
    return list(merged.values())


def working_dir(text: str) -> str:
    """Return the directory to start in.

    Raises:
        InvalidInputError: it is not absolute.
    """
    if not text:
        return "/"
    if not text.startswith("/"):
        raise InvalidInputError(
            f"the working directory '{text}' is invalid, it needs to be an absolute path"
        )
    normal = posixpath.normpath(text)
    return f"/{normal.lstrip('/')}"


def rlimits(
    asked: Sequence[Ulimit], defaults: Mapping[str, tuple[int, int]], facts: HostFacts
) -> list[Json]:
    """Return the limits of a process; defaults are (soft, hard) and cut to what may be set.

    Raises:
        InvalidInputError: an unknown name, soft above hard, or more than the engine may give.
    """
    limits: dict[str, tuple[int, int]] = {}
    for name, (soft, hard) in defaults.items():
        hard = _ceiling(name, hard, facts)
        limits[name] = (min(_unsigned(soft), hard), hard)
    for ulimit in asked:
        if ulimit.name not in RLIMITS:
            raise InvalidInputError(f"invalid ulimit type: {ulimit.name}")
        soft, hard = _unsigned(ulimit.soft), _unsigned(ulimit.hard)
        if soft > hard:
            raise InvalidInputError(
                "ulimit soft limit must be less than or equal to hard limit: "
                f"{ulimit.soft} > {ulimit.hard}"
            )
        if not facts.can_set_rlimit(ulimit.name, hard):
            raise InvalidInputError(
                f"ulimit {ulimit.name}: hard limit {ulimit.hard} is above "
                f"{facts.rlimits[ulimit.name]}, which is all that this engine may set",
                hint="raise the engine's own limit, or give it CAP_SYS_RESOURCE",
            )
        limits[ulimit.name] = (soft, hard)
    return [
        {"type": f"RLIMIT_{name.upper()}", "soft": soft, "hard": hard}
        for name, (soft, hard) in limits.items()
    ]


def _ceiling(name: str, hard: int, facts: HostFacts) -> int:
    wanted = _unsigned(hard)
    return wanted if facts.can_set_rlimit(name, wanted) else facts.rlimits[name]


def _unsigned(limit: int) -> int:
    return UNLIMITED if limit < 0 else limit
