"""Cutting requests that hijack out of the bytes around them."""

from __future__ import annotations

import pytest

from naru.server.opening import LONGEST, may_open, request_length

ATTACH = b"POST /v1.50/containers/c/attach?stream=1 HTTP/1.1\r\nHost: d\r\n\r\n"
EXEC = b"POST /exec/e/start HTTP/1.1\r\nContent-Length: 7\r\n\r\n"


def test_the_stream_begins_behind_the_head() -> None:
    assert request_length(ATTACH + b"input") == len(ATTACH)


def test_the_stream_begins_behind_the_body() -> None:
    assert request_length(EXEC + b'{"a":1}input') == len(EXEC) + 7


@pytest.mark.parametrize("whole", [ATTACH, EXEC + b'{"a":1}'])
def test_every_part_of_a_request_asks_for_more(whole: bytes) -> None:
    for end in range(len(whole)):
        assert may_open(whole[:end])
        assert request_length(whole[:end]) is None, whole[:end]


def test_chunked_bodies_are_walked() -> None:
    head = b"POST /exec/e/start HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b'7;x=y\r\n{"a":1}\r\n0\r\n\r\n'
    for end in range(len(head + body)):
        assert request_length((head + body)[:end]) is None
    assert request_length(head + body + b"0\r\n\r\n") == len(head + body)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /_ping HTTP/1.1\r\n\r\n",
        b"POST /containers/create HTTP/1.1\r\n\r\n",
        b"POST /containers/c/attach/ws HTTP/1.1\r\n\r\n",
        b"POST /containers/a/b/attach HTTP/1.1\r\n\r\n",
        b"POST /exec/e/start HTTP/1.0\r\n\r\n",
        b"POST /exec/e/start HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        b"POST /exec/e/start HTTP/1.1\r\nContent-Length: -3\r\n\r\n",
        b"POST /exec/e/start HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /exec/e/start HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /exec/e/start HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert request_length(data) == 0


def test_heads_without_end_are_not_kept_forever() -> None:
    assert request_length(b"POST /" + b"x" * LONGEST) == 0
    assert request_length(ATTACH[:-2] + b"a" * LONGEST) == 0
