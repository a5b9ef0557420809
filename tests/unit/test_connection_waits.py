"""Waiting for a connection is told after a second, for as long as somebody waits."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from flowledger.engine.store.connection.pool_wait_health import Waits


@pytest.mark.parametrize("full", [True, False])
def test_a_wait_is_told_after_a_second_and_until_it_is_over(full: bool) -> None:
    now = 10.0
    waits = Waits(4, lambda: now)
    with ExitStack() as waiting:
        for _ in range(2):
            waiting.enter_context(waits.noted(full=full))
        assert waits.health.ok
        now = 12.5
        waiting.enter_context(waits.noted(full=full))

        health = waits.health

        assert (health.ok, health.attempts) == (False, 2)
        said = "(database.pool_max_size is 4)" if full else "in the making for 2.5 s"
        assert said in str(health.error)
        assert "2.5 s" in str(health.error)
        assert health.since is not None

    assert waits.health.ok


def test_a_full_pool_is_what_is_told_where_both_are_waited_for() -> None:
    now = 0.0
    waits = Waits(1, lambda: now)
    with waits.noted(full=False), waits.noted(full=True):
        now = 1.0

        assert "(database.pool_max_size is 1)" in str(waits.health.error)
