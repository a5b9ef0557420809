"""Rows of limits and of the clock that no engine writes: nothing of them gets into the log, and
nobody waits for them for good.
"""

from __future__ import annotations

from itertools import pairwise

import psycopg
import pytest

from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from flowledger.engine.errors import EngineError
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness
from support.odd_rows import queued, told
from support.unchecked_rows import plant

pay = Workflow("unproved", "pay", version="1")
works: list[bool] = []


@pay.step(
    system="bank",
    rate={"limit": 100, "per_seconds": 1},
    retry=Retry(max_attempts=9, backoff="none"),
)
def charge() -> int:
    if not works:
        raise ConnectionError("the bank is away")
    return 1


FRAIL = {"circuit_failure_threshold": 1, "circuit_open_seconds": 60.0}
NESTED = "'{{00000000-0000-8000-8000-000000000001}, {00000000-0000-8000-8000-000000000002}}'"
CIRCUIT = "insert into flowledger.circuit values ('bank', "
WITHOUT_A_LOG = {
    "far": "1, 'open', 5, 1, '250000-01-01', '{}', 3, '250000-01-01')",
    "infinite": "1, 'half_open', 5, 1, 'infinity', '{}', 3, 'infinity')",
    "probes of null": "1, 'half_open', 0, 1, null, '{null}', 1, null)",
    "probes that are nested": f"0, 'half_open', 0, 0, null, {NESTED}, 0, null)",
    "probes of nobody": "0, 'half_open', 0, 0, null, array[gen_random_uuid()], 0, null)",
}
BESIDE_A_LOG = {
    "far": "stream_version = 7, changed_at = '250000-01-01', open_until = '250000-01-01'",
    "other state": "state = 'closed', changed_at = 'infinity', failures = 3",
    "before": "stream_version = 0, changed_at = null, state = 'half_open', probes = '{null}'",
    "gone": "",
    "held": f"state = 'half_open', probes = {NESTED}, openings = 2000000000",
}
SET_RIGHT = r"flowledger\.clock_offset.*set shift = '0'"
RATES = {
    "without an end": "expected_at = 'infinity', set_at = '-infinity'",
    "of no calendar": "expected_at = '250000-01-01', set_at = now()",
    "of another age": "expected_at = now() + interval '400 years', set_at = now()",
}


@pytest.fixture(autouse=True)
def _bank() -> None:
    works[:] = [True]


def transitions(harness: EngineHarness) -> list[str]:
    """The circuit's own stream, whose versions follow each other."""
    rows = harness.rows(
        "select originator_version, topic, flowledger.payload_occurred_at(state, encoding)"
        " from flowledger.event where originator_id = %s order by 1",
        circuit_id("bank"),
    )
    assert [version for version, _, _ in rows] == [*range(1, len(rows) + 1)]
    now = harness.value("select extract(epoch from flowledger.clock()) * 1000000")
    assert all(time <= now for _, _, time in rows)
    assert all(one[2] <= two[2] for one, two in pairwise(rows))
    return [topic for _, topic, _ in rows]


def repaired(monkeypatch: pytest.MonkeyPatch, harness: EngineHarness) -> None:
    """What differs is named, and mended."""
    assert "nothing differs" not in told(monkeypatch, harness.url, "verify", "--all")
    told(monkeypatch, harness.url, "repair", "--all", "--reason", "odd rows")
    left = told(monkeypatch, harness.url, "verify", "--all")
    assert "nothing differs" in left, left


@pytest.mark.parametrize("name", WITHOUT_A_LOG)
def test_a_circuit_of_which_the_log_knows_nothing_is_closed(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task = queued(harness, pay)
    plant(harness, CIRCUIT + WITHOUT_A_LOG[name])

    engine = harness.open(pay)
    assert engine.submit(pay, {}).result(PATIENCE)
    assert engine.task(task.id).result(PATIENCE)

    assert transitions(harness) == []
    engine.close()
    repaired(monkeypatch, harness)


@pytest.mark.parametrize("name", BESIDE_A_LOG)
def test_a_circuit_goes_on_from_what_the_log_knows(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    works.clear()
    engine = harness.open(pay, limits=FRAIL)
    task = engine.submit(pay, {}).id
    harness.until(lambda: transitions(harness) == ["circuit.opened"])
    engine.close()
    changed = f"update flowledger.circuit set {BESIDE_A_LOG[name]}"  # noqa: S608 - ours
    plant(harness, changed if name != "gone" else "delete from flowledger.circuit")
    works.append(True)

    engine = harness.open(pay, limits=FRAIL)
    harness.move_clock("61 seconds")
    assert engine.task(task).result(PATIENCE)

    harness.until(lambda: len(transitions(harness)) == 3)
    assert transitions(harness) == ["circuit.opened", "circuit.half_opened", "circuit.closed"]
    engine.close()
    harness.move_clock("-61 seconds")
    left = told(monkeypatch, harness.url, "verify", "--all")
    assert "nothing differs" in left, left


@pytest.mark.parametrize("name", RATES)
def test_a_rate_holds_nobody_back_for_longer_than_it_may(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    task = queued(harness, pay)
    plant(harness, f"update flowledger.rate set {RATES[name]}")  # noqa: S608 - ours
    if name != "of another age":
        repaired(monkeypatch, harness)
        plant(
            harness,
            "insert into flowledger.rate (limit_key, expected_at, set_at)"
            " values ('step:unproved/pay/charge', now(), now())",
        )
        plant(harness, f"update flowledger.rate set {RATES[name]}")  # noqa: S608 - ours

    engine = harness.open(pay)
    assert engine.submit(pay, {}).result(PATIENCE)
    assert engine.task(task.id).result(PATIENCE)
    plant(harness, f"update flowledger.rate set {RATES[name]}")  # noqa: S608 - ours
    assert engine.submit(pay, {}).result(PATIENCE)


@pytest.mark.parametrize("by", ["250000 years", "290000 years", "-2000 years"])
def test_a_clock_beyond_all_calendars_is_told_in_a_sentence(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    queued(harness, pay)
    plant(harness, "alter table flowledger.clock_offset disable trigger user")
    plant(harness, f"update flowledger.clock_offset set shift = '{by}'")  # noqa: S608 - ours

    for command in (("verify", "--all"), ("tasks", "list")):
        with pytest.raises(EngineError, match=SET_RIGHT):
            told(monkeypatch, harness.url, *command)
    with pytest.raises(EngineError, match=SET_RIGHT):
        harness.open(pay, roles=[])
    assert "set shift = '0'" in told(monkeypatch, harness.url, "health")

    harness.rows("update flowledger.clock_offset set shift = '0'")
    harness.rows("alter table flowledger.clock_offset enable trigger user")
    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")


def test_a_clock_that_is_set_beyond_all_calendars_is_recorded_within_them(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(harness, "update flowledger.clock_offset set shift = '250000 years'")
    plant(harness, "update flowledger.clock_offset set shift = '0'")

    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")


def test_a_clock_whose_offset_is_gone_is_named_and_gets_it_back(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.rows("delete from flowledger.clock_offset")

    assert "flowledger.clock_offset" in told(monkeypatch, harness.url, "verify", "--all")
    repaired(monkeypatch, harness)


def test_that_the_clock_was_put_back_by_ages_is_not_told(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(
        harness,
        "insert into flowledger.clock_put_back (noticed_at, reached)"
        " values (now(), '250000-01-01')",
    )

    assert "put back" not in told(monkeypatch, harness.url, "health")
    repaired(monkeypatch, harness)


REFUSED = [
    CIRCUIT + WITHOUT_A_LOG["far"],
    "insert into flowledger.rate (limit_key, expected_at, set_at) values ('k', 'infinity', now())",
    "insert into flowledger.rate (limit_key, expected_at, set_at) values ('k', now(), '-infinity')",
    "insert into flowledger.clock_put_back (noticed_at, reached) values (now(), 'infinity')",
    "insert into flowledger.clock_put_back (noticed_at, reached) values (now(), '250000-01-01')",
]


def test_each_is_refused_where_it_enters(harness: EngineHarness) -> None:
    for statement in REFUSED:
        with pytest.raises(psycopg.errors.CheckViolation):
            harness.rows(statement)
