"""docker-py's own integration tests, unmodified: as many pass as we say, no more and no fewer.

What fails stands with its reason in `docker_py_known.toml`. A test that fails and is not there
breaks the build; one that is there and passes must be taken off.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import docker_py_suite
from harness.narud import EngineUnderTest
from harness.registry import serving
from harness.requirements import requires

_KNOWN = Path(__file__).parent / "docker_py_known.toml"
# What the suite's own Makefile asks for; some of its tests read fields that newer versions dropped.
_API_VERSION = "1.41"


def _known(*, surely: bool = False) -> dict[str, str]:
    """Return every test that is known to fail here, with the reason of its group.

    A group with `either_way` holds races of the suite's own: left out where it fails `surely`.
    """
    groups = tomllib.loads(_KNOWN.read_text(encoding="utf-8"))["group"]
    if surely:
        groups = [group for group in groups if not group.get("either_way")]
    return {name: group["reason"] for group in groups for name in group["tests"]}


@pytest.mark.slow
@pytest.mark.timeout(900)
@requires("docker-registry", "skopeo")
def test_docker_pys_own_tests_end_as_known(make_engine: Callable[..., EngineUnderTest]) -> None:
    with serving({f"library/{k}": v for k, v in docker_py_suite.images().items()}) as registry:
        engine = make_engine(f"--registry-mirror={registry.url}")
        docker_py_suite.load_images(engine)
        outcome = docker_py_suite.run(engine, api_version=_API_VERSION)
    failed, known = outcome.failed(), _known()
    count = f"{len(outcome.tests)} tests, {outcome.count('passed')} passed"
    print(f"docker-py: {count}, {outcome.count('skipped')} skipped, {len(failed)} failed")
    news = [f"  {name}: {failed[name][:300]}" for name in sorted(set(failed) - set(known))]
    mended = [f"  {name}" for name in sorted(set(_known(surely=True)) - set(failed))]
    assert len(outcome.tests) > 200, f"most tests are missing: {count}"
    assert not news, f"{count}; these fail and are not known to:\n" + "\n".join(news)
    assert not mended, f"{count}; take these off the list of known failures:\n" + "\n".join(mended)
