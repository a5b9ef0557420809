"""An odd row is refused by a check; where it is there all the same, it stops nobody."""

from __future__ import annotations

import psycopg
import pytest

from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.odd_rows import everything_told, queued, told
from support.unchecked_rows import plant

flow = Workflow("odd", "checks", version="1")


@flow.step
def only() -> int:
    return 1


narrow = Workflow("odd", "narrow", version="1", concurrency={"limit": 1})


@narrow.step
def held() -> int:
    return 1


MOST = "9223372036854775807"
DEEP = "(repeat('[', 6000) || repeat(']', 6000))::jsonb"
WAITS = (
    "insert into flowledger.waiting_step (step_id, task_id, step, kind, limit_key, sort_key, since,"
    " until, demand) values (gen_random_uuid(), '{task}', 'only', 'template', 'k', {key}, now(),"
    " now(), {demand})"
)
DEMANDED = (
    """'{{"template_id": "{task}", "system": null, "slots": [], "rates": [{rate}]}}'::jsonb"""
)
CIRCUIT = (
    "insert into flowledger.circuit (system, revision, state, failures, openings, probes,"
    " stream_version) values ('odd', {revision}, 'closed', 0, 0, {probes}, 0)"
)
ROWS = {
    "queue_version": "update flowledger.queue set stream_version = 9223372036854775807",
    "queue_version_below": "update flowledger.queue set stream_version = -9223372036854775807",
    "queue_attempt": "update flowledger.queue set attempt = 2147483647",
    "queue_resets": "update flowledger.queue set resets = 2147483647",
    "heartbeat_long": "update flowledger.queue set heartbeat_details = '1e5000'",
    "heartbeat_long_inside": "update flowledger.queue set heartbeat_details = '[{\"a\": -1e5000}]'",
    "heartbeat_deep": "update flowledger.queue set heartbeat_details ="
    " (repeat('[', 6000) || repeat(']', 6000))::jsonb",
    "step_version": "update flowledger.step set stream_version = 9223372036854775807",
    "step_attempt": "update flowledger.step set attempt = 2147483647",
    "task_version": "update flowledger.task set stream_version = 9223372036854775807",
    "demand_number": WAITS.replace("{key}", "'-Infinity'").replace("{demand}", "'1e5000'"),
    "demand_deep": WAITS.replace("{key}", "0").replace("{demand}", DEEP),
    "demand_other": WAITS.replace("{key}", "0").replace("{demand}", "'{{}}'"),
    "demand_rate": WAITS.replace("{key}", "0").replace(
        "{demand}", DEMANDED.replace("{rate}", '["k", 1e5000, 1]')
    ),
    "demand_rate_of_time": WAITS.replace("{key}", "0").replace(
        "{demand}", DEMANDED.replace("{rate}", '["k", 1e17, 1]')
    ),
    "demand_null": WAITS.replace("{key}", "0").replace("{demand}", "'null'"),
    "place": WAITS.replace("{key}", "'-Infinity'").replace(
        "{demand}", DEMANDED.replace("{rate}", "")
    ),
    "probes_nested": CIRCUIT.format(revision=1, probes="array[[gen_random_uuid()]]"),
    "probes_null": CIRCUIT.format(revision=1, probes="array[null]::uuid[]"),
    "circuit_revision": CIRCUIT.format(revision=MOST, probes="'{}'"),
    "epoch": "update flowledger.shard set epoch = 9223372036854775807",
    "state_count": "update flowledger.state_count set steps_enqueued = 9223372036854775807",
    "state_count_below": "update flowledger.state_count set tasks_complete = -9223372036854775807",
    "definition": "insert into flowledger.template (template_id, namespace, name, version,"
    " definition_hash, definition, registered_at) values (gen_random_uuid(), 'n', 'n', '1', 'h',"
    " jsonb_build_object('steps', '[]'::jsonb, 'x', '1e5000'::jsonb), now())",
    "task_state": "update flowledger.task set state = 'weird'",
    "step_state": "update flowledger.step set state = 'weird'",
    "rebuild": "insert into flowledger.projection_rebuild (name, asked_at, tasks)"
    " values ('odd', now(), 9223372036854775807)",
    "projection": "insert into flowledger.projection (name, generation, version, state, tables,"
    " created_at, moved_at, epoch) values ('odd', 1, 1, 'building', '', now(), now(),"
    " 9223372036854775807)",
    "slot_count": "insert into flowledger.slot_count values ('k', 2147483647)",
}


UNCHECKED = {
    "queue_version",
    "queue_version_below",
    "queue_attempt",
    "queue_resets",
    "heartbeat_long",
    "heartbeat_long_inside",
    "heartbeat_deep",
    "step_version",
    "step_attempt",
    "task_version",
    "task_state",
    "step_state",
    "state_count",
    "state_count_below",
}
"""Rows of tables that every step writes, where checks would cost it more than they are worth."""


def statement(name: str, task: str) -> str:
    """What plants the row."""
    return ROWS[name].format(task=task) if "{task}" in ROWS[name] else ROWS[name]


@pytest.mark.parametrize("version", [9223372036854775807, -1])
def test_an_event_of_a_version_that_no_stream_has_is_refused(
    harness: EngineHarness, version: int
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        harness.rows(
            "insert into flowledger.event (originator_id, originator_version, topic, state,"
            " encoding) values (gen_random_uuid(), %s, 'step.started', '{}', 0)",
            version,
        )


def test_each_is_refused_where_it_enters(harness: EngineHarness) -> None:
    task = str(queued(harness, flow).id)

    for name in ROWS.keys() - UNCHECKED:
        with pytest.raises(psycopg.errors.CheckViolation):
            harness.rows(statement(name, task))


@pytest.mark.parametrize(
    "name",
    [
        "queue_version",
        "queue_version_below",
        "queue_resets",
        "heartbeat_long",
        "heartbeat_deep",
        "step_version",
        "step_attempt",
        "task_version",
        "demand_number",
        "demand_rate_of_time",
        "place",
        "probes_nested",
        "probes_null",
        "circuit_revision",
        "epoch",
        "state_count",
        "definition",
        "task_state",
        "step_state",
        "rebuild",
        "projection",
        "slot_count",
    ],
)
def test_where_it_is_there_all_the_same_others_go_on_and_it_is_named_and_mended(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task = queued(harness, flow)
    plant(harness, statement(name, str(task.id)))

    said = everything_told(monkeypatch, harness, task)

    assert "nothing differs" not in said["verify"]
    assert len(harness.rows("select * from flowledger_v1.queue")) == 1
    harness.rows("select * from flowledger_v1.system_health()")
    engine = harness.open(flow, narrow)
    for workflow in (flow, narrow):
        assert engine.submit(workflow, {}).result(PATIENCE)
    told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd rows")

    assert engine.task(task.id).result(PATIENCE)
    left = told(monkeypatch, harness.url, "verify", "--all")
    assert "nothing differs" in left or (name == "definition" and "1 difference" in left), left
