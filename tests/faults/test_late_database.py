"""Roles that are started before their database: they wait for it where they are told to."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.cli import PATIENCE, Command
from support.pooled import free_port
from support.postgres_server import PostgresServer


def command_on(url: str, folder: Path, opened: ExitStack) -> Command:
    command = Command(url, folder, opened)
    command.environment["FLOWLEDGER_DATABASE__RECONNECT_CAP_SECONDS"] = "0.2"
    return command


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_role_waits_for_its_database_and_is_stopped_in_order(
    postgres_server: PostgresServer, tmp_path: Path, number: str
) -> None:
    with ExitStack() as opened:
        command = command_on(postgres_server.url, tmp_path, opened)
        postgres_server.crash()
        process = command.start("coordinator", "--wait-for-database=60")
        assert process.stderr
        lines = iter(process.stderr.readline, "")
        assert any("database.unreachable" in line for line in lines)

        postgres_server.start()

        assert any("engine.opened" in line for line in lines)
        process.send_signal(getattr(signal, number))
        assert any("engine.closed" in line for line in lines)
        assert process.wait(PATIENCE) == 0


def test_a_role_that_waits_can_be_stopped_and_one_that_waited_long_enough_ends(
    tmp_path: Path,
) -> None:
    away = f"postgresql://ada@127.0.0.1:{free_port()}/flow"
    with ExitStack() as opened:
        command = command_on(away, tmp_path, opened)
        process = command.start("projector", "--wait-for-database")
        assert process.stderr
        assert "database.unreachable" in process.stderr.readline()
        process.terminate()
        assert process.wait(PATIENCE) == 0

        ended = command("coordinator", "--wait-for-database", "0.5")

        assert ended.code == 2
        assert "cannot be reached" in ended.error
