"""Rows of tasks and steps whose state is none: lists leave them out and say so, others go on."""

from __future__ import annotations

import re

import pytest

from flowledger.engine.errors import LogCorrupt
from flowledger.handlers import Workflow
from support.engines import PATIENCE, EngineHarness
from support.odd_rows import told
from support.unchecked_rows import plant

flow = Workflow("odd", "states", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.mark.parametrize("odd", [range(3), [0], [1], [2], [1, 2], []])
def test_pages_have_every_task_once_but_those_and_name_these(
    harness: EngineHarness, odd: list[int]
) -> None:
    engine = harness.open(flow)
    tasks = [engine.submit(flow, {}) for _ in range(3)]
    for task in tasks:
        task.result(PATIENCE)
    ids = [task.id for task in tasks]
    weird = [ids[number] for number in odd]
    named = ",".join(map(str, weird))
    weirdly = "update flowledger.task set state = 'weird' where task_id = any ('{%s}')"
    plant(harness, weirdly % named)

    found, left, pages, after = [], [], 0, None
    while pages == 0 or after is not None:
        page = engine.tasks(limit=1, after=after)
        found += [task.id for task in page]
        left += page.unreadable
        pages, after = pages + 1, page.next

    assert found == [one for one in reversed(ids) if one not in weird]
    assert left == [one for one in reversed(ids) if one in weird]
    assert pages == 3


def test_the_list_has_the_others_and_a_sentence_and_a_repair_brings_it_back(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = harness.open(flow)
    odd, well = (engine.submit(flow, {}) for _ in range(2))
    for task in (odd, well):
        task.result(PATIENCE)
    plant(harness, f"update flowledger.task set state = 'weird' where task_id = '{odd.id}'")  # noqa: S608

    listed = told(monkeypatch, harness.url, "tasks", "list")
    assert re.search(f"^{well.id} +complete", listed, re.MULTILINE)
    assert f"task {odd.id} is left out: its row says no state; `flowledger repair" in listed
    in_json = told(monkeypatch, harness.url, "tasks", "list", "--json")
    assert f'"unreadable": ["{odd.id}"]' in in_json
    dry = told(monkeypatch, harness.url, "cancel", str(odd.id), str(well.id), "--dry-run")
    assert f"be refused: task {well.id} is complete" in dry
    assert "its row says 'weird', which is no state" in dry
    assert f"task {odd.id}: state is weird" in told(monkeypatch, harness.url, "verify", "--all")

    told(monkeypatch, harness.url, "repair", str(odd.id), "--reason", "an odd state")

    assert len(engine.tasks()) == 2
    assert "nothing differs" in told(monkeypatch, harness.url, "verify", "--all")


def test_one_task_says_so_in_a_sentence(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = harness.open(flow).submit(flow, {})
    task.result(PATIENCE)
    plant(harness, "update flowledger.step set state = 'weird'")

    with pytest.raises(LogCorrupt, match=r"step 'only': its row says 'weird', which is no state"):
        task.steps()
    plant(harness, "update flowledger.task set state = 'weird'")
    with pytest.raises(
        LogCorrupt, match=r"task .* 'weird', which is no state; `flowledger repair`"
    ):
        _ = task.state
    for command in ("status", "explain", "history", "result", "replay"):
        told(monkeypatch, harness.url, command, str(task.id))
