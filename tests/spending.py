"""A projection of what customers spend, the events it is made of, and hosts led by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from board import new_id
from given import NOON
from lab import PATIENCE, Lab
from models import log_of
from psycopg import sql

from flowledger.engine import Engine
from flowledger.engine.bootstrap import engine_pool, open_engine
from flowledger.engine.client.engine import ALL_ROLES, Role
from flowledger.engine.client.projections import Projections
from flowledger.engine.domain.ids import step_id
from flowledger.engine.events import StepCompleted
from flowledger.engine.events.base import Event
from flowledger.engine.ports.runtime import NO_FAULTS, FaultPoints
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.log.event_mapper import LedgerMapper
from flowledger.engine.store.notifications import ProcessBell
from flowledger.engine.store.projection_store import PostgresProjections
from flowledger.handlers import Workflow
from flowledger.projections import Cursor, Projection, on
from flowledger.projections.host.host import Host
from flowledger.projections.wiring import projector

ASKED = frozenset({"projection"})
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


def record(lab: Lab, events: Iterable[Event]) -> int:
    """Events happen; the last position."""
    columns = LedgerMapper().columns(list(events))
    positions: list[int] = lab.value(
        "select array_agg(p) from flowledger.append_events(%s, %s, %s, %s, %s, %s) as p", *columns
    )
    return positions[-1]


def fold(lab: Lab) -> dict[str, int]:
    """What each customer spent, as the log says."""
    total: Counter[str] = Counter()
    for recorded in log_of(lab):
        event = recorded.event
        if isinstance(event, StepCompleted) and event.step == "charge":
            total[event.result["customer"]] += event.result["cents"]
    return dict(total)


def rows(lab: Lab, name: str = "money", table: str = "spend") -> dict[str, int]:
    """What each customer spent, as the projection's view says."""
    query = sql.SQL("select * from {}.{}").format(sql.Identifier(name), sql.Identifier(table))
    return dict(lab.rows(query.as_string(None)))


def schemas(lab: Lab, name: str = "money") -> list[str]:
    """The schemas of a projection: that of its views, and one for each generation."""
    found = lab.rows("select nspname from pg_namespace where starts_with(nspname, %s)", name)
    return sorted(schema for (schema,) in found)


class Stepped:
    """A host without a thread, with a clock and a pool of its own."""

    def __init__(self, lab: Lab, host: Host, clock: DatabaseClock) -> None:
        self._lab = lab
        self._clock = clock
        self.host = host

    def step(self) -> float:
        """One step, in which it looks at the leases too; the seconds that it would wait."""
        self._clock.observe(self._lab.value("select flowledger.clock()"))
        return self.host.step(ASKED)

    def pass_time(self, seconds: float) -> None:
        """Time passes for this host, in the middle of a step too."""
        self._clock.observe(self._clock.now() + timedelta(seconds=seconds))

    def settle(self) -> None:
        """Step until there is nothing to do but to wait."""
        for _ in range(1_000):
            if self.step():
                return
        raise AssertionError("the host does not come to rest")


class Hosts:
    """Hosts on a database, by hand or in an engine, and what operators ask of them."""

    def __init__(self, lab: Lab, opened: ExitStack) -> None:
        self.lab = lab
        self._opened = opened
        self.projections = Projections(
            PostgresProjections(self._pool()),
            60.0,
            0.05,
            _nothing,
            lambda _: orders.template.template_id,
        )

    def host(self, *projections: object, faults: FaultPoints = NO_FAULTS, **keys: Any) -> Stepped:
        """A host that is led by hand; the keys are of the section `projections`."""
        settings = self.lab.settings(projections={"lease_seconds": 36_000.0, **keys})
        clock = DatabaseClock()
        host = projector(
            projections,
            url=self.lab.url,
            pool=self._pool(),
            mapper=LedgerMapper(),
            clock=clock,
            identity=uuid4(),
            settings=settings,
            bell=ProcessBell(),
            moved=_nothing,
            faults=faults,
        )
        assert host is not None
        self._opened.callback(host.close)
        return Stepped(self.lab, host, clock)

    def engine(
        self,
        *projections: object,
        roles: Iterable[Role] = ALL_ROLES,
        faults: FaultPoints = NO_FAULTS,
        **keys: Any,
    ) -> Engine:
        """An engine with a projector; the keys are of the section `projections`."""
        quick = {"settle_seconds": 0.01, "poll_seconds": 0.2, "lease_seconds": 36_000.0, **keys}
        settings = self.lab.settings(
            projections=quick, database={"reconnect_initial_seconds": 0.01}
        )
        return self._opened.enter_context(
            open_engine([orders], tuple(roles), settings, faults, projections=projections)
        )

    def standing(self, name: str = "money") -> str:
        """Why the generation that serves stands still, or that it does not."""
        return self.projections.status(name).standing

    def _pool(self) -> Pool:
        return self._opened.enter_context(engine_pool(self.lab.url, self.lab.settings()))


def _nothing() -> None:
    """Nobody waits, and nobody has to be woken."""


@contextmanager
def hosts_on(lab: Lab) -> Generator[Hosts]:
    """Hosts on the database of a lab."""
    with ExitStack() as opened:
        yield Hosts(lab, opened)


@pytest.fixture
def hosts(lab: Lab) -> Generator[Hosts]:
    """Hosts on a database that is this test's alone."""
    with hosts_on(lab) as found:
        yield found


class At:
    """Does something at visits of a point of which `when` (given their number) says so."""

    def __init__(
        self, point: str, act: Callable[[], Any], when: Callable[[int], bool] = lambda _: True
    ) -> None:
        self._point = point
        self._act = act
        self._when = when
        self.visits = 0

    def reached(self, point: str) -> None:
        if point == self._point:
            self.visits += 1
            if self._when(self.visits):
                self._act()


__all__ = ["PATIENCE", "At", "Hosts", "Spend", "Stepped", "charged", "fold", "hosts", "record"]
