"""circuit_stream: the stream of a system's circuit, as the engine has it."""

from __future__ import annotations

import pytest

from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from support.sql_calls import Connection, call


@pytest.mark.parametrize("system", ["bank", "", "Straße 🏦", "a" * 300, "it's\\x00"])
def test_it_is_that_of_the_engine(connection: Connection, system: str) -> None:
    assert call(connection, "circuit_stream", system) == [circuit_id(system)]
