"""RUN: a command in a container, whose changes become a layer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from naru.aio import in_thread
from naru.api.host_config import HostConfig, Mount
from naru.builder.build import Build, StageState
from naru.builder.errors import StepFailedError
from naru.builder.steps.run_mounts import RunMounts
from naru.dockerfile.config_change import command_words, shell_of
from naru.dockerfile.heredoc import read_mark
from naru.dockerfile.instructions import Run
from naru.errors import InvalidInputError, NotSupportedError
from naru.oci.image_config import HealthCheck, RunDefaults

_SCRIPT_FOLDER = "/dev/pipes"


async def run_step(build: Build, stage: StageState, run: Run) -> None:
    """Run a command on the image of the stage, and make an image of what it changes.

    Raises:
        StepFailedError: the command failed.
        StartFailedError: it cannot be started.
        InvalidInputError, NotSupportedError: it cannot be run so.
    """
    if run.security == "insecure":
        raise NotSupportedError("RUN --security=insecure is not supported")
    words, script = _command(run, stage.config)
    arguments = build.arguments.values(stage.allowed, stage.environment())
    told = _with_arguments(build, words, arguments)
    config = msgspec.structs.replace(stage.config, cmd=told, entrypoint=None)
    if not words:
        raise InvalidInputError("no command specified")
    if stage.image is None:
        raise InvalidInputError(f'exec: "{words[0]}": there is no file system to run it in')
    mounts = RunMounts(build, stage, run)
    inputs = [*await mounts.inputs(), *((script,) if script else ())]
    if await build.is_cached(stage, config, inputs=inputs):
        return
    async with mounts.prepared() as bound:
        host = _host(build, run, bound)
        if script:
            place = f"{_SCRIPT_FOLDER}/{run.command.heredocs[0].name}"
            path = await in_thread(_write_script, build.folder, script)
            host.binds = [f"{path}:{place}:ro"]
        container = await build.make_container(stage, _to_run(stage, words, arguments), host)
        code = await build.runner.run(container, build.progress.output)
        build.progress.end_output()
    if code:
        raise StepFailedError(
            f"The command '{' '.join(words)}' returned a non-zero code: {code}", exit_code=code
        )
    await build.commit(stage, config, snapshot=container, container=container, inputs=inputs)


def _command(run: Run, config: RunDefaults) -> tuple[tuple[str, ...], str]:
    """Return the words to run, and the script that they are, if a heredoc is one.

    Spec: Dockerfile reference, "Here-Documents".
    """
    command = run.command
    if not command.heredocs or not command.uses_shell:
        return command_words(config, command), ""
    text = command.words[0]
    if read_mark(text) is None:
        # A shell that knows heredocs gets the whole of it.
        bodies = (f"\n{heredoc.content}{heredoc.name}" for heredoc in command.heredocs)
        return (*shell_of(config), text + "".join(bodies)), ""
    (heredoc,) = command.heredocs
    if heredoc.content.startswith("#!"):
        return (f"{_SCRIPT_FOLDER}/{heredoc.name}",), heredoc.text
    return (*shell_of(config), heredoc.text), ""


def _with_arguments(
    build: Build, words: tuple[str, ...], arguments: dict[str, str]
) -> tuple[str, ...]:
    """Put the arguments in force in front of a command, for history and cache."""
    if not arguments:
        return words
    shown = sorted(
        f"{name}={value}"
        for name, value in arguments.items()
        if build.arguments.is_remembered(name)
    )
    return (f"|{len(shown)}", *shown, *words)


def _to_run(stage: StageState, words: tuple[str, ...], arguments: dict[str, str]) -> RunDefaults:
    """Return the config of the container: arguments in its environment, nothing around the command."""
    pairs = tuple(f"{name}={value}" for name, value in sorted(arguments.items()))
    return msgspec.structs.replace(
        stage.config,
        cmd=words,
        env=(*(stage.config.env or ()), *pairs),
        entrypoint=("",),
        healthcheck=HealthCheck(test=("NONE",)),
    )


def _host(build: Build, run: Run, bound: list[Mount]) -> HostConfig:
    host = msgspec.convert(msgspec.to_builtins(build.request.host), HostConfig)
    if run.network not in ("", "default"):
        host.network_mode = run.network
    if bound:
        host.mounts = [*(host.mounts or []), *bound]
    return host


def _write_script(folder: Path, script: str) -> Path:
    path = folder / "script"
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
    return path
