"""A Postgres for the whole run, and a database of its own for each test that asks for one.

`FLOWLEDGER_TEST_DATABASE_URL` names another server, whose user may create databases.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from zlib import crc32

import psycopg
import pytest
import structlog
from hypothesis import settings as hypothesis_settings
from psycopg.rows import TupleRow

from flowledger.engine.store.embedded.temporary import temporary_server
from flowledger.engine.store.schema.migrate import migrate
from support.databases import close_makers, database_on
from support.examples import examples
from support.forked_program import forked_program
from support.memory_folders import in_memory
from support.postgres_server import migrated_home, postgres_server
from support.reused_database import ReusedDatabase

__all__ = ["migrated_home", "postgres_server"]

Connection = psycopg.Connection[TupleRow]

SERVER_VARIABLE = "FLOWLEDGER_TEST_DATABASE_URL"

hypothesis_settings.register_profile("local", deadline=None, max_examples=examples(40))
hypothesis_settings.register_profile(
    "ci", deadline=None, max_examples=examples(40), derandomize=True, print_blob=True
)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "local")

SHORT_FOLDERS = frozenset({"sql", "unit"})
"""Folders whose files take a second or two each."""

_numbers = itertools.count()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing that is collected becomes garbage: the collector looks at what tests make."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a database, be it by way of other fixtures: see `-m "not postgres"`."""
    items.sort(key=_turn)
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


def _turn(item: pytest.Item) -> tuple[bool, int]:
    """Files that wait come between those that reckon, and short ones last: at no time are all of
    those that run at once waiting, and they end together.
    """
    folder, *names = item.path.relative_to(Path(__file__).parent).parts
    return folder in SHORT_FOLDERS, crc32("/".join([folder, *names]).encode())


@pytest.fixture(scope="session", autouse=True)
def _heard_interrupts() -> Generator[None]:
    """What a shell starts in the background, or `nohup`, ignores signals, and so would all that
    tests start.
    """
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)  # here as before, but no child inherits it
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """No test reads the settings, or touches the database, of whoever runs the suite."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("FLOWLEDGER_") and name != SERVER_VARIABLE:
                patch.delenv(name)
        patch.setenv("FLOWLEDGER_HOME", str(tmp_path_factory.getbasetemp() / "home"))
        # A module that a test writes twice within a second must not come from a cache.
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setattr(sys, "dont_write_bytecode", True)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_forked_program() -> Generator[None]:
    """What forks for the tests of the command ends with them."""
    yield
    if forked_program.cache_info().currsize:
        forked_program().close()


@pytest.fixture(autouse=True)
def _own_logging() -> Generator[None]:
    """What a test does to logging, or a program that it runs in this process, ends with it."""
    ours, disabled = logging.getLogger("flowledger"), logging.root.manager.disable
    propagates = ours.propagate
    levels, handlers = (logging.root.level, ours.level), logging.root.handlers[:]
    yield
    logging.disable(disabled)
    logging.root.setLevel(levels[0])
    ours.setLevel(levels[1])
    for added in [one for one in logging.root.handlers if one not in handlers]:
        if added.get_name() == ours.name:
            logging.root.removeHandler(added)
    ours.propagate, ours.disabled = propagates, False
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def server() -> Generator[str]:
    """The URL of a server on which databases may be created."""
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        yield given
        close_makers()
        return
    with temporary_server(timeout_seconds=60, within=in_memory()) as found:
        yield found.url
        close_makers()


@pytest.fixture(scope="session")
def template(server: str) -> Generator[str]:
    """The name of a migrated database to copy, which nobody is connected to."""
    name = f"flowledger_template_{os.getpid()}"
    with database_on(server, name) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        yield name


@pytest.fixture(scope="session")
def lent(server: str, template: str) -> Generator[ReusedDatabase]:
    """What the tests of this process have one after another."""
    with closing(ReusedDatabase(server, template)) as lent:
        yield lent


@pytest.fixture
def database(lent: ReusedDatabase) -> Generator[str]:
    """The URL of a migrated database that is this test's alone."""
    yield lent.lend()
    lent.take_back()


@pytest.fixture
def empty_database(server: str) -> Generator[str]:
    """The URL of a database that was never migrated."""
    with database_on(server, _new_name()) as url:
        yield url


@pytest.fixture
def connection(lent: ReusedDatabase, database: str) -> Connection:
    """An autocommit connection to this test's database."""
    return lent.session()


def _new_name() -> str:
    return f"flowledger_test_{os.getpid()}_{next(_numbers)}"
