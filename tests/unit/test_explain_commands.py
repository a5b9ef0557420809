"""What somebody may run about a reason; the root behind a chain; each step's own time of a rate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flowledger.engine.domain.explain.explain import explain_step, explain_task
from flowledger.engine.domain.explain.live_state import LimitStatus, WaitStatus
from flowledger.engine.domain.explain.reasons import Explanation, Reason, ReasonKind
from flowledger.engine.domain.limits.demand import Demand, RateLimit
from flowledger.engine.domain.machine.transitions import TaskState
from flowledger.engine.events import requests as asked
from support.builders import NEVER, NOON, TASK, Story, step, template
from support.explain_contexts import scene, shard, worker

EVERY = timedelta(seconds=30)
PACED = Demand(template(step("a")).template_id, None, (), (RateLimit("paced", EVERY, 1),))


def chain(**fields: Any) -> Story:
    told = Story(template(step("a", **fields), step("b", "a"), step("c", "b"), step("d", "c")))
    told.decided()
    return told


def held_by_the_rate(held: WaitStatus, limits: LimitStatus) -> Explanation:
    """Of a step that is ready and was not queued."""
    told = Story(template(step("a")))
    told.decided()
    told.run.steps[0] = told.run.steps[0].__class__()
    told.log = [one for one in told.log if getattr(one, "step", None) is None]
    return explain_step(scene(told, waiting={"a": held}, limits=limits, queue={}), "a")


def test_a_step_far_behind_names_the_root_and_what_mends_it() -> None:
    (reason,) = explain_step(scene(chain(), workers=()), "d")

    assert (reason.kind, reason.about) == (ReasonKind.DEPENDENCY, "c")
    assert reason.sentence == (
        "waits for c, which is pending behind a: queued 0 s ago, for attempt 1;"
        " no worker of shop/order@1 runs"
    )
    assert reason.command == "flowledger worker TARGET"
    assert reason.details["root"] == "a"
    assert reason.details["root_kind"] == "no_worker"


def test_of_several_roots_the_most_decisive_is_told_and_the_others_are_counted() -> None:
    told = Story(template(step("a"), step("b"), step("c", "a", "b"), step("d", "c")))
    told.decided()
    told.begin("a")

    (reason,) = explain_step(scene(told, workers=()), "d")

    assert "behind b (and 1 more): queued" in reason.sentence


def test_each_step_that_waits_for_a_rate_has_its_own_time() -> None:
    limits = LimitStatus(expected={"paced": NOON + timedelta(seconds=20)})
    times, sentences = [], []
    for before in range(3):
        held = WaitStatus("a", "rate", "paced", NOON, None, PACED, before)
        (reason,) = held_by_the_rate(held, limits)
        times.append(reason.earliest)
        sentences.append(reason.sentence)

    first = NOON + timedelta(seconds=20)
    assert times == [first, first + EVERY, first + 2 * EVERY]
    assert "paced is used up; 2 steps wait before it, asked again in 1 min 20 s" in sentences[2]


def test_where_the_rate_has_room_those_before_take_their_intervals_first() -> None:
    held = WaitStatus("a", "rate", "paced", NOON, None, PACED, 2)

    (reason,) = held_by_the_rate(held, LimitStatus())

    assert reason.kind is ReasonKind.RATE_LIMIT
    assert reason.earliest == NOON + 2 * EVERY


def test_a_worker_with_another_version_is_named_as_such() -> None:
    other = worker(serves=False, namesakes=["shop/order@2"])

    (reason,) = explain_step(scene(chain(), workers=(other,)), "a")

    assert reason.kind is ReasonKind.NO_WORKER
    assert reason.sentence.endswith(
        "no worker of shop/order@1 runs; those that run have it in another namespace or version:"
        " shop/order@2"
    )


def test_workers_that_have_the_code_and_are_kept_from_it_are_named() -> None:
    kept = [
        worker(serves=False, excluded=True, pid=pid, namesakes=["bank/order@1"]) for pid in (7, 8)
    ]

    (one,) = explain_step(scene(chain(), workers=(kept[0], worker(serves=False))), "a")
    (two,) = explain_step(scene(chain(), workers=tuple(kept)), "a")

    assert one.kind is ReasonKind.NO_WORKER
    assert one.sentence.endswith(
        "no worker of shop/order@1 takes it: process 7 on there has its code, and its"
        " worker.namespaces does not name 'shop'"
    )
    assert "process 7 on there and process 8 on there have its code, and their" in two.sentence
    assert one.command is not None
    assert one.command.startswith("FLOWLEDGER_WORKER__NAMESPACES=shop flowledger worker TARGET")


def test_a_template_without_its_row_is_the_reason() -> None:
    (reason,) = explain_step(scene(chain(), registered=False), "a")

    assert reason.kind is ReasonKind.NO_WORKER
    assert "has no row in flowledger.template any more" in reason.sentence


def test_what_ended_says_who_must_do_what() -> None:
    failed = chain(retry=NEVER)

    (task,) = [one for one in explain_task(scene(failed)) if one.kind is ReasonKind.ENDED]
    (own,) = explain_step(scene(failed), "a")
    (never,) = explain_step(scene(failed), "d")

    assert task.command == f"flowledger reset {TASK} --reason WHY"
    assert own.command == f"flowledger step reset {TASK} a --reason WHY"
    assert never.sentence.endswith("; it does when the task is reset")
    assert never.command == task.command


def of_ended(told: Story, name: str) -> Reason:
    (reason,) = explain_step(scene(told), name)
    assert reason.kind is ReasonKind.ENDED
    return reason


def test_a_step_that_never_started_names_the_root_after_the_end() -> None:
    failed = chain(retry=NEVER)

    never = of_ended(failed, "d")

    assert never.sentence == (
        "did not start before the task ended, since a is in error; it does when the task is reset"
    )
    assert (never.about, never.details["root"], never.details["state"]) == ("a", "a", "error")
    assert never.cause is not None
    assert never.cause.topic == "step.failed"


def test_behind_a_skipped_step_of_a_complete_task_nothing_can_be_done() -> None:
    told = chain(when_skipped="stop")
    told.asked(asked.StepSkipRequested, "a", actor="ada", reason="ticket 7")

    (task,) = explain_task(scene(told))
    skipped, never = of_ended(told, "a"), of_ended(told, "c")

    assert told.run.task.state is TaskState.COMPLETE
    assert "b, c and d did not start, since a is skipped" in task.sentence
    assert skipped.sentence.endswith(
        "; what depends on it did not start, and nothing of the task is started any more"
    )
    assert never.sentence == (
        "did not start before the task ended, since a is skipped;"
        " whoever still wants it submits the task anew"
    )
    assert never.about == "a"
    assert skipped.command is never.command is task.command is None


def test_behind_a_skipped_step_of_a_failed_task_a_reset_does_not_help() -> None:
    told = Story(
        template(
            *(step("a", when_skipped="stop"), step("x", retry=NEVER)),
            *(step("b", "a", "x"), step("c", "b")),
        )
    )
    told.decided()
    told.asked(asked.StepSkipRequested, "a", actor="ada", reason="ticket 7")

    skipped, never = of_ended(told, "a"), of_ended(told, "c")

    assert told.run.task.state is TaskState.ERROR
    assert never.sentence == (
        "did not start before the task ended, since a is skipped;"
        " no reset of the task starts it: an operator says how it was settled"
    )
    assert never.command == f"flowledger step resolve {TASK} c --reason WHY"
    assert skipped.sentence.endswith(
        "; what depends on it does not start until an operator settles that"
    )
    assert skipped.command == f"flowledger step resolve {TASK} b --reason WHY"


def test_where_nobody_leads_a_coordinator_is_to_be_started() -> None:
    told = explain_task(scene(chain(), shard=shard(leader=None)))

    (nobody,) = [one for one in told if one.about == "shard 0"]
    assert nobody.command == "flowledger coordinator"
