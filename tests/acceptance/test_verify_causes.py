"""What a decision says of whoever asked for it, and of the steps, is held against the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.handlers import Retry, Workflow
from support.engines import PATIENCE, EngineHarness
from support.planted import changed

flow = Workflow("shop", "flow", version="1")


@flow.step(retry=Retry(max_attempts=1))
def fails() -> None:
    """Fails for good."""
    raise RuntimeError("no")


@flow.step
def by_hand() -> int:
    """Is completed by hand."""
    return 1


@pytest.fixture(scope="module")
def plant(shared_harness: EngineHarness) -> Callable[..., list[str]]:
    """A task that failed, one step of which was completed by hand; what is found of a change."""
    harness = shared_harness
    engine = harness.open(flow, roles=("coordinator",))
    task = engine.submit(flow, {})
    harness.until(lambda: harness.value("select count(*) = 2 from flowledger.queue"))
    asking = {"actor": "ann", "reason": "ticket 7"}
    task.step("by_hand").complete(result={"cents": 5}, **asking)  # type: ignore[arg-type]
    harness.open(flow, roles=("worker",))
    task.wait(timeout=PATIENCE)
    assert list(engine.verify()) == []

    def planted(topic: str, old: str, new: str) -> list[str]:
        names = {"task": task.id, "by_hand": step_id(task.id, "by_hand")}
        stream = "by_hand" if topic.startswith("step.") else "task"
        version = harness.value(
            "select originator_version from flowledger.event"
            " where originator_id = %s and topic = %s",
            names[stream],
            topic,
        )
        for before, after in ((old, new), (new, old)):
            harness.rows("alter table flowledger.event disable trigger user")
            harness.rows(changed(stream, version, before, after).format(**names))
            harness.rows("alter table flowledger.event enable trigger user")
            if after == new:
                found = [str(one) for one in engine.verify()]
        assert list(engine.verify()) == []
        return found

    return planted


@pytest.mark.parametrize(
    ("topic", "old", "new", "said"),
    [
        pytest.param(
            "step.completed_manually",
            '"actor":"ann"',
            '"actor":"bob"',
            "actor is bob in the event, and ann by the rest of the log",
            id="whose word it was",
        ),
        pytest.param(
            "step.completed_manually",
            '"reason":"ticket 7"',
            '"reason":"ticket 8"',
            "reason is ticket 8 in the event, and ticket 7 by the rest of the log",
            id="why",
        ),
        pytest.param(
            "step.completed_manually",
            '"cents":5',
            '"cents":9',
            "result is {'cents': 9} in the event, and {'cents': 5} by the rest of the log",
            id="with what",
        ),
        pytest.param(
            "task.failed",
            '"failed_steps":["fails"]',
            '"failed_steps":["by_hand"]',
            "failed_steps is ['by_hand'] in the event, and ['fails'] by the rest of the log",
            id="which steps failed",
        ),
    ],
)
def test_a_changed_word_is_found(
    plant: Callable[..., list[str]], topic: str, old: str, new: str, said: str
) -> None:
    (found,) = plant(topic, old, new)

    assert found.endswith(said)
