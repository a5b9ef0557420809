"""Who is left a slot, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from flowledger.engine.domain.limits.concurrency_slots import (
    AGAIN_SECONDS,
    RESERVED_SECONDS,
    OlderWaiter,
    ReservedSlots,
)
from support.builders import NOON
from support.sql_calls import new_id

TURN = 100.0
FIRST, SECOND = (OlderWaiter("k", new_id(), sort_key) for sort_key in (10.0, 20.0))


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def elders() -> ReservedSlots:
    found = ReservedSlots()
    found.set_waiters([FIRST, SECOND], NOON)
    return found


def test_the_only_free_slot_is_left_to_who_waited_longer(elders: ReservedSlots) -> None:
    assert elders.keeps("k", TURN, 1, NOON)
    assert elders.keeps("k", TURN, 1, after(RESERVED_SECONDS / 2)), "it is the same slot still"


def test_no_more_slots_are_left_than_there_are_who_waited_longer(elders: ReservedSlots) -> None:
    assert elders.keeps("k", TURN, 2, NOON)
    assert not elders.keeps("k", TURN, 3, NOON)


def test_nothing_is_left_to_who_waits_for_something_else_or_not_longer(
    elders: ReservedSlots,
) -> None:
    assert not elders.keeps("other", TURN, 1, NOON)
    assert not elders.keeps("k", FIRST.sort_key, 1, NOON)
    assert not elders.keeps("k", FIRST.sort_key + 0.5, 1, NOON), "they are not told apart"


def test_who_does_not_come_is_not_waited_for_again_at_once(elders: ReservedSlots) -> None:
    elders.set_waiters([FIRST], NOON)
    assert elders.keeps("k", TURN, 1, NOON)

    later = after(RESERVED_SECONDS)
    elders.set_waiters([FIRST], later)

    assert not elders.keeps("k", TURN, 1, later)
    again = after(AGAIN_SECONDS)
    elders.set_waiters([FIRST], again)
    assert elders.keeps("k", TURN, 1, again)


def test_when_one_does_not_come_the_next_is_waited_for(elders: ReservedSlots) -> None:
    assert elders.keeps("k", TURN, 1, NOON)
    assert elders.keeps("k", TURN, 1, after(RESERVED_SECONDS))
    assert not elders.keeps("k", TURN, 1, after(2 * RESERVED_SECONDS))


def test_who_waits_no_more_is_left_nothing(elders: ReservedSlots) -> None:
    elders.set_waiters([], NOON)

    assert not elders.keeps("k", TURN, 1, NOON)
