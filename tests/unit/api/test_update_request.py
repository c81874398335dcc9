"""What the body of update means from version to version."""

from __future__ import annotations

import pytest

from naru.api.request_body import decode
from naru.api.update_request import UpdateRequest, adapt


@pytest.mark.parametrize(
    ("version", "body", "limit"),
    [
        ((1, 39), '{"PidsLimit": 5}', None),
        ((1, 40), '{"PidsLimit": 5}', 5),
        ((1, 40), '{"PidsLimit": -7}', 0),
        ((1, 40), '{"PidsLimit": 0}', 0),
        ((1, 50), "{}", None),
    ],
)
def test_absent_and_unlimited_are_told_apart(
    version: tuple[int, int], body: str, limit: int | None
) -> None:
    request = decode(body.encode(), UpdateRequest)
    adapt(request, version)
    assert request.pids_limit == limit


@pytest.mark.parametrize(("version", "kept"), [((1, 41), 9), ((1, 42), 0)])
def test_kernel_memory_went_with_1_42(version: tuple[int, int], kept: int) -> None:
    request = UpdateRequest(kernel_memory=9, kernel_memory_tcp=9)
    adapt(request, version)
    assert (request.kernel_memory, request.kernel_memory_tcp) == (kept, kept)
