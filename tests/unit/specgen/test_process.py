"""Words, environment, directory and limits of processes."""

from __future__ import annotations

from typing import Any

import pytest

from naru.api.exec import ExecConfig
from naru.api.host_config import Ulimit
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import UNLIMITED
from naru.specgen.facts import HostFacts
from naru.specgen.process import DEFAULT_PATH, environment, exec_process, rlimits, working_dir

_PASSWD = "root:x:0:0::/root:\nbob:x:1001:1002::/home/bob:\n"
_POOR = HostFacts(capabilities=frozenset({"CAP_CHOWN"}), rlimits={"nofile": 1000})


def test_the_container_overrides_and_removes() -> None:
    env = environment(["PATH=/x", "A=1", "A=2", "HOSTNAME"], hostname="h", tty=True, home="/r")
    assert env == ["PATH=/x", "TERM=xterm", "A=2", "HOME=/r"]
    assert environment(["HOME=/own"], hostname="h", tty=False, home="/r")[-1] == "HOME=/own"
    assert environment([], hostname="h", tty=False, home="/r")[0] == f"PATH={DEFAULT_PATH}"
    with pytest.raises(InvalidInputError):
        environment(["A=\0"], hostname="h", tty=False, home="/")


@pytest.mark.parametrize(
    ("text", "path"), [("", "/"), ("/a/../b/", "/b"), ("//x", "/x"), ("/", "/")]
)
def test_directories_are_cleaned(text: str, path: str) -> None:
    assert working_dir(text) == path


def test_a_relative_directory_is_refused() -> None:
    with pytest.raises(InvalidInputError) as caught:
        working_dir("rel")
    assert caught.value.message == (
        "the working directory 'rel' is invalid, it needs to be an absolute path"
    )


def test_limits_asked_for_are_kept_and_defaults_are_cut() -> None:
    limits = rlimits([Ulimit(name="core", soft=-1, hard=-1)], {"nofile": (5000, 5000)}, _POOR)
    assert limits == [
        {"type": "RLIMIT_NOFILE", "soft": 1000, "hard": 1000},
        {"type": "RLIMIT_CORE", "soft": UNLIMITED, "hard": UNLIMITED},
    ]


@pytest.mark.parametrize(
    ("ulimit", "words"),
    [
        (Ulimit(name="foo"), "invalid ulimit type: foo"),
        (
            Ulimit(name="core", soft=2, hard=1),
            "ulimit soft limit must be less than or equal to hard limit: 2 > 1",
        ),
        (Ulimit(name="nofile", soft=1, hard=2000), "ulimit nofile: hard limit 2000 is above 1000"),
        (Ulimit(name="nofile", soft=1, hard=-1), "ulimit nofile: hard limit -1 is above 1000"),
    ],
)
def test_limits_that_cannot_be_are_refused(ulimit: Ulimit, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        rlimits([ulimit], {}, _POOR)
    assert caught.value.message.startswith(words)


def _first() -> dict[str, Any]:
    return {
        "args": ["sleep"],
        "terminal": True,
        "consoleSize": {"height": 1, "width": 1},
        "cwd": "/work",
        "env": ["PATH=/p", "HOSTNAME=h", "TERM=xterm", "OWN=1", "HOME=/home/bob"],
        "user": {"uid": 1001, "gid": 1002, "additionalGids": [1002, 50]},
        "capabilities": {"bounding": ["CAP_CHOWN"]},
        "noNewPrivileges": True,
        "apparmorProfile": "p",
        "rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
    }


def test_an_exec_inherits_all_but_the_terminal() -> None:
    process = exec_process(_first(), ExecConfig(cmd=["id"], env=["OWN=2"]), _PASSWD, "")
    assert process["args"] == ["id"]
    assert process["terminal"] is False
    assert "consoleSize" not in process
    assert process["cwd"] == "/work"
    assert process["env"] == ["PATH=/p", "HOSTNAME=h", "OWN=2", "HOME=/home/bob"]
    assert process["user"] == {"uid": 1001, "gid": 1002, "additionalGids": [1002, 50]}
    assert process["capabilities"] == {"bounding": ["CAP_CHOWN"]}
    assert process["noNewPrivileges"] is True
    assert process["rlimits"] == _first()["rlimits"]


def test_an_exec_as_another_user_gets_that_users_home() -> None:
    config = ExecConfig(cmd=["id"], user="root", tty=True, working_dir="/")
    process = exec_process(_first(), config, _PASSWD, "")
    assert process["user"]["uid"] == 0
    assert process["env"][-2:] == ["TERM=xterm", "HOME=/root"]
    assert process["capabilities"]["effective"] == ["CAP_CHOWN"]
    assert process["cwd"] == "/"


def test_a_home_that_was_chosen_stays() -> None:
    first = _first()
    first["env"][-1] = "HOME=/chosen"
    process = exec_process(first, ExecConfig(cmd=["id"], user="root"), _PASSWD, "")
    assert "HOME=/chosen" in process["env"]


def test_a_privileged_exec_gets_what_the_engine_has() -> None:
    config = ExecConfig(cmd=["id"], privileged=True, user="root")
    process = exec_process(_first(), config, _PASSWD, "", _POOR)
    assert process["capabilities"]["effective"] == ["CAP_CHOWN"]
    assert "apparmorProfile" not in process
    process = exec_process(_first(), config, _PASSWD, "")
    assert len(process["capabilities"]["effective"]) == 41


def test_an_exec_without_a_command_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="No exec command specified"):
        exec_process(_first(), ExecConfig(), _PASSWD, "")
