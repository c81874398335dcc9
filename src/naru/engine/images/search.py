"""Searching registries on a client's behalf.

Spec: Engine API 1.50, ImageSearch.
"""

from __future__ import annotations

import re

from naru.api.filters import Filters
from naru.distribution.auth import RegistryAuth
from naru.distribution.search import SearchResult, search, split_term
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.errors import InvalidInputError

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_DEFAULT_LIMIT, _MAX_LIMIT = 25, 100


async def search_images(
    ctx: EngineContext, term: str, *, limit: int, filters: Filters, auth: RegistryAuth | None
) -> list[Json]:
    """Return repositories of the registry that `term` names, else of Docker Hub.

    A limit of 0 means 25. Filters are applied to what the registry answers, as in Docker, so that
    there may be more than they leave.

    Raises:
        InvalidInputError: term, limit or a filter is none.
        FaultError: the registry cannot be searched.
    """
    filters.refuse_unknown(("is-automated", "is-official", "stars"))
    official = filters.is_true("is-official") if "is-official" in filters else None
    stars = max(map(_stars, filters.get("stars")), default=0)
    limit = limit or _DEFAULT_LIMIT
    if not 1 <= limit <= _MAX_LIMIT:
        raise InvalidInputError(f"limit {limit} is outside the range of [1, {_MAX_LIMIT}]")
    registry, word = split_term(term)
    if filters.is_true("is-automated"):
        return []
    found = await search(ctx.images.http, registry, word, limit=limit, auth=auth, clock=ctx.clock)
    return [
        _view(result)
        for result in found
        if result.stars >= stars and official in {None, result.is_official}
    ]


def _view(result: SearchResult) -> Json:
    return {
        "star_count": result.stars,
        "is_official": result.is_official,
        "name": result.name,
        # Nothing is: Docker Hub does not say so any more.
        "is_automated": False,
        "description": result.description,
    }


def _stars(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInputError(
            f"invalid filter 'stars={text}': strconv.Atoi: parsing \"{text}\": invalid syntax"
        )
    return int(text)
