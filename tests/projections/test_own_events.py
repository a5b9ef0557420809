"""Whatever a method does with the event that it is given, everybody else sees what the log says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.events import StepCompleted
from flowledger.engine.events.base import Recorded
from flowledger.projections import Cursor, Projection, on, on_batch
from flowledger.projections.dispatch import own
from flowledger.projections.testing import Case
from support.engines import EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import Spend, charged, fold, record, rows

SEEN = "create table {schema}.seen (place bigserial, cents bigint not null)"
NOTE = "insert into seen (cents) values (%s)"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def spoil(event: StepCompleted) -> None:
    """What no author would do on purpose, and what does happen."""
    event.result["cents"] += 100
    event.result["tags"][0].append("spoilt")
    event.__dict__["step"] = "another"


class Careless(Projection):
    name, version = "careless", 1
    tables = SEEN

    @on(StepCompleted)
    def first(self, event: StepCompleted, cursor: Cursor) -> None:
        spoil(event)

    @on(StepCompleted)
    def then(self, event: StepCompleted, cursor: Cursor) -> None:
        assert (event.step, event.result["tags"]) == ("charge", [["new"]])
        cursor.execute(NOTE, (event.result["cents"],))


class CarelessBatch(Projection):
    name, version = "careless", 1
    tables = SEEN

    @on_batch(StepCompleted)
    def first(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        for one in events:
            assert isinstance(one.event, StepCompleted)
            spoil(one.event)
        del events[:]  # type: ignore[attr-defined]

    @on_batch(StepCompleted)
    def then(self, events: Sequence[Recorded], cursor: Cursor) -> None:
        for one in events:
            assert isinstance(one.event, StepCompleted)
            cursor.execute(NOTE, (one.event.result["cents"],))


def bought(customer: str, cents: int) -> StepCompleted:
    result = {"customer": customer, "cents": cents, "tags": [["new"]]}
    return charged(customer, result=result)


def seen(harness: EngineHarness) -> list[int]:
    return [cents for (cents,) in harness.rows("select cents from careless.seen order by place")]


@pytest.mark.parametrize("careless", [Careless, CarelessBatch])
def test_what_a_method_changes_in_an_event_no_other_projection_and_no_other_method_sees(
    harness: EngineHarness, hosts: ProjectionHosts, careless: type[Projection]
) -> None:
    record(harness, [bought("ann", 1), bought("bob", 2)])

    hosts.host(careless, Spend).settle()

    assert rows(harness) == fold(harness) == {"ann": 1, "bob": 2}
    assert seen(harness) == [1, 2]


def test_an_event_that_is_tried_again_is_the_one_of_the_log(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    class Broken(Careless):
        name, on_error, tries = "careless", "park_event", list[int]()

        @on(StepCompleted)
        def then(self, event: StepCompleted, cursor: Cursor) -> None:
            self.tries.append(event.result["cents"])
            spoil(event)
            raise ValueError("not now")

    record(harness, [bought("ann", 1)])
    host = hosts.host(Broken)
    host.settle()
    hosts.projections.retry_parked("careless", **WORD)
    host.settle()

    assert Broken.tries == [1, 1]


def test_the_kit_leaves_the_events_of_the_test_as_they_are(harness: EngineHarness) -> None:
    events = [bought("ann", 1), bought("bob", 2)]

    Case(Careless, harness.url).given(events).expect("seen", [(1, 1), (2, 2)])

    assert [event.result["cents"] for event in events] == [1, 2]


@given(JSON)
def test_an_event_of_ones_own_is_equal_and_shares_nothing_that_changes(value: Any) -> None:
    event = charged("ann", result={"value": value, "tags": [["new"]], "cents": 1})

    mine = own(event)
    assert mine == event
    assert mine.model_fields_set == event.model_fields_set
    before = event.model_dump_json()
    assert isinstance(mine, StepCompleted)
    mine.result["value"] = "changed"
    spoil(mine)

    assert event.model_dump_json() == before
