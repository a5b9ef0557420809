"""Turns of fairness keys: each has its share, whoever comes late included."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.deterministic_ids import uuid7
from flowledger.engine.domain.limits.demand import Demand, SlotLimit
from flowledger.engine.domain.limits.fair_turns import (
    MOST_REMEMBERED,
    FairTurns,
    shown_key,
    weights_of,
)
from flowledger.engine.domain.limits.wait_queue import Share, Waiter, WaitKey, WaitQueues
from flowledger.engine.domain.machine.task_run import TaskRun, Wait
from flowledger.engine.errors import InvalidTemplate
from flowledger.engine.store.limit_json import share_of_json
from flowledger.handlers import Workflow
from support.builders import NOON, Story, created, step, template

WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=1)
DEMAND = Demand(UUID(int=1), None, (SlotLimit("k", 1),), ())
PLACE = WaitKey("slot", "k")


def taken(turns: FairTurns, weights: dict[str, int], count: int) -> list[str]:
    """The keys of so many turns, where each always has something."""
    found = {key: range(count) for key in weights}
    keys = [key for key, _ in islice(turns.in_turn(found, weights.__getitem__), count)]
    for key in keys:
        turns.took(key, weights[key])
    return keys


@given(WEIGHTS, st.integers(1, 20))
def test_each_key_has_turns_by_its_weight(weights: dict[str, int], rounds: int) -> None:
    had = Counter(taken(FairTurns(), weights, rounds * sum(weights.values())))

    assert all(abs(had[key] - rounds * weight) <= 1 for key, weight in weights.items())


@given(WEIGHTS, st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_it_does_not_matter_in_which_parts_they_are_asked_for(
    weights: dict[str, int], parts: list[int]
) -> None:
    turns = FairTurns()

    asked = [key for part in parts for key in taken(turns, weights, part)]

    assert Counter(asked) == Counter(taken(FairTurns(), weights, sum(parts)))


@given(WEIGHTS, st.integers(0, 500))
def test_who_comes_late_is_among_the_next(weights: dict[str, int], before: int) -> None:
    turns = FairTurns()
    taken(turns, weights, before)

    assert "z" in taken(turns, {**weights, "z": 1}, sum(weights.values()) + 1)


def test_nobody_saves_up_turns() -> None:
    turns = FairTurns()
    taken(turns, {"a": 1, "b": 1}, 2)
    taken(turns, {"a": 1}, 100)

    assert Counter(taken(turns, {"a": 1, "b": 1}, 10)) == {"a": 5, "b": 5}


def test_to_ask_takes_nothing() -> None:
    turns = FairTurns()
    found = {"a": [1, 2], "b": [3]}

    first = list(turns.in_turn(found, lambda _: 1))

    assert first == [("a", 1), ("b", 3), ("a", 2)] == list(turns.in_turn(found, lambda _: 1))


def test_keys_that_would_start_anew_are_forgotten() -> None:
    turns = FairTurns()
    for number in range(5 * MOST_REMEMBERED):
        turns.took(str(number), 1)
        turns.took("always", 1)

    assert len(turns._next) <= MOST_REMEMBERED + 1


def test_many_keys_in_a_round_are_not_gone_through_at_each_turn() -> None:
    turns, gone_through = FairTurns(), 0
    for number in range(5 * MOST_REMEMBERED):
        before = turns._next
        turns.took(str(number), 1)
        gone_through += turns._next is not before

    assert gone_through <= 3


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ('"acme"', "acme"),
        ("null", "null"),
        ("17", "17"),
        ('"a\\"b"', 'a"b'),
        ('"what somebody wrote into the row', '"what somebody wrote into the row'),
        ("", ""),
    ],
)
def test_a_key_is_shown_as_it_is_written(key: str, shown: str) -> None:
    assert shown_key(key) == shown


def test_weights_are_by_value_and_rather_by_template_and_value() -> None:
    plan = Story(template(step("a"), name="flow", namespace="shop")).plan
    weight = weights_of(plan, {"acme": 3, "shop/flow:acme": 5, "17": 2, "other/flow:beta": 9})

    assert [weight(key) for key in ('"acme"', "17", '"beta"', "null")] == [5, 2, 1, 1]


@pytest.mark.parametrize(
    ("context", "key"),
    [
        ({"by": {"tenant": "acme"}}, '"acme"'),
        ({"by": {"tenant": 17.0}}, "17"),
        ({"by": {}}, "null"),
        ({"by": "acme"}, "null"),
        (None, "null"),
    ],
)
def test_the_key_is_the_value_at_the_path(context: Any, key: str) -> None:
    plan = Story(template(step("a"), fairness={"key": "by.tenant"})).plan

    assert TaskRun(created(plan, uuid7(1, 1), context=context), plan).fairness == key


def test_a_long_value_is_known_by_its_digest() -> None:
    plan = Story(template(step("a"), fairness={"key": "by"})).plan
    run = TaskRun(created(plan, uuid7(1, 1), context={"by": "x" * 10_000}), plan)

    assert run.fairness is not None
    assert len(run.fairness) < 100


@pytest.mark.parametrize("fairness", [{"key": ""}, {"key": "a b"}, {}, {"kee": "a"}, 7, "tenant"])
def test_what_is_no_path_is_refused_where_it_is_declared(fairness: Any) -> None:
    with pytest.raises(InvalidTemplate, match="fairness"):
        Workflow("shop", "flow", version="1", fairness=fairness)


def test_a_definition_without_it_keeps_its_hash() -> None:
    plain, fair = (template(step("a"), **more) for more in ({}, {"fairness": {"key": "by"}}))

    assert b"fairness" not in plain.canonical
    assert plain.definition_hash != fair.definition_hash


# Steps that wait for what they must be granted


def waiter(number: int, share: Share | None) -> Waiter:
    return Waiter(
        float(number),
        uuid7(2, number),
        uuid7(1, number),
        "a",
        NOON,
        Wait("slot", "k"),
        DEMAND,
        share,
    )


def drained(queues: WaitQueues) -> list[float]:
    found = list[float]()
    while (line := queues.first(PLACE)) is not None:
        found.append(queues.take_first(line).sort_key)
    return found


def test_waiting_steps_take_turns_by_key() -> None:
    queues = WaitQueues()
    for number in range(6):
        queues.join(waiter(number, Share(0, "b" if number > 3 else "a", 1)))

    assert drained(queues) == [0, 4, 1, 5, 2, 3]
    assert len(queues) == 0


def test_waiting_steps_of_the_priority_go_that_has_the_first() -> None:
    queues = WaitQueues()
    shares = [Share(0, "a", 1), Share(0, "a", 1), Share(5, "b", 1), Share(0, "c", 2)]
    for number, share in enumerate(shares):
        queues.join(waiter(number, share))

    assert drained(queues) == [0, 3, 1, 2]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.integers(1, 3)), max_size=30),
    st.data(),
)
def test_whoever_waits_is_taken_once_and_who_left_never(
    shares: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    queues = WaitQueues()
    waiters = [waiter(number, Share(*share)) for number, share in enumerate(shares)]
    for one in waiters:
        queues.join(one)
    leaving = [one for one in waiters if data.draw(st.booleans())]
    for one in leaving:
        queues.leave(one)
    again = [one._replace(since=NOON) for one in leaving if data.draw(st.booleans())]
    for one in again:
        queues.join(one)

    left = [one for one in waiters if one not in leaving] + again
    assert sorted(drained(queues)) == sorted(one.sort_key for one in left)


@pytest.mark.parametrize(
    ("stored", "share"),
    [
        ([0, "a", 1], Share(0, "a", 1)),
        (None, None),
        ({}, None),
        ([], None),
        ([0, "a"], None),
        ([0, "a", 0], None),
        ([0, 1, 1], None),
        (["0", "a", 1], None),
        ([0, "a", 1.5], None),
        ("0a1", None),
    ],
)
def test_a_stored_share_that_is_none_takes_no_turns(stored: object, share: Share | None) -> None:
    assert share_of_json(stored) == share
