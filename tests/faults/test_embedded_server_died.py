"""The embedded server ends under an engine that nobody gave another database."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from threading import Event
from time import monotonic

import psutil
import pytest

from flowledger.engine import Engine, Settings
from flowledger.engine.store.embedded import server as embedded
from flowledger.handlers import Workflow
from support.engines import PATIENCE
from support.memory_folders import new_home

flow = Workflow("embedded", "flow", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.fixture
def home() -> Generator[Path]:
    home = new_home()
    yield home
    embedded.stop(home, timeout_seconds=PATIENCE)
    shutil.rmtree(home)


@pytest.fixture
def engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Engine]:
    """An engine with roles that no database was configured for."""
    monkeypatch.delenv("FLOWLEDGER_DATABASE__URL", raising=False)
    settings = Settings.load(
        embedded={"home": home, "fsync": False}, database={"reconnect_cap_seconds": 0.1}
    )
    with Engine.open(
        workflows=[flow], roles=["coordinator", "worker"], settings=settings
    ) as opened:
        yield opened


def listens(engine: Engine) -> bool:
    return engine.health["wakeups"].ok


def until(holds: Callable[[], object]) -> None:
    deadline = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < deadline, "it did not come to hold"
        Event().wait(0.02)


def test_an_engine_starts_a_server_again_that_died_under_it(home: Path, engine: Engine) -> None:
    engine.submit(flow, {}).result(PATIENCE)
    died = embedded.running(home)
    assert died is not None
    postmaster = psutil.Process(died.pid)
    processes = [postmaster, *postmaster.children()]
    postmaster.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=PATIENCE)

    until(lambda: embedded.running(home) is not None and listens(engine))

    assert engine.submit(flow, {}).result(PATIENCE) == {"only": 1}


def test_an_engine_leaves_a_server_alone_that_somebody_stopped(home: Path, engine: Engine) -> None:
    until(lambda: listens(engine))
    embedded.stop(home, timeout_seconds=PATIENCE)

    until(lambda: engine.health["wakeups"].attempts > 3)

    assert embedded.running(home) is None
    embedded.start(home, fsync=False, timeout_seconds=PATIENCE)
    until(lambda: listens(engine))
