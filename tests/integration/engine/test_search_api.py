"""`GET /images/search`, as clients ask and as Docker answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fakes.fake_registry import FakeRegistry
from harness.engine import Engine
from harness.registry import in_thread

ROWS: list[dict[str, Any]] = [
    {"name": "tomcat", "description": "serves", "star_count": 38, "is_official": True},
    {"name": "me/tomcat", "description": "", "star_count": 5, "is_official": False},
    {"name": "you/tomcat", "description": "", "star_count": 0, "is_official": False},
]


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with in_thread(FakeRegistry()) as registry:
        registry.index = ROWS
        yield registry.host


def _names(engine: Engine, host: str, **filters: Any) -> list[str]:
    query = {"term": f"{host}/tomcat", "filters": json.dumps(filters)}
    return [row["name"] for row in engine.api("GET", "/images/search", query=query).ok().json()]


def test_rows_have_dockers_fields(engine: Engine, host: str) -> None:
    answer = engine.api("GET", "/images/search", query={"term": f"{host}/tomcat"}).ok(200)
    assert answer.json() == [{**row, "is_automated": False} for row in ROWS]


def test_filters_leave_what_fits(engine: Engine, host: str) -> None:
    names = [row["name"] for row in ROWS]
    assert _names(engine, host, stars=["5"]) == names[:2]
    assert _names(engine, host, stars=["5", "30"]) == names[:1]
    assert _names(engine, host, stars={"1": True}) == names[:2]
    assert _names(engine, host, **{"is-official": ["true"]}) == names[:1]
    assert _names(engine, host, **{"is-official": ["false"], "stars": ["1"]}) == names[1:2]
    assert _names(engine, host, **{"is-automated": ["true"]}) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": "101"}, "limit 101 is outside the range of [1, 100]"),
        ({"limit": "-1"}, "limit -1 is outside the range of [1, 100]"),
        (
            {"filters": '{"stars":["x"]}'},
            "invalid filter 'stars=x': strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        ({"filters": '{"is-official":["x"]}'}, "invalid filter 'is-official=[x]'"),
        ({"filters": '{"foo":["x"]}'}, "invalid filter 'foo'"),
        (
            {"term": "http://a/b"},
            "invalid repository name: repository name (http://a/b) should not have a scheme",
        ),
    ],
)
@pytest.mark.naru_only
def test_a_question_that_cannot_be_right_is_refused(
    engine: Engine, host: str, query: dict[str, str], message: str
) -> None:
    answer = engine.api("GET", "/images/search", query={"term": f"{host}/tomcat", **query})
    assert (answer.status, answer.message) == (400, message)
