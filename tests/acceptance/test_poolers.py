"""Behind a pooler: one that keeps sessions is as good as the server, any other is refused."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flowledger.engine.client.engine import ALL_ROLES
from flowledger.engine.errors import DatabaseUnavailable, DatabaseUnfit
from flowledger.handlers import Workflow
from support.cli import Command
from support.engines import PATIENCE, EngineHarness
from support.pooled import PGBOUNCER, pgbouncer, relay

real = pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer (apt-get install pgbouncer)")
REFUSAL = r"is a pooler that gives each transaction another session.*pool_mode = session"

parcels = Workflow("pooled", "parcel", version="1")
Pooler = Callable[[str], AbstractContextManager[str]]


@parcels.step(transactional=True)
def weigh(context: dict[str, Any], cursor: psycopg.Cursor[Any]) -> int:
    return int(context["grams"])


def bouncer(mode: str, **more: object) -> Any:
    return pytest.param(lambda url: pgbouncer(url, mode, **more), marks=real, id=f"{mode} {more}")


SHARING = [
    pytest.param(lambda url: relay(url, by_transaction=True), id="relay"),
    bouncer("transaction"),
    bouncer("transaction", server_round_robin=1, min_pool_size=4),
    bouncer("transaction", default_pool_size=1),
    bouncer("statement"),
]
KEEPING = [
    pytest.param(lambda url: relay(url, by_transaction=False), id="relay"),
    bouncer("session", default_pool_size=40),
]


@pytest.fixture
def behind(harness: EngineHarness, request: pytest.FixtureRequest) -> Generator[EngineHarness]:
    """The lab's database behind a pooler."""
    direct = harness.url
    with request.param(direct) as address:
        harness.url = address
        yield harness
        harness.url = direct


@pytest.mark.parametrize("behind", SHARING, indirect=True)
def test_a_pooler_that_shares_sessions_is_refused_and_none_is_changed(
    behind: EngineHarness,
) -> None:
    for role in (*((role,) for role in ALL_ROLES), ()):
        with pytest.raises(DatabaseUnfit, match=REFUSAL):
            behind.open(parcels, roles=role)

    settings = (
        "select count(*) from pg_settings where source = 'session' and name in ('timezone', 'jit')"
    )
    with psycopg.connect(behind.url, autocommit=True, prepare_threshold=None) as connection:
        assert connection.execute(settings.encode()).fetchone() == (0,)


@pytest.mark.parametrize("behind", SHARING[:2], indirect=True)
def test_the_command_says_so_in_one_sentence(behind: EngineHarness, tmp_path: Path) -> None:
    with ExitStack() as opened:
        command = Command(behind.url, tmp_path, opened)
        for words in (("db", "migrate"), ("db", "shards"), ("templates", "list"), ("coordinator",)):
            finished = command(*words)

            assert finished.code == 2, finished
            assert "gives each transaction another session" in finished.error
            assert "Traceback" not in finished.error
            assert len(finished.error.splitlines()) == 1


@pytest.mark.parametrize("behind", KEEPING, indirect=True)
def test_all_works_behind_a_pooler_that_keeps_sessions(behind: EngineHarness) -> None:
    engine = behind.open(parcels, worker={"poll_seconds": 60.0})
    client = behind.open(parcels, roles=())

    tasks = client.submit_many(parcels, [{"grams": number} for number in range(5)])

    assert [task.result(PATIENCE) for task in tasks] == [{"weigh": number} for number in range(5)]
    assert not list(engine.verify())


@real
def test_a_pooler_that_has_no_session_left_is_named(harness: EngineHarness) -> None:
    with (
        pgbouncer(harness.url, "session", default_pool_size=1) as harness.url,
        psycopg.connect(harness.url) as guest,
    ):
        guest.execute("select 1")
        with pytest.raises(DatabaseUnavailable, match=r"gave it no session within 2 s"):
            harness.open(roles=(), database={"connect_timeout_seconds": 2.0})
