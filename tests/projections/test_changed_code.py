"""Methods or tables change and the version does not: it is told, and nothing is refused."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.cli import Command
from support.engines import PATIENCE, EngineHarness
from support.projection_hosts import WORD, ProjectionHosts
from support.spend_projection import TABLES, Spend, charged, record, rows, spending

TWICE = f"{Spend.adds} + excluded.cents"


@pytest.fixture
def command(harness: EngineHarness, tmp_path: Path) -> Generator[Command]:
    with ExitStack() as opened:
        yield Command(harness.url, tmp_path, opened)


def changed() -> type[Spend]:
    return spending(adds=TWICE)


def warnings(lines: list[Any]) -> list[tuple[str, int]]:
    found = [line for line in lines if line["event"] == "projection.code_changed"]
    assert all(line["log_level"] == "warning" for line in found)
    return [(line["projection"], line["version"]) for line in found]


def is_changed(hosts: ProjectionHosts) -> bool:
    return hosts.projections.status("money").code_changed


def test_the_same_code_is_nothing_to_tell(harness: EngineHarness, hosts: ProjectionHosts) -> None:
    with capture_logs() as lines:
        first = hosts.host(Spend)
        first.settle()
        first.host.resign()
        hosts.host(Spend).settle()

    assert warnings(lines) == []
    assert not is_changed(hosts)
    assert "projection_code_changed" not in str(
        harness.rows("select * from flowledger_v1.health_findings()")
    )


@pytest.mark.parametrize("members", [{"adds": TWICE}, {"tables": f"{TABLES}; select 1"}])
def test_other_code_of_the_same_version_is_told_and_runs(
    harness: EngineHarness, hosts: ProjectionHosts, command: Command, members: dict[str, Any]
) -> None:
    first = hosts.host(Spend)
    first.settle()
    first.host.resign()
    record(harness, [charged("ann")])

    with capture_logs() as lines:
        hosts.host(spending(**members)).settle()

    assert warnings(lines) == [("money (generation 1)", 1)]
    assert rows(harness) == {"ann": 1}
    assert hosts.projections.status("money").healthy
    sentence = "code changed since it was built (version 1)"
    assert sentence in command("projections", "list").out
    assert sentence in command("projections", "status", "money").out
    (finding,) = [
        one
        for one in command("health", "--json").value["findings"]
        if one["kind"] == "projection_code_changed"
    ]
    assert finding["about"] == "money"
    assert finding["since"] is not None
    assert finding["sentence"].startswith(
        "the code of projection money changed since it was built, and its version 1 did not"
    )
    assert finding["command"].startswith("flowledger projections rebuild money --reason WHY")


def test_one_that_stands_by_with_other_code_is_told_too(hosts: ProjectionHosts) -> None:
    leader = hosts.host(Spend)
    leader.settle()

    with capture_logs() as lines:
        other = hosts.host(changed())
        for _ in range(3):
            other.step()

    assert warnings(lines) == [("money (generation 1)", 1)]
    assert is_changed(hosts)


def test_two_hosts_of_different_code_say_so_whenever_one_takes_over(
    hosts: ProjectionHosts,
) -> None:
    codes = [Spend, changed()]
    running = hosts.host(Spend)
    running.settle()
    told: list[int] = []
    for turn in range(4):
        running.host.resign()
        running = hosts.host(codes[(turn + 1) % 2])
        with capture_logs() as lines:
            running.settle()
        told.append(len(warnings(lines)))

    assert told == [1, 1, 1, 1]
    assert is_changed(hosts)


@pytest.mark.parametrize("version", [1, 2])
def test_a_rebuild_or_a_new_version_is_built_with_the_code_that_there_is(
    harness: EngineHarness, hosts: ProjectionHosts, version: int
) -> None:
    first = hosts.host(Spend)
    first.settle()
    first.host.resign()
    record(harness, [charged("ann")])
    other = hosts.host(spending(adds=TWICE, version=version))
    other.settle()
    if version == 1:
        assert is_changed(hosts)
        hosts.projections.rebuild("money", **WORD)
        other.settle()

    status = hosts.projections.status("money")
    assert (status.generation, status.version, status.code_changed) == (2, version, False)


def test_what_was_built_before_codes_were_known_is_of_the_first_that_leads_it(
    harness: EngineHarness, hosts: ProjectionHosts
) -> None:
    first = hosts.host(Spend)
    first.settle()
    first.host.resign()
    harness.rows("update flowledger.projection set code = null")
    second = hosts.host(Spend)
    second.settle()
    assert not is_changed(hosts)
    second.host.resign()

    hosts.host(changed()).settle()

    assert is_changed(hosts)


def test_older_code_than_that_of_the_rows_is_not_well_and_says_what_to_do(
    harness: EngineHarness,
) -> None:
    with harness.open(projections=[spending(version=2)]) as newer:
        newer.projections.wait_for("money", timeout=PATIENCE)

    older = harness.open(projections=[spending(version=1)])

    harness.until(lambda: not older.health["projections"].ok)
    error = str(older.health["projections"].error)
    assert error.startswith("money: its version is 1, and a later one is there already")
    assert "`flowledger projections remove`" in error
