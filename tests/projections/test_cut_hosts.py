"""The connection of a host is cut around the commit of its batch: it goes on, and counts once."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest
from psycopg import sql

from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on
from support.engines import EngineHarness, harness_on
from support.postgres_server import PostgresServer
from support.projection_hosts import ProjectionHosts, hosts_on
from support.spend_projection import ADD, charged, fold, record, rows, spending

CUTS = 3
CUTTER = """
    create sequence public.cuts;
    create function public.cut() returns trigger language plpgsql security definer as $$
    begin
        if nextval('public.cuts') <= %s then  -- the sequence counts on when all else is undone
            perform pg_terminate_backend(pg_backend_pid());
        end if;
        return null;
    end
    $$
"""
WRITTEN = "after insert on money__1.spend for each row"
ALL_WRITTEN = "after insert on money__1.spend deferrable initially deferred for each row"
MOVED = "after update of position on flowledger.projection for each row"
COMMITTING = (
    "after update of position on flowledger.projection deferrable initially deferred for each row"
)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(WRITTEN, id="when a row is written"),
        pytest.param(ALL_WRITTEN, id="when all rows are written"),
        pytest.param(MOVED, id="when it has moved"),
        pytest.param(COMMITTING, id="while it commits"),
    ],
)
def test_what_is_cut_before_the_commit_is_done_again(
    harness: EngineHarness, hosts: ProjectionHosts, moment: str
) -> None:
    hosts.engine(spending(), roles=["projector"], batch_size=5)
    harness.until(lambda: hosts.standing() == "caught_up")
    harness.rows(CUTTER.replace("%s", str(CUTS)))
    kind = "constraint trigger" if "deferrable" in moment else "trigger"
    harness.rows(f"create {kind} cuts {moment} execute function public.cut()")

    record(harness, [charged(f"c{number % 3}", number) for number in range(20)])

    harness.until(lambda: hosts.standing() == "caught_up")
    assert harness.value("select last_value from public.cuts") > CUTS
    assert rows(harness) == fold(harness)


class Posting(Projection):
    """Sends letters. Its batches are on the disk, and on a standby, before their commit returns."""

    name, version = "money", 1
    tables = "create table {schema}.spend (customer text primary key, cents bigint not null)"

    def __init__(self) -> None:
        self.sent: list[str] = []

    @on(StepCompleted)
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        cursor.execute(ADD, (event.result["customer"], event.result["cents"]))

    @on(StepCompleted, effect=True)
    def sends(self, event: StepCompleted, cursor: Cursor) -> None:
        self.sent.append(event.result["customer"])


@pytest.fixture
def waiting(postgres_server: PostgresServer) -> Generator[EngineHarness]:
    """Whose commit waits for a standby, which is not there, is committed and has no answer."""
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        name = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("alter database {} set synchronous_commit = local").format(name))
    with harness_on(postgres_server.url) as harness:
        yield harness


def wait_for_standby(harness: EngineHarness, name: str) -> None:
    harness.rows(f"alter system set synchronous_standby_names = '{name}'")
    harness.rows("select pg_reload_conf()")


def test_what_is_cut_after_the_commit_and_before_its_answer_is_not_done_again(
    waiting: EngineHarness,
) -> None:
    cut = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'"
    )
    posting = Posting()
    with hosts_on(waiting) as hosts:
        hosts.engine(posting, roles=["projector"], batch_size=5)
        waiting.until(lambda: hosts.standing() == "caught_up")
        wait_for_standby(waiting, "nobody")
        customers = [f"c{number % 3}" for number in range(20)]
        record(waiting, [charged(customer) for customer in customers])

        for _ in range(CUTS):
            waiting.until(lambda: waiting.value(cut))
        wait_for_standby(waiting, "")

        waiting.until(lambda: hosts.standing() == "caught_up")
        assert rows(waiting) == fold(waiting)
        assert posting.sent == customers
