"""Whatever happens to a task, each of its steps can say why it does not run."""

from __future__ import annotations

from hypothesis import given as of
from hypothesis import strategies as some

from flowledger.engine.domain.explain.explain import explain_step, explain_task
from flowledger.engine.domain.explain.reasons import RANKS, ReasonKind
from flowledger.engine.domain.machine.transitions import STEP_ENDS
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from support.builders import Story, diamond
from support.explain_contexts import scene

LATER = Retry(max_attempts=3, backoff="fixed", base_seconds=90, cap_seconds=90, jitter="none")


@of(some.lists(some.tuples(some.sampled_from("slre"), some.sampled_from(range(4))), max_size=25))
def test_every_unfinished_step_of_every_task_has_a_reason_and_they_are_in_order(
    moves: list[tuple[str, int]],
) -> None:
    """Whatever happened, nobody is left without an answer, of the present or of the log alone."""
    names = ["start", "left", "right", "end"]
    told = Story(diamond(retry=LATER))
    told.decided()
    for what, number in moves:
        _move(told, what, names[number])
    for now in (scene(told), scene(told, log_only=True)):
        for name in names:
            reasons = explain_step(now, name)
            assert reasons.kinds, name
            assert [RANKS[kind] for kind in reasons.kinds] == sorted(map(RANKS.get, reasons.kinds))  # type: ignore[arg-type]
            ended = told.run.step(name).state in STEP_ENDS
            assert (reasons.kinds[0] is ReasonKind.ENDED) is (ended or _left_out(told, name))
        assert explain_task(now).kinds


def _left_out(told: Story, name: str) -> bool:
    return told.run.ended and told.run.step(name).state.value == "pending"


def _move(told: Story, what: str, name: str) -> None:
    state = told.run.step(name).state.value
    if what == "s" and state == "enqueued":
        told.begin(name)
    elif what == "l" and state == "in_progress":
        told.lose(name)
    elif what == "r" and state == "in_progress":
        told.fail(name)
    elif what == "e" and state == "in_progress":
        told.complete(name)
        told.decided()
    elif what == "e" and state == "waiting_for_retry":
        told.decided()
        told.fire(name, after=90)
