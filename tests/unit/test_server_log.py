"""Of what a server logs, the benchmarks count what commits, and of one database only."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = runpy.run_path(str(BENCHMARKS / "server_log.py"))

ALONE = ["bench 7 LOG:  statement: select 1", "bench 7 LOG:  execute _pg3_0: select 2"]
TOGETHER = [
    "bench 7 LOG:  statement: BEGIN",
    "bench 7 LOG:  execute <unnamed>: insert into x values ($1)",
    "bench 7 DETAIL:  parameters: $1 = 'bench 7 LOG:  statement: select 3'",
    "bench 7 LOG:  statement: COMMIT",
]
ROLLED_BACK = ["bench 7 LOG:  statement: begin", "bench 7 LOG:  statement: rollback"]
TWO_SESSIONS = ["bench 7 LOG:  statement: BEGIN", "bench 8 LOG:  statement: select 1"]
ELSEWHERE = ["other 7 LOG:  statement: select 1", " 9 LOG:  checkpoint starting: time"]


@pytest.mark.parametrize(
    ("rows", "commits", "statements"),
    [
        pytest.param(ALONE, 2, 2, id="each by itself"),
        pytest.param(TOGETHER, 1, 3, id="a transaction"),
        pytest.param(ROLLED_BACK, 0, 2, id="a transaction that is rolled back"),
        pytest.param([*ROLLED_BACK, *ALONE], 2, 4, id="after a rollback"),
        pytest.param(TWO_SESSIONS, 1, 2, id="another session commits by itself"),
        pytest.param(ELSEWHERE, 0, 0, id="another database, and none"),
    ],
)
def test_commits_and_statements(
    tmp_path: Path, rows: list[str], commits: int, statements: int
) -> None:
    log = tmp_path / "server.log"
    log.write_text("\n".join([*rows, ""]))

    assert SCRIPT["commits_and_statements"](log, "bench") == (commits, statements)
