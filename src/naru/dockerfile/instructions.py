"""What a Dockerfile can say: one frozen value per instruction, and the stages they make up.

Pure values. `dockerfile.instruction_rules` makes them, `dockerfile.config_change` and the
builder say what they do.

Spec: Dockerfile reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from naru.dockerfile.heredoc import Heredoc
from naru.oci.image_config import HealthCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What all instructions have: their text, as users are shown it, and the line it is on."""

    text: str
    line: int = 0

    @property
    def name(self) -> str:
        """Return the instruction's word, in capitals."""
        return self.text.split(None, 1)[0].upper()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command: words to execute, or one text for the shell.

    `heredocs` belong to the text for the shell.
    """

    words: tuple[str, ...]
    uses_shell: bool
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    """The beginning of a stage; `stage` is its name in small letters, or nothing."""

    image: str
    stage: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    """Variables of the build, each with a default value or None."""

    entries: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    """Variables of the image."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    """Labels of the image; `is_literal` ones come from an option and have no variables."""

    pairs: tuple[tuple[str, str], ...]
    is_literal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    """The author of the image."""

    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Instruction):
    """COPY and ADD: files from the context, a stage, an image, a URL, or the Dockerfile itself.

    `unpacks` is what ADD has over COPY: URLs, and archives that are unpacked.
    """

    sources: tuple[str, ...]
    destination: str
    unpacks: bool = False
    heredocs: tuple[Heredoc, ...] = ()
    origin: str = ""
    chown: str = ""
    chmod: str = ""
    links: bool = False
    keeps_parents: bool = False
    excluded: tuple[str, ...] = ()
    checksum: str = ""
    keeps_git_dir: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMount:
    """One `--mount` of RUN. `options` are the ones that its type has, by their canonical name."""

    type: str
    target: str = ""
    source: str = ""
    origin: str = ""
    read_only: bool = False
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """A command that makes a layer."""

    command: CommandLine
    mounts: tuple[RunMount, ...] = ()
    network: str = ""
    security: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    """What containers run by default."""

    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    """What containers run in any case."""

    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    """The shell of the commands that follow."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """How to tell that a container is well."""

    check: HealthCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    """Ports that containers listen on; a variable may hold several."""

    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    """Who containers run as."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    """Where containers start."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    """Places that get a volume."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    """The signal that asks containers to end."""

    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild(Instruction):
    """An instruction for the build of whoever starts from this image."""

    trigger: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: where it starts from, and what is done then."""

    start: From
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A whole Dockerfile. `arguments` are the ARGs before the first stage."""

    stages: tuple[Stage, ...]
    arguments: tuple[Arg, ...] = ()
    escape: str = "\\"
    warnings: tuple[str, ...] = ()
