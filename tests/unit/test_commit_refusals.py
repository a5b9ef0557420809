"""Which of two it is when what was decided about a task is refused: the task, or the database."""

from __future__ import annotations

from itertools import takewhile
from uuid import UUID

from flowledger.engine.runtime.coordinator.task_fault_or_database_outage import Refusals
from support.sql_calls import new_id

ERROR = ValueError("no row may hold this")


def refused(refusals: Refusals, *tasks: UUID) -> list[bool]:
    return [refusals.blames(task, ERROR) for task in tasks]


def test_the_first_that_is_refused_makes_room_for_the_next() -> None:
    refusals = Refusals()

    assert refused(refusals, new_id()) == [True]
    assert refusals.outage is None


def test_another_one_with_nothing_stored_between_makes_it_an_outage() -> None:
    refusals = Refusals()
    one = new_id()

    assert refused(refusals, one, one, new_id()) == [True, True, False]
    assert refusals.outage is ERROR


def test_each_attempt_within_an_outage_goes_twice_as_far() -> None:
    refusals = Refusals()
    tasks = [new_id() for _ in range(9)]

    lengths = [
        sum(1 for _ in takewhile(lambda task: refusals.blames(task, ERROR), tasks))
        for _ in range(4)
    ]

    assert lengths == [1, 2, 4, 8]


def test_what_is_stored_ends_the_outage_and_has_the_refused_tried_again() -> None:
    refusals = Refusals()
    refused(refusals, new_id(), new_id(), new_id())

    assert refusals.stored()
    assert refusals.outage is None
    assert not refusals.stored()


def test_who_is_refused_after_something_was_stored_is_at_fault() -> None:
    refusals = Refusals()
    wrong, sound = new_id(), new_id()
    refused(refusals, wrong)
    refusals.stored()

    assert refused(refusals, wrong, sound, wrong) == [True, True, True]
    assert refusals.outage is None
    refusals.unparked([wrong])
    assert refused(refusals, wrong) == [False]
