"""Identifiers: where they come from, what they keep together and what they tell apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.deterministic_ids import (
    caused_id,
    chance,
    milliseconds,
    request_id,
    step_id,
    uuid7,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

times = st.integers(0, 2**48 - 1)
randoms = st.integers(0, 2**74 - 1)
task_ids = st.builds(uuid7, times, randoms)
step_names = st.text(min_size=1, max_size=30)


@given(time=times, random=randoms)
def test_a_task_id_is_a_uuid7_that_holds_its_time_and_all_its_random_bits(
    time: int, random: int
) -> None:
    made = uuid7(time, random)

    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == time
    assert (made.int >> 64 & 0xFFF) << 62 | made.int & (2**62 - 1) == random


@given(times=st.lists(times, min_size=2, unique=True), random=randoms)
def test_task_ids_sort_by_time(times: list[int], random: int) -> None:
    assert sorted(times) == [i.int >> 80 for i in sorted(uuid7(time, random) for time in times)]


@given(task=task_ids, name=step_names)
def test_a_step_id_is_a_uuid8_that_begins_like_its_task(task: UUID, name: str) -> None:
    step = step_id(task, name)

    assert (step.version, step.variant) == (8, RFC_4122)
    assert step.bytes[:6] == task.bytes[:6]
    assert step.int >> 64 & 0xFFF == task.int >> 64 & 0xFFF


@given(task=task_ids, names=st.lists(step_names, unique=True))
def test_the_steps_of_a_task_have_ids_of_their_own(task: UUID, names: list[str]) -> None:
    assert len({step_id(task, name) for name in names}) == len(names)


@given(time=times, lows=st.lists(st.integers(0, 2**62 - 1), unique=True), name=step_names)
def test_tasks_that_share_their_first_bits_share_no_step_id(
    time: int, lows: list[int], name: str
) -> None:
    assert len({step_id(uuid7(time, low), name) for low in lows}) == len(lows)


def test_a_step_id_never_changes_between_releases() -> None:
    task = UUID("019b78f5-0000-7000-8000-000000000000")

    assert step_id(task, "validate") == UUID("019b78f5-0000-8000-b53c-bc595dd10840")


@given(st.integers(0, 253_402_300_799_999))
def test_milliseconds_are_whole_and_lose_nothing(since_1970: int) -> None:
    assert milliseconds(EPOCH + timedelta(milliseconds=since_1970)) == since_1970


@given(
    cause=st.uuids(), stream=st.uuids(), version=st.integers(1, 2**63 - 1), time=times, again=times
)
def test_a_decision_made_again_later_differs_in_its_time_alone(
    cause: UUID, stream: UUID, version: int, time: int, again: int
) -> None:
    first = caused_id(cause, stream, version, time)
    second = caused_id(cause, stream, version, again)

    assert (first.version, first.int >> 80) == (7, time)
    assert first.int & (2**76 - 1) == second.int & (2**76 - 1)
    assert (first == second) is (time == again)


@given(ids=st.lists(st.uuids(), min_size=3, max_size=3, unique=True), version=st.integers(1, 2**62))
def test_decisions_of_other_causes_streams_or_versions_have_other_ids(
    ids: list[UUID], version: int
) -> None:
    cause, other, stream = ids
    found = {
        caused_id(cause, stream, version, 1_000),
        caused_id(cause, stream, version + 1, 1_000),
        caused_id(other, stream, version, 1_000),
        caused_id(cause, other, version, 1_000),
    }

    assert len(found) == 4


@given(st.uuids())
def test_a_chance_belongs_to_its_cause(cause: UUID) -> None:
    assert chance(cause) == chance(UUID(int=cause.int))
    assert 0 <= chance(cause) < 1


def test_chances_are_spread_evenly() -> None:
    found = [chance(UUID(int=n)) for n in range(2_000)]

    assert 0.45 < sum(found) / len(found) < 0.55
    assert min(found) < 0.01
    assert max(found) > 0.99


@given(task=task_ids, key=step_names)
def test_a_request_lies_among_its_tasks_steps_and_is_none_of_them(task: UUID, key: str) -> None:
    asked = request_id(task, key)

    assert (asked.version, asked.variant) == (8, RFC_4122)
    assert asked.bytes[:6] == task.bytes[:6]
    assert asked.int >> 64 & 0xFFF == task.int >> 64 & 0xFFF
    assert asked != step_id(task, key)


def test_a_request_id_never_changes_between_releases() -> None:
    task = UUID("019b78f5-0000-7000-8000-000000000000")

    assert request_id(task, "ticket 7") == UUID("019b78f5-0000-8000-b5cc-1441e52c38ac")
