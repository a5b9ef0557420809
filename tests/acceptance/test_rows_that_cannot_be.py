"""A row that says what cannot be, by a login that may write it, stops nobody else."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from flowledger.engine.cli.program import program
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness

flow = Workflow("odd", "rows", version="1")


@flow.step
def only() -> int:
    return 1


WORKER = (
    "insert into flowledger.worker (worker_id, lease_until, started_at, host, pid, condition,"
    " templates, concurrency, seen_at, lease_seconds) values (gen_random_uuid(), now() + '1 h',"
    " now(), 'h', 1, 'ready', '{}', 1, now(), %s)"
)
ROWS = [
    "select * from flowledger_v1.workers",
    "select * from flowledger_v1.shards",
    "select * from flowledger_v1.system_health()",
    "select * from flowledger_v1.projection_status()",
]


def told(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> str:
    """What a command prints, which ends without a traceback."""
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", url)
    answer = CliRunner().invoke(program, arguments)
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.output


@pytest.mark.parametrize("seconds", ["NaN", "infinity", "-infinity", "1e300"])
def test_a_lease_of_any_length_lets_coordinators_lead(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    harness.rows(WORKER, seconds)
    harness.rows("update flowledger.projection set lease_seconds = %s", seconds)

    engine = harness.open(flow)
    assert engine.submit(flow, {}).result(PATIENCE)
    harness.rows("update flowledger.shard set lease_seconds = %s", seconds)
    assert engine.submit(flow, {}).result(PATIENCE)

    for rows in ROWS:
        assert harness.rows(rows)
    assert told(monkeypatch, harness.url, "health")
