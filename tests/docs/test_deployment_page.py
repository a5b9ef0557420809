"""The page on deployment: its connections, unit, services and commands are as it says."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from typing import Any

import click
import psycopg
import pytest
import yaml

from flowledger.engine.cli.program import program
from flowledger.engine.client.engine import Role
from flowledger.engine.config import KNOWN
from flowledger.engine.errors import EngineError
from flowledger.engine.store.transactional_submission import LaterSubmission
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.cli import Command
from support.engines import PATIENCE, EngineHarness, harness

__all__ = ["harness"]

PAGE = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text("utf-8")
POOL, LISTENER, TRANSACTIONAL, PROJECTING = 3, 1, 2, 1
COUNT = "select count(*) from pg_stat_activity where application_name = %s"
MOST: dict[tuple[Role, ...], int] = {
    (): POOL + LISTENER,
    ("coordinator",): POOL + LISTENER,
    ("worker",): POOL + LISTENER + TRANSACTIONAL,
    ("projector",): POOL + LISTENER + PROJECTING,
    ("coordinator", "worker", "projector"): POOL + LISTENER + TRANSACTIONAL + PROJECTING,
}

flow = Workflow("deployed", "flow", version="1")


@flow.step(transactional=True)
def only(context: dict[str, Any], cursor: psycopg.Cursor[Any]) -> int:
    return int(context["number"])


@pytest.mark.parametrize("roles", MOST, ids="+".join)
def test_a_process_has_no_more_connections_than_the_page_says(
    harness: EngineHarness, roles: tuple[Role, ...]
) -> None:
    name = "counted " + "+".join(roles)
    counted = harness.open(
        flow,
        roles=roles,
        projections=BUILTIN if "projector" in roles else (),
        database={"application_name": name, "pool_max_size": POOL},
        worker={"transactional_connections": TRANSACTIONAL},
    )
    others = tuple(role for role in ("coordinator", "worker") if role not in roles)
    if others:
        harness.open(flow, roles=others)
    tasks = counted.submit_many(flow, [{"number": number} for number in range(20)])
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda task: task.result(PATIENCE), tasks))

    assert len(results) == 20
    assert 0 < harness.value(COUNT, name) <= MOST[roles]


def test_another_connection_is_refused_with_the_error_of_the_page(harness: EngineHarness) -> None:
    (named,) = re.findall(r"^Anything else is refused with `(\w+)`", PAGE, re.MULTILINE)
    documented = LaterSubmission.store.__doc__ or ""

    with pytest.raises(EngineError) as refused:
        harness.open(flow, roles=()).submit(flow, {}, connection="psycopg2")

    assert type(refused.value).__name__ == named
    assert named in documented
    assert "TypeError" not in documented
    assert issubclass(type(refused.value), ValueError)


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.mark.skipif(which("systemd-analyze") is None, reason="there is no systemd here")
def test_the_unit_is_one(tmp_path: Path) -> None:
    unit = tmp_path / "flowledger-worker.service"
    unit.write_text(block("ini"), "utf-8")
    done = subprocess.run(  # noqa: S603 - our own page
        ["systemd-analyze", "verify", str(unit)],  # noqa: S607 - the one of this machine
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert str(unit) not in done.stderr


def test_every_service_of_the_compose_file_runs_a_command_that_there_is() -> None:
    services: dict[str, dict[str, Any]] = yaml.safe_load(block("yaml"))["services"]
    commands = [service["command"].split() for service in services.values() if "command" in service]
    unit = re.findall(r"^ExecStart=/usr/bin/env (.*)$", block("ini"), re.MULTILINE)

    assert commands
    assert unit
    for typed, *arguments in [*commands, *(line.split() for line in unit)]:
        assert typed == "flowledger"
        name, command, rest = program.resolve_command(click.Context(program), arguments)
        assert command is not None, arguments
        with command.make_context(name, list(rest)):
            pass
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)


def test_what_the_page_says_of_health_is_so(command: Command) -> None:
    assert command("db", "migrate").code == 0
    assert command("db", "check").code == 0
    assert command("db", "shards").code == 1
    assert "create role" in command("db", "grants").out.lower()


def test_the_probe_is_well_where_all_is_well(harness: EngineHarness) -> None:
    engine = harness.open(flow, roles=())
    (probe,) = re.findall(r"`(all\(.*?\.values\(\)\))`", PAGE)

    assert eval(probe, {"engine": engine})  # noqa: S307 - our own page
    assert harness.value("select count(*) from flowledger_v1.system_health()") == 1


def test_the_settings_that_are_named_exist() -> None:
    named = set(re.findall(r"`((?:worker|coordinator|database|projections)\.[a-z_]+)[`:]", PAGE))

    assert len(named) > 6
    assert named - {f"{section}.{key}" for section, keys in KNOWN.items() for key in keys} == set()
