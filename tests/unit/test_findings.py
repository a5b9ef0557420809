"""Findings in words: every kind that the database tells has a sentence and a command."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from flowledger.engine.domain.health_blocking_sessions import HOLDERS
from flowledger.engine.domain.health_rows_and_report import (
    Finding,
    FoundRow,
    HealthLook,
    HolderRow,
)
from flowledger.engine.domain.health_text import WORDS, report_of, report_on, sentence_of
from support.builders import NOON

ROOT = Path(__file__).parents[2]
PROJECTION = {
    "generation": 1,
    "state": "serving",
    "position": 4,
    "version": 1,
    "failures": 1,
    "parked": 2,
}
DETAILS = {
    **PROJECTION,
    "behind": 3,
    "error": "no such \x1b[31mcolumn",
    "host": "here",
    "pid": 7,
    "steps": 1,
    "template": "order",
    "tasks": 2,
    "timers": 2,
    "reason": "a row\nis wrong",
    "seconds": -90.0,
    "shards": [1, 2],
    "leases": {"shard": 1, "worker": 2},
    "used": 96,
    "most": 97,
    "last": 3,
    "field": "shards",
    "expected": "1",
    "found": "0",
}


NOBODYS = {"clock_shifted", "clock_put_back", "leases_ahead", "connections_short"}


def test_every_kind_of_row_has_words() -> None:
    (path,) = (ROOT / "sql").rglob("health_findings.sql")
    body = path.read_text("utf-8").partition("comment on")[0]
    kinds = set(
        re.findall(
            r"'((?:shard|queue|tasks|submissions|projection|events|clock|leases|connections)"
            r"_\w+)'",
            body,
        )
    )

    assert kinds == {*WORDS, "projection_unled"}


def test_every_sentence_is_one_line_and_names_what_it_is_about() -> None:
    for kind in WORDS:
        row = FoundRow(kind, "it", NOON - timedelta(minutes=3), DETAILS)
        (one,) = report_of(NOON, [row], []).findings
        said = sentence_of(one)
        assert said.isprintable(), said
        assert one.command
        assert "it" in said or kind in NOBODYS


def test_projections_that_nobody_runs_are_one_finding() -> None:
    rows = [FoundRow("projection_unled", name, None, PROJECTION) for name in ("b", "a")]

    (one,) = report_of(NOON, rows, []).findings

    assert one.sentence.startswith("no projector runs the projections a, b:")
    assert one.details == {"projections": ["a", "b"]}


@pytest.mark.parametrize(
    ("names", "command"),
    [
        (["flowledger_audit"], "flowledger projector (as the owner of the schema)"),
        (
            ["spend"],
            "flowledger projector MODULE:CLASS (where spend is; as the owner of the schema; or,"
            " if nobody shall run it any more, flowledger projections remove NAME --reason WHY)",
        ),
        (
            ["spend", "flowledger_audit", "letters"],
            "flowledger projector MODULE:CLASS MODULE:CLASS (where letters and spend are; the"
            " engine's own run beside them; as the owner of the schema; or, if nobody shall run one"
            " any more, flowledger projections remove NAME --reason WHY)",
        ),
    ],
    ids=["the engine's own", "of the user's own", "both"],
)
def test_the_command_for_projections_that_nobody_runs_does_run_them(
    names: list[str], command: str
) -> None:
    rows = [FoundRow("projection_unled", name, None, PROJECTION) for name in names]

    (one,) = report_of(NOON, rows, []).findings

    assert one.command == command


def test_who_holds_back_vacuum_is_named_with_how_long_the_session_is_open() -> None:
    since = NOON - timedelta(minutes=3)
    for kind in HOLDERS:
        row = HolderRow(kind, "o'clock", 7, "ann", "psql", since, "active", 9, 1)
        (one,) = report_of(NOON, [], [row]).findings
        assert one.kind == "vacuum_held_back"
    row = HolderRow("session", None, 7, "ann", "psql", since, "idle in transaction", 9, 1)
    (one,) = report_of(NOON, [], [row]).findings
    assert one.sentence == (
        "vacuum is held back by a session of ann (psql), process 7, idle in transaction,"
        " open for 3 min"
    )


def test_what_cannot_be_seen_is_no_finding() -> None:
    hidden = HolderRow("hidden", None, None, "ann", None, None, None, None, 2)

    report = report_of(NOON, [], [hidden])

    assert report.well
    assert report.unseen == (
        "whether vacuum is held back by 2 sessions of ann: this login may not see what they do"
        " (grant pg_read_all_stats to it)",
    )


def test_the_oldest_comes_first() -> None:
    young = Finding(kind="a", sentence="young", since=NOON - timedelta(seconds=1))
    old = Finding(kind="b", sentence="old", since=NOON - timedelta(days=1))

    assert [one.sentence for one in report_of(NOON, [], [], [young, old]).findings] == [
        "old",
        "young",
    ]


@pytest.mark.parametrize(
    ("source", "why", "command"),
    [
        ("standby", "it is a standby", "flowledger db url"),
        ("command line", "default_transaction_read_only", "psql -c "),
    ],
)
def test_why_nobody_may_write_comes_before_what_is_older(
    source: str, why: str, command: str
) -> None:
    old = Finding(kind="old", sentence="old", since=NOON - timedelta(days=1))

    first, _ = report_on(HealthLook(now=NOON, read_only=source), [old]).findings

    assert f"the database is read-only ({why})" in first.sentence
    assert str(first.command).startswith(command)


@pytest.mark.parametrize("seconds", [0, 90.5, -90.5, 1e300, -1e300, "Infinity", "-Infinity", "NaN"])
@pytest.mark.parametrize("kind", ["clock_shifted", "clock_put_back", "leases_ahead"])
def test_any_number_of_seconds_is_told(kind: str, seconds: object) -> None:
    row = FoundRow(kind, None, None, {**DETAILS, "seconds": seconds})

    (one,) = report_of(NOON, [row], []).findings

    assert sentence_of(one).isprintable()
