"""Rows that a role may write, and that say what no engine says: others go on."""

from __future__ import annotations

import pytest

from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.odd_rows import everything_told, queued
from support.unchecked_rows import DROP_CHECKS

flow = Workflow("odd", "others", version="1", concurrency={"limit": 1})


@flow.step(rate={"limit": 100, "per_seconds": 1})
def only() -> int:
    return 1


WAITS = (
    "insert into flowledger.waiting_step (step_id, task_id, step, kind, limit_key, sort_key, since,"
    " until, demand) values (gen_random_uuid(), gen_random_uuid(), 'a', 'rate', 'k', %s, %s, %s,"
    " jsonb_build_object('template_id', gen_random_uuid(), 'system', null, 'slots', '[]'::jsonb,"
    """ 'rates', '[["k", 300000000000000, 2000000000]]'::jsonb))"""
)
WORKER = (
    "insert into flowledger.worker (worker_id, lease_until, started_at, host, pid, condition,"
    " templates, excluded_templates, concurrency, seen_at, lease_seconds)"
    " values (gen_random_uuid(), now() + '1 h', %s, 'h', 1, 'ready', {a}, {a}, 1, now(), 15)"
)
EVENT = (
    "insert into flowledger.event (originator_id, originator_version, task_id, topic, state,"
    " encoding) select step_id, {version}, task_id, '{topic}', '{{}}', 0 from flowledger.queue"
)
FAR = [
    ("infinity", "infinity"),
    ("-infinity", "infinity"),
    ("4000-01-01 BC", "294276-01-01"),
    ("294276-01-01", "-infinity"),
]
RATE = "insert into flowledger.rate (limit_key, expected_at, set_at) values ('k', %s, %s)"
ROWS: dict[str, tuple[str, tuple[object, ...]]] = {
    f"rate {first} {last}": (RATE, (first, last)) for first, last in FAR
}
ROWS |= {f"waits {first} {last}": (WAITS, (0, first, last)) for first, last in FAR[:2]}
ROWS |= {f"waits {key}": (WAITS, (key, "now", "now")) for key in ("1e300", "-1e300")}
ROWS |= {
    f"worker {a}": (WORKER.replace("{a}", a), ("infinity",))
    for a in (
        "array[null]::uuid[]",
        "array[[gen_random_uuid()], [gen_random_uuid()]]",
        "array(select template_id from flowledger.template) || null::uuid",
    )
}
ROWS |= {
    f"event {topic} {version}": (EVENT.format(version=version, topic=topic), ())
    for topic, version in (
        ("step.completed", 9223372036854775807),
        ("step.started", -9223372036854775808),
    )
}
ROWS |= {
    "circuits": (
        "insert into flowledger.circuit (system, revision, state, failures, openings, probes,"
        " stream_version, open_until, changed_at) values ('odd', 1, 'half_open', 1000000000,"
        " 1000000000, '{}', 1000000000000, 'infinity', '-infinity')",
        (),
    ),
    "beat": ("update flowledger.queue set heartbeat_at = '-infinity'", ()),
    "shard": ("update flowledger.shard set lease_until = '-infinity', lease_seconds = 'NaN'", ()),
    "seen": (
        "update flowledger.worker set lease_until = '-infinity', seen_at = '-infinity'",
        (),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_others_go_on_and_everything_is_told(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task = queued(harness, flow)
    written, values = ROWS[name]
    harness.rows(DROP_CHECKS)
    harness.rows(written, *values)

    everything_told(monkeypatch, harness, task)

    harness.rows("update flowledger.queue set worker_id = null")
    harness.rows("delete from flowledger.slot")
    harness.rows("delete from flowledger.slot_count")
    assert harness.open(flow).submit(flow, {}).result(PATIENCE)
