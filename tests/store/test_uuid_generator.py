"""Ids of tasks: ascending, spread over shards, and nobody else's after a fork."""

from __future__ import annotations

import os
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.store import uuid_generator
from flowledger.engine.store.uuid_generator import Identifiers

MANY = 5_000
BEGAN = 1_790_000_000_000
"""Milliseconds since 1970."""


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """All ids are of one millisecond."""
    monkeypatch.setattr(uuid_generator, "time_ns", lambda: BEGAN * 1_000_000)


@pytest.mark.usefixtures("stopped_clock")
def test_those_of_one_millisecond_ascend_too() -> None:
    identifiers = Identifiers()

    made = [identifiers.new() for _ in range(MANY)]

    assert all(before < after for before, after in pairwise(made))
    assert {one.version for one in made} == {7}
    assert made[0].int >> 80 == BEGAN
    assert made[-1].int >> 80 <= BEGAN + 2, "more than the counter has are carried into the time"


@pytest.mark.usefixtures("stopped_clock")
def test_no_two_begin_alike_so_that_streams_of_steps_are_found_by_how_they_begin() -> None:
    identifiers = Identifiers()

    assert len({identifiers.new().int >> 64 for _ in range(MANY)}) == MANY


@given(st.lists(st.integers(min_value=0, max_value=3_000), min_size=1, max_size=8))
def test_they_ascend_however_many_a_clock_that_runs_is_asked_for(asked: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = iter([BEGAN + ms for ms, many in enumerate(asked) for _ in range(many)])
        patch.setattr(uuid_generator, "time_ns", lambda: next(clock) * 1_000_000)
        identifiers = Identifiers()

        made = [identifiers.new() for _ in range(sum(asked))]

    assert all(before < after for before, after in pairwise(made))


def test_a_clock_that_is_put_back_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([BEGAN, BEGAN - 1_000, BEGAN - 999])
    monkeypatch.setattr(uuid_generator, "time_ns", lambda: next(clock) * 1_000_000)
    identifiers = Identifiers()

    assert [identifiers.new().int >> 80 for _ in range(3)] == [BEGAN, BEGAN - 1_000, BEGAN - 999]


@pytest.mark.usefixtures("stopped_clock")
def test_those_of_one_millisecond_are_spread_over_shards() -> None:
    identifiers = Identifiers()

    counted = Counter(shard_of(identifiers.new(), 8) for _ in range(MANY))

    assert len(counted) == 8
    assert min(counted.values()) > MANY / 8 / 2


@pytest.mark.usefixtures("stopped_clock")
def test_after_a_fork_both_have_ids_of_their_own() -> None:
    identifiers = Identifiers()
    identifiers.new()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, identifiers.new().bytes)
        os._exit(0)
    os.waitpid(child, 0)

    theirs = os.read(reader, 16)
    os.close(reader)
    os.close(writer)

    assert identifiers.new().bytes[:10] != theirs[:10]
