"""docker-py's own integration tests, as published, run against any engine.

They come from the newest source distribution that has them; the library that they drive is the
one that is installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine

_ROOT = Path(__file__).parents[2]
_FOLDER = _ROOT / "build" / "conformance"
_VERSION = "7.0.0"
_SHA256 = "323736fb92cd9418fc5e7133bc953e11a9da04f4483f828b527db553f1e7e5a3"

# What needs a swarm, a plug-in from Docker Hub or a password store.
LEFT_OUT = (
    "api_config_test.py",
    "api_plugin_test.py",
    "api_secret_test.py",
    "api_service_test.py",
    "api_swarm_test.py",
    "models_nodes_test.py",
    "models_services_test.py",
    "models_swarm_test.py",
    "credentials",
)


@dataclass(frozen=True)
class Outcome:
    """How each test ended: `passed`, `skipped`, or what went wrong."""

    tests: dict[str, str]

    def failed(self) -> dict[str, str]:
        """Return the tests that failed, with what they said."""
        return {
            name: text for name, text in self.tests.items() if text not in ("passed", "skipped")
        }

    def count(self, how: str) -> int:
        """Return how many tests passed or were skipped."""
        return sum(text == how for text in self.tests.values())


def fetch() -> Path:
    """Download and unpack the tests, unless that is done; return their folder."""
    target = _FOLDER / f"docker-py-{_VERSION}"
    if (target / "tests").is_dir():
        return target
    _FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = _FOLDER / "requirement.txt"
    wanted.write_text(f"docker=={_VERSION} --hash=sha256:{_SHA256}\n", encoding="utf-8")
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    argv += ["--no-deps", "--no-build-isolation", "--no-binary", "docker", "--require-hashes"]
    subprocess.run([*argv, "-r", wanted, "-d", _FOLDER], check=True, capture_output=True)
    with tarfile.open(_FOLDER / f"docker-{_VERSION}.tar.gz") as archive:
        prefix = f"docker-{_VERSION}/"
        # The tests only: the old library beside them must not be imported.
        for member in archive:
            content = archive.extractfile(member)
            if content is not None and member.name.startswith(f"{prefix}tests/"):
                path = target / member.name.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
    return target


def images() -> dict[str, bytes]:
    """Return stand-ins for what the tests pull from Docker Hub, by their names there."""
    layers = [
        busybox_layer(),
        Tree()
        .directory("var/opt")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/:/bin/sh\n")
        .tar(),
    ]
    names = ("alpine:3.10", "alpine:latest", "busybox:latest", "hello-world:latest")
    # Pruning it has to free something.
    own = {"hello-world:latest": [Tree().file("hello", "Hello from Docker!\n").tar()]}
    return {
        name: docker_archive(
            [name],
            [*layers, *own.get(name, [])],
            {"Cmd": ["/bin/sh"], "Labels": {"stand-in": name}},
        )
        for name in names
    }


def load_images(engine: Engine) -> None:
    """Give the engine what the tests expect to be there, or could not pull."""
    for name, archive in images().items():
        if not engine.has_image(name) and name != "hello-world:latest":
            engine.load(archive)


def run(engine: Engine, *, timeout_s: float = 900, api_version: str = "") -> Outcome:
    """Run the suite against an engine that has the images; return how each test ended."""
    folder = fetch()
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    # Where docker-py puts contexts when there is no configuration.
    shutil.rmtree(folder / "contexts", ignore_errors=True)
    env = engine.environ | {
        "PYTHONPATH": str(_ROOT / "tests" / "conformance" / "stand_ins"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    env = {name: value for name, value in env.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    if api_version:
        env["DOCKER_TEST_API_VERSION"] = api_version
    ignored = [f"--ignore=tests/integration/{name}" for name in LEFT_OUT]
    argv = [sys.executable, "-m", "pytest", "tests/integration", "-q", f"--junitxml={report}"]
    argv += ["-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--timeout=60"]
    argv += ["--rootdir", str(folder), "-c", os.devnull, "-o", "python_files=*_test.py"]
    with (folder / "output.txt").open("wb") as output, _shared_folder() as scratch:
        subprocess.run(
            [*argv, *ignored],
            cwd=folder,
            env=env | {"TMPDIR": str(scratch)},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    return Outcome(_read(report))


@contextlib.contextmanager
def _shared_folder() -> Iterator[Path]:
    """Give a folder whose mounts propagate, as the root of most hosts does and not of all."""
    folder = Path(tempfile.mkdtemp(prefix="docker-py-"))
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "--make-shared", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-R", "-l", folder], check=True)
        shutil.rmtree(folder)


def _read(report: Path) -> dict[str, str]:
    tests: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.integration.')}.{case.get('name')}"
        result = "passed"
        for child in case:
            if child.tag == "skipped":
                result = "skipped"
            elif child.tag in ("failure", "error"):
                result = (child.get("message") or child.text or "failed").strip()
        # A test that fails and whose tear-down fails too is told twice.
        if tests.get(name, "passed") == "passed":
            tests[name] = result
    return tests
