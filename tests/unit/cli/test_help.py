"""Help pages are docker's, but for the program's name."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from naru.cli import command_table
from naru.cli import help as help_pages
from naru.cli.command_table import Option
from naru.cli.spec import index, root

_GOLDEN = Path(__file__).parents[2] / "golden" / "cli" / "help_pages.json"
_PAGES: dict[str, str] = msgspec.json.decode(_GOLDEN.read_bytes())["pages"]
# Options of what is not there: volumes of a cluster.
_LEFT_OUT = {"volume create", "volume ls"}


def _as_naru(page: str) -> str:
    return page.replace("docker ", "naru ")


@pytest.mark.parametrize("path", sorted(set(_PAGES) - _LEFT_OUT))
def test_page_of_a_command_is_dockers(path: str) -> None:
    command = command_table.load_command(path)
    # What docker has not is not on its pages.
    command.options = [option for option in command.options if not option.is_ours]
    page = help_pages.command_page(command)
    # Docker's name in a sentence is not the program's name.
    assert _as_naru(page) == _as_naru(_PAGES[path])


@pytest.mark.parametrize("path", sorted(_LEFT_OUT))
def test_page_with_fewer_options_has_only_lines_of_dockers(path: str) -> None:
    page = help_pages.command_page(command_table.load_command(path))
    known = {" ".join(line.split()) for line in _as_naru(_PAGES[path]).splitlines()}
    for line in _as_naru(page).splitlines():
        if line.startswith("  -") or not line.startswith(" "):
            assert " ".join(line.split()) in known


def test_every_listed_command_loads_and_has_a_handler() -> None:
    for path in index.COMMANDS:
        command = command_table.load_command(path)
        module, _, name = command.handler.partition(":")
        assert module.startswith("naru.cli.commands.")
        assert name


def test_hidden_options_are_not_shown() -> None:
    page = help_pages.command_page(command_table.load_command("run"))
    assert "--net " not in page
    assert "--network network" in page


def test_commands_for_programs_are_on_no_list_but_have_a_page() -> None:
    assert "dial-stdio" not in help_pages.group_page("system")
    assert index.COMMANDS.keys() >= index.HIDDEN
    page = help_pages.command_page(command_table.load_command("system dial-stdio"))
    assert page.startswith("Usage:  naru system dial-stdio\n\nProxy the stdio stream")


def test_group_lists_its_commands_by_name() -> None:
    page = help_pages.group_page("volume")
    names = [line.split()[0] for line in page.splitlines() if line.startswith("  ")]
    docker = {"create", "inspect", "ls", "prune", "rm"}
    ours = {"export", "import", "restore", "rm-snapshot", "snapshot", "snapshots"}
    assert names == sorted(docker | ours)
    assert page.startswith("Usage:  naru volume COMMAND\n\nManage volumes\n")


def test_root_page_names_every_command_of_one_word() -> None:
    page = help_pages.root_page([Option(*option) for option in root.OPTIONS])
    for path in index.COMMANDS.keys() - index.HIDDEN:
        if " " not in path:
            assert f"\n  {path} " in page


def test_long_texts_are_wrapped_to_the_terminal() -> None:
    command = command_table.load_command("run")
    for width in (60, 80, 120):
        for line in help_pages.command_page(command, width).splitlines():
            if line.startswith(" " * 20) and " " in line.strip():
                assert len(line) < width + 5


def test_narrow_terminal_puts_the_text_below_the_option() -> None:
    options = [Option("a-very-long-option-name", "", "string", "", "Some words of help here")]
    text = help_pages.option_lines(options, 50)
    assert text.splitlines()[1] == " " * 16 + "Some words of help here"
