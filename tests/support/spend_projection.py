"""A projection of what customers spend, and the events it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Any, ClassVar
from uuid import UUID

from psycopg import sql

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.events import StepCompleted
from flowledger.engine.events.base import Event
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.handlers import Workflow
from flowledger.projections import Cursor, Projection, on
from support.builders import NOON
from support.engines import EngineHarness
from support.read_model_histories import log_of
from support.sql_calls import new_id

TABLES = "create table {schema}.spend (customer text primary key, cents bigint not null)"
ADD = (
    "insert into spend values (%s, %s)"
    " on conflict (customer) do update set cents = spend.cents + excluded.cents"
)
ONCE = "insert into spend values (%s, %s)"

_numbers = count(1)

orders = Workflow("shop", "order", version="1")


@orders.step
def charge(context: dict[str, Any]) -> dict[str, Any]:
    return {"customer": context["customer"], "cents": context["cents"]}


class Spend(Projection):
    """What each customer spent; it raises for customers that are `broken`."""

    name, version = "money", 1
    tables = TABLES
    broken: ClassVar[set[str]] = set()
    adds: ClassVar[str] = ADD

    @on(StepCompleted, template="order", step="charge")
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        if event.result["customer"] in self.broken:
            raise ValueError(f"{event.result['customer']} is broken")
        cursor.execute(self.adds, (event.result["customer"], event.result["cents"]))


def spending(**members: Any) -> type[Spend]:
    """Another projection of that kind: members of the class that are different."""
    given = {"name": "money", "version": 1, "broken": set[str](), **members}
    return type("Spend", (Spend,), given)


def charged(
    customer: str, cents: int = 1, task: UUID | None = None, **changed: Any
) -> StepCompleted:
    """A step completed that charged a customer."""
    task, number = task or new_id(), next(_numbers)
    fields = {
        "originator_id": step_id(task, f"charge {number}"),
        "originator_version": 1,
        "event_id": new_id(),
        "occurred_at": NOON,
        "correlation_id": str(task),
        "task_id": task,
        "namespace": "shop",
        "template": "order",
        "step": "charge",
        "attempt": 1,
        "result": {"customer": customer, "cents": cents},
    }
    return StepCompleted.model_validate({**fields, **changed})


def record(harness: EngineHarness, events: Iterable[Event]) -> int:
    """Events happen; the last position."""
    columns = EventMapper().columns(list(events))
    positions: list[int] = harness.value(
        "select array_agg(p) from flowledger.append_events(%s, %s, %s, %s, %s, %s) as p", *columns
    )
    return positions[-1]


def fold(harness: EngineHarness) -> dict[str, int]:
    """What each customer spent, as the log says."""
    total: Counter[str] = Counter()
    for recorded in log_of(harness):
        event = recorded.event
        if isinstance(event, StepCompleted) and event.step == "charge":
            total[event.result["customer"]] += event.result["cents"]
    return dict(total)


def rows(harness: EngineHarness, name: str = "money", table: str = "spend") -> dict[str, int]:
    """What each customer spent, as the projection's view says."""
    query = sql.SQL("select * from {}.{}").format(sql.Identifier(name), sql.Identifier(table))
    return dict(harness.rows(query.as_string(None)))


def schemas(harness: EngineHarness, name: str = "money") -> list[str]:
    """The schemas of a projection: that of its views, and one for each generation."""
    found = harness.rows("select nspname from pg_namespace where starts_with(nspname, %s)", name)
    return sorted(schema for (schema,) in found)
