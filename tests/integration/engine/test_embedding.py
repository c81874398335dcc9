"""The program in docs/embedding.md, and what follows of it, run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness.narud import EngineUnderTest

_PAGE = Path(__file__).parents[3] / "docs" / "embedding.md"
_FLAGS = re.compile(r"^FLAGS = .*?^\).*?$", re.MULTILINE | re.DOTALL)
_IMPORTS = """
import socket
from naru.server.api_server import ApiServer
from naru.server.app import build_app
"""
_ASK = """
reader, writer = await asyncio.open_unix_connection("SOCKET")
writer.write(b"GET /_ping HTTP/1.0\\r\\n\\r\\n")
print((await reader.read()).decode().splitlines()[-1])
writer.close()
"""


def _blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)


def _run(program: str, engine: EngineUnderTest) -> subprocess.CompletedProcess[str]:
    program, count = _FLAGS.subn(f"FLAGS = {engine.argv[1:]!r}", program)
    assert count == 1
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_program_has_an_engine_of_its_own(own_engine: EngineUnderTest) -> None:
    program, serving = _blocks()
    refused = _run(program, own_engine)
    assert refused.returncode == 1
    assert f"another engine runs on {own_engine.data_root}" in refused.stderr
    own_engine.terminate()

    done = _run(program, own_engine)
    assert (done.stdout, done.stderr, done.returncode) == ("{'StatusCode': 0}\nhello\n", "", 0)

    socket = str(own_engine.root / "mine.sock")
    serving = serving.replace("/run/mine/api.sock", socket)
    serving = serving.replace("...\n", _ASK.replace("SOCKET", socket))
    head, create, _ = program.partition("        container, warnings")
    assert create
    inside = "".join(f"        {line}\n" for line in serving.splitlines())
    served = _run(f"{_IMPORTS}{head}{inside}\nasyncio.run(main())\n", own_engine)
    assert (served.stdout, served.stderr, served.returncode) == ("OK\n", "", 0)

    own_engine.start_engine()
    assert own_engine.containers() == []
