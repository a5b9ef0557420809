"""Explanations by projections that are behind."""

from __future__ import annotations

import pytest

from flowledger.engine import events as asked
from flowledger.engine.domain.explain.explain import explain_step, explain_task
from flowledger.engine.domain.explain.live_state import LaggingProjection
from flowledger.engine.domain.explain.reasons import ReasonKind as K
from support.explain_contexts import chain, scene


def test_projections_that_stand_for_the_same_reason_are_told_together() -> None:
    told = chain()
    behind = [LaggingProjection(name, n, "no_host", None, None) for n, name in enumerate("pq", 1)]
    behind += [LaggingProjection("r", 2, "event_failed", 3, "no such\ncolumn")]

    said = [
        one.sentence
        for one in explain_task(scene(told, projections=tuple(behind)))
        if one.kind is K.PROJECTION_BEHIND
    ]

    assert said == [
        "not yet shown by projections p and q, at 1 of 3; no process runs them",
        "not yet shown by projection r, at 2 of 3; an event failed: no such column",
    ]


@pytest.mark.parametrize(
    ("names", "command"),
    [
        (["flowledger_audit", "flowledger_notes"], "flowledger projector"),
        (["spend"], "flowledger projector MODULE:CLASS (where spend is)"),
        (
            ["flowledger_audit", "spend"],
            "flowledger projector MODULE:CLASS (where spend is; the engine's own run beside it)",
        ),
    ],
    ids=["the engine's own", "of the user's own", "both"],
)
def test_the_command_for_projections_that_nobody_runs_does_run_them(
    names: list[str], command: str
) -> None:
    behind = tuple(LaggingProjection(name, 1, "no_host", None, None) for name in names)

    (reason,) = [
        one
        for one in explain_task(scene(chain(), projections=behind))
        if one.kind is K.PROJECTION_BEHIND
    ]

    assert reason.command == command


def test_a_projection_that_has_the_last_event_of_a_step_is_not_behind_for_it() -> None:
    told = chain()
    told.begin("a")
    there = LaggingProjection("p", 4, "paused", None, None)
    told.note("a")
    told.asked(asked.TaskPauseRequested, actor="ada", reason="why")

    assert len(told.log) > 5
    assert K.PROJECTION_BEHIND in explain_task(scene(told, projections=(there,))).kinds
    assert K.PROJECTION_BEHIND in explain_step(scene(told, projections=(there,)), "a").kinds
    seen = LaggingProjection("p", 5, "paused", None, None)
    assert K.PROJECTION_BEHIND in explain_task(scene(told, projections=(seen,))).kinds
    assert explain_step(scene(told, projections=(seen,)), "a").kinds == (K.RUNNING,)
