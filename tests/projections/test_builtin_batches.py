"""The built-in read models are folds: how the log is cut into batches changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowledger.engine.events.base import Recorded
from flowledger.engine.events.notes import TaskAnnotated, TaskTagged, TaskUntagged
from flowledger.engine.events.step import StepEnqueued
from flowledger.engine.events.task import TaskCreated
from flowledger.projections import Projection
from flowledger.projections.builtin import BUILTIN, Analytics, Audit, History, Notes
from support.builders import NOON, TASK, Story, step, template
from support.read_model_histories import ReadModels, histories, noted, placed

KINDS = pytest.mark.parametrize("kind", BUILTIN, ids=lambda kind: kind.name)
FORGETFUL = [kind for kind in BUILTIN if kind.forget is not Projection.forget]


@KINDS
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_batches_of_any_size_give_the_same_rows(
    models: ReadModels, kind: type[Projection], data: st.DataObject
) -> None:
    events = data.draw(histories())
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=6))

    one_by_one = models.made(kind, events, *range(len(events)))

    assert models.made(kind, events) == one_by_one
    assert models.made(kind, events, *cuts) == one_by_one


@pytest.mark.parametrize("kind", FORGETFUL, ids=lambda kind: kind.name)
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(events=histories())
def test_a_task_that_was_forgotten_and_told_again_has_the_same_rows(
    models: ReadModels, kind: type[Projection], events: list[Recorded]
) -> None:
    with models.of(kind) as found:
        found.apply(events)
        before = found.rows()

        found.forget(TASK)
        forgotten = found.rows()
        found.apply([one for one in events if hasattr(one.event, "task_id")])

        assert found.rows() == before
        of_tasks = [row for rows in forgotten.values() for row in rows if row.get("task_id")]
        assert of_tasks == []


def test_the_models_whose_rows_are_sums_cannot_forget_a_task() -> None:
    assert {kind.name for kind in BUILTIN} - {kind.name for kind in FORGETFUL} == {
        "flowledger_analytics",
        "flowledger_systems",
    }


def without(events: list[Recorded], kind: type[Any]) -> list[Recorded]:
    return [one for one in events if not isinstance(one.event, kind)]


@pytest.mark.parametrize("lost", [TaskCreated, StepEnqueued])
@pytest.mark.parametrize("kind", [History, Analytics, Audit, Notes], ids=lambda kind: kind.name)
def test_an_event_that_was_dropped_does_not_stop_what_follows(
    models: ReadModels, kind: type[Projection], lost: type[Any]
) -> None:
    story = Story(template(step("a"), step("b", "a"))).through("a", "b")
    events = placed(story.log)

    rows = models.made(kind, without(events, lost), 3, 5)

    if kind is History:
        outcomes = [(row["step"], row["outcome"]) for row in rows["attempt"]]
        assert outcomes == [("a", "completed"), ("b", "completed")]


def test_a_tag_that_was_taken_and_given_again_is_as_new_as_the_last_giving(
    models: ReadModels,
) -> None:
    later = NOON.replace(hour=13)
    log = placed(
        [
            noted(TaskTagged, tags=("vip", "late"), actor="ada"),
            noted(TaskTagged, tags=("late",), actor="bob", at=later),
            noted(TaskUntagged, tags=("vip",)),
            noted(TaskTagged, tags=("vip",), actor="bob", at=later),
            noted(TaskUntagged, tags=("never given",)),
        ]
    )

    rows = models.made(Notes, log)["tag"]

    assert {row["tag"]: row["actor"] for row in rows} == {"vip": "bob", "late": "ada"}
    assert rows == models.made(Notes, log, 1, 2, 3, 4)["tag"]


def test_an_annotation_may_be_any_json(models: ReadModels) -> None:
    values = [None, "a\0b", {"k\0": [1.5, True, {"x": None}]}, [], 7]
    log = placed([noted(TaskAnnotated, kind="k", value=value) for value in values])

    stored = [row["value"] for row in models.made(Notes, log)["annotation"]]

    assert stored == [None, "a\ufffdb", {"k\ufffd": [1.5, True, {"x": None}]}, [], 7]
