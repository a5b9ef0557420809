"""`flowledger submit` with all that a submission may say: who, when, how it is called."""

from __future__ import annotations

import getpass
from typing import Any

import pytest

from support.cli import Command

ORDER = """namespace: shop
name: order
version: "1"
steps:
- name: charge
"""


@pytest.fixture
def order(command: Command) -> str:
    """A file with a workflow."""
    return command.write("order.yaml", ORDER)


def created(command: Command, *arguments: str) -> dict[str, Any]:
    """What the log has of a task that is submitted with these arguments."""
    done = command("submit", *arguments, "--json")
    assert (done.code, done.error) == (0, "")
    line = command("history", done.value["task"], "--json").lines[0]
    return {**line["data"], "actor": line["actor"]}


def test_a_submission_records_the_user_of_the_system(command: Command, order: str) -> None:
    assert created(command, order)["actor"] == getpass.getuser()


def test_a_submission_says_all_that_the_api_can_say(command: Command, order: str) -> None:
    data = created(
        command,
        *(order, "--actor", "ada", "--correlation-id", "order-7", "--priority", "3"),
        *("--tag", "vip", "--tag", "big", "--start-at", "2030-01-31T12:00:00"),
        *("--deadline-at", "2030-02-01T12:00:00+02:00"),
    )

    assert (data["actor"], data["correlation_id"], data["priority"]) == ("ada", "order-7", 3)
    assert data["tags"] == ["vip", "big"]
    assert data["start_at"] == "2030-01-31T12:00:00Z"
    assert data["deadline_at"] == "2030-02-01T10:00:00Z"


def test_a_time_that_is_none_is_refused_before_anything_is_stored(
    command: Command, order: str
) -> None:
    done = command("submit", order, "--start-at", "tomorrow")

    assert (done.code, done.out) == (2, "")
    assert "'tomorrow' is no time such as 2026-01-31T12:00:00Z" in done.error
