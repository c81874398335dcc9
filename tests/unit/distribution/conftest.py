"""Fetching and sending without a configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from naru.distribution.hosts import HostsConfig
from naru.distribution.session import HttpClient


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """Give a client that knows no mirrors and no certificates."""
    made = HttpClient(HostsConfig())
    yield made
    await made.close()
