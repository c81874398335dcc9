"""`completion`: the script that a shell learns naru's words from, and what that script asks."""

from __future__ import annotations

from naru.cli.command_table import Option
from naru.cli.completion import FILES, candidates
from naru.cli.failure import CommandFailedError
from naru.cli.invocation import Invocation
from naru.cli.parser import OptionParser
from naru.cli.spec import root
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

_BASH = r"""# naru's words for bash: put  eval "$(naru completion bash)"  into ~/.bashrc
_naru() {
    local value about
    COMPREPLY=()
    while IFS=$'\t' read -r value about; do
        if [[ $value == :files ]]; then
            compopt -o default 2>/dev/null
        else
            COMPREPLY+=("$value")
        fi
    done < <(naru __complete --line "${COMP_LINE:0:COMP_POINT}" --breaks "$COMP_WORDBREAKS" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -F _naru naru
"""
_ZSH = r"""#compdef naru
# naru's words for zsh: put  eval "$(naru completion zsh)"  into ~/.zshrc, behind compinit
_naru() {
    local value about files
    local -a found unfinished
    while IFS=$'\t' read -r value about; do
        if [[ $value == :files ]]; then
            files=yes
        elif [[ $value == *: ]]; then
            unfinished+=("${value//:/\\:}${about:+:$about}")
        else
            found+=("${value//:/\\:}${about:+:$about}")
        fi
    done < <(naru __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#found )) && _describe naru found
    (( $#unfinished )) && _describe naru unfinished -S ''
    [[ -n $files ]] && _files
    return 0
}
compdef _naru naru
"""
_FISH = r"""# naru's words for fish: naru completion fish > ~/.config/fish/completions/naru.fish
function __naru_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (naru __complete -- $words[2..] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c naru -f -a '(__naru_complete)'
"""
_SCRIPTS = {"bash": _BASH, "fish": _FISH, "zsh": _ZSH}
_STATES = {
    "paused": ["paused"],
    "running": ["running"],
    "stopped": ["created", "exited"],
}


def script(invocation: Invocation) -> int:
    """Print the script for a shell."""
    [shell] = invocation.args
    if shell not in _SCRIPTS:
        raise CommandFailedError(f'"{shell}": expected {", ".join(_SCRIPTS)}')
    invocation.print(_SCRIPTS[shell], end="")
    return 0


def complete(invocation: Invocation) -> int:
    """Print what could stand where the cursor is, a line each: the word, a tab, a word on it."""
    line, breaks = invocation.options["line"], invocation.options["breaks"]
    words = _split(line)[1:] if line else invocation.args
    if not words:
        return 0
    current = words[-1]
    # bash replaces only what stands behind the last of these.
    kept = max((current.rfind(char) + 1 for char in breaks if char in ":=@"), default=0)
    asked = _Names(invocation, words)
    for value, about in candidates(words, asked.of):
        shown = value if value == FILES else value[kept:]
        invocation.print(f"{shown}\t{about}" if about else shown)
    return 0


def _split(line: str) -> list[str]:
    """Take a line apart as a shell does; the last word may be empty, or have an open quote."""
    import shlex

    for end in ("", "'", '"'):
        try:
            # With a letter more the last word is there, and keeps its blank apart.
            *words, last = shlex.split(f"{line}.{end}")
        except ValueError:
            continue
        return [*words, last[:-1]]
    return []


class _Names:
    """The names of things at the engine that a line means; none where it does not answer."""

    def __init__(self, invocation: Invocation, words: Sequence[str]) -> None:
        self._invocation = invocation
        self._words = words

    def of(self, kind: str) -> list[tuple[str, str]]:
        """Return the names of one kind, with a word on each."""
        from naru.client.transport import Client

        try:
            client = Client(self._meant().endpoint, environ=self._invocation.environ)
            return list(_names(client, kind))
        except (NaruError, CommandFailedError, ValueError, OSError):
            return []

    def _meant(self) -> Invocation:
        """Return a command with the line's own `-H` and `--context`."""
        parser = OptionParser([Option(*option) for option in root.OPTIONS])
        parser.parse(self._words, stops_at_argument=1)
        given = self._invocation
        return Invocation(
            given.command,
            given.options,
            [],
            root_options=parser.values,
            environ=given.environ,
            stdin=given.stdin,
            stdout=given.stdout,
            stderr=given.stderr,
        )


def _names(client: Any, kind: str) -> Iterator[tuple[str, str]]:
    if kind == "images":
        for image in client.get("/images/json"):
            for tag in image.get("RepoTags") or ():
                yield tag.removesuffix(":latest"), ""
                if tag.endswith(":latest"):
                    yield tag, ""
    elif kind == "networks":
        for network in client.get("/networks"):
            yield network["Name"], network["Driver"]
    elif kind == "volumes":
        for volume in client.get("/volumes")["Volumes"] or ():
            yield volume["Name"], volume["Driver"]
    else:
        states = _STATES.get(kind)
        query = {"all": True, "filters": {"status": states} if states else None}
        for container in client.get("/containers/json", query):
            yield container["Names"][0].removeprefix("/"), container["Image"]
