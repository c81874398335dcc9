"""What is written down of requests."""

from __future__ import annotations

import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from naru.server.api_server import RequestLog


def test_values_of_queries_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    query = "buildargs=%7B%22TOKEN%22%3A%22hidden%22%7D&t=x&fromSrc=http%3A%2F%2Fu%3Ahidden%40h"
    request = make_mocked_request("POST", f"/v1.50/build?{query}")
    log = RequestLog(logging.getLogger("asked"), "")
    with caplog.at_level(logging.INFO, "asked"):
        log.log(request, web.Response(status=201), 0.25)
        log.log(make_mocked_request("GET", "/a%0Ab"), web.Response(), 1)
    assert caplog.messages == [
        "POST /v1.50/build?buildargs&t&fromSrc: 201 in 0.250 s",
        "GET /a%0Ab: 200 in 1.000 s",
    ]
