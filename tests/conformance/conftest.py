"""The stores that one suite is held to."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack

import pytest
from conformance.stores import Stores, memory_stores, postgres_stores

from support.engines import harness_on


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Generator[Stores]:
    """A store with a template, a worker and a leader."""
    with ExitStack() as opened:
        if request.param == "memory":
            found = memory_stores()
        else:
            harness = opened.enter_context(harness_on(request.getfixturevalue("database")))
            found = postgres_stores(harness, opened)
        found.begin()
        yield found
