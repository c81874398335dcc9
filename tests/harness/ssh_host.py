"""A machine to reach by ssh: a real sshd on the loopback where there is one, else a stand-in.

The stand-in does with the command what sshd does: it hands it to a shell. Keys, refusals and
cut connections are real ones only with sshd.
"""

from __future__ import annotations

import contextlib
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.ports import free_port
from harness.waiting import eventually

_STAND_IN = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift 2
exec env {variables} /bin/sh -c "$*"
"""
_REFUSAL = """#!/bin/sh
echo "root@127.0.0.1: Permission denied (publickey)." >&2
exit 255
"""
_CLIENT = """#!/bin/sh
exec {ssh} -F {folder}/client "$@"
"""
_CLIENT_CONFIG = """Host ssh-box
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  BatchMode yes
"""
_SERVER_CONFIG = """ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
SetEnv {variables}
"""


@dataclass(frozen=True)
class SshHost:
    """What a client needs to get there: `url`, and `path`, a folder for the front of its PATH."""

    url: str
    path: Path
    is_real: bool

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Let nobody in for the length of the block."""
        door = self.path / ("authorized" if self.is_real else "ssh")
        kept = door.read_text(encoding="utf-8")
        door.write_text("" if self.is_real else _REFUSAL, encoding="utf-8")
        try:
            yield
        finally:
            door.write_text(kept, encoding="utf-8")


@contextlib.contextmanager
def serving(variables: Mapping[str, str]) -> Iterator[SshHost]:
    """Give a host on which commands find these variables in their environment."""
    words = " ".join(f"{name}={value}" for name, value in variables.items())
    with tempfile.TemporaryDirectory(prefix="naru-test-ssh-") as name:
        folder = Path(name)
        sshd = shutil.which("sshd", path="/usr/sbin:/sbin")
        ssh = shutil.which("ssh")
        if not sshd or not ssh or not _has_user("sshd"):
            _program(folder / "ssh", _STAND_IN.format(variables=words))
            yield SshHost("ssh://ssh-box", folder, is_real=False)
            return
        port = free_port()
        for key in ("host", "key"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
            subprocess.run(argv, check=True)
        shutil.copy(folder / "key.pub", folder / "authorized")
        host_key = (folder / "host.pub").read_text(encoding="utf-8")
        (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}", encoding="utf-8")
        values = {"port": port, "folder": folder, "ssh": ssh, "variables": words, "user": "root"}
        (folder / "client").write_text(_CLIENT_CONFIG.format(**values), encoding="utf-8")
        (folder / "server").write_text(_SERVER_CONFIG.format(**values), encoding="utf-8")
        _program(folder / "ssh", _CLIENT.format(**values))
        # Where its package keeps an empty folder, which a boot takes away. It stays: whoever logs
        # in anywhere on this machine may be using it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "server")], stderr=log)
        try:
            probe = [str(folder / "ssh"), "ssh-box", "true"]
            eventually(
                lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0,
                "sshd lets us in",
            )
            yield SshHost("ssh://ssh-box", folder, is_real=True)
        finally:
            server.terminate()
            server.wait()


def _program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
