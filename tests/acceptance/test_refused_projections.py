"""A projection whose tables the database refuses: who waits for it and who looks is told why."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowledger.engine.client.async_projections import AsyncProjections
from flowledger.engine.errors import UnknownProjection
from flowledger.engine.events import TaskCreated
from flowledger.projections import Cursor, Projection, on
from support.cli import Command, read_until
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD

WHY = (
    "there is no projection 'misspelt': this process was given it, and the database refuses it:"
    ' .*syntax error at or near "tabel"'
)


class Misspelt(Projection):
    """Its tables are no SQL."""

    name, version = "misspelt", 1
    tables = "create tabel {schema}.seen (task_id uuid)"

    @on(TaskCreated)
    def see(self, event: TaskCreated, cursor: Cursor) -> None:
        """Never called."""


@pytest.fixture
def command(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    """The command, on the lab's database."""
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


async def test_who_waits_for_it_in_its_process_is_told_why(harness: EngineHarness) -> None:
    projections = harness.open(roles=("projector",), projections=[Misspelt]).projections

    with pytest.raises(UnknownProjection, match=WHY):
        projections.wait_for("misspelt", timeout=PATIENCE)
    with pytest.raises(UnknownProjection, match=WHY):
        projections.rebuild("misspelt", **WORD)
    with pytest.raises(UnknownProjection, match=WHY):
        await AsyncProjections(projections).wait_for("misspelt", timeout=PATIENCE)
    with pytest.raises(UnknownProjection, match="there is no projection 'misspell': flow"):
        projections.status("misspell")


def test_that_a_projector_has_nothing_to_run_is_told_by_health(
    command: Command, harness: EngineHarness
) -> None:
    harness.rows("delete from flowledger.projection")
    command.write("badp.py", MODEL)
    command.environment["FLOWLEDGER_PROJECTIONS__BUILTIN"] = "false"
    process = command.start("projector", "badp:D")
    read_until(process, "projection.refused")
    harness.until(lambda: harness.value("select count(*) from flowledger.projection_host"))

    told = command("health", "--json").value["findings"]

    (missing,) = [one for one in told if one["kind"] == "projection_missing"]
    assert missing["about"] == "dd"
    assert f"projection dd, which process {process.pid} on " in missing["sentence"]
    assert missing["command"].startswith("flowledger projector MODULE:CLASS (")


MODEL = """
from flowledger.engine.events import TaskCompleted
from flowledger.projections import Cursor, Projection, on

class D(Projection):
    name, version = "dd", 1
    tables = "create tabel {schema}.task (id uuid)"

    @on(TaskCompleted)
    def ended(self, event: TaskCompleted, cursor: Cursor) -> None: ...
"""
