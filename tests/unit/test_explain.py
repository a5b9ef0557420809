"""Explanations, from a task told in memory and surroundings that are made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from flowledger.engine import events as asked
from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.explain.explain import explain_step, explain_task
from flowledger.engine.domain.explain.live_state import (
    Holder,
    LimitStatus,
    OpenSession,
    WaitStatus,
)
from flowledger.engine.domain.explain.reasons import Explanation, ReasonKind
from flowledger.engine.domain.limits.circuit_breaker import (
    Circuit,
    CircuitState,
    StoredCircuit,
    circuit_id,
)
from flowledger.engine.domain.limits.demand import Demand, RateLimit, SlotLimit
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.circuit import CircuitOpened
from support.builders import AT_ONCE, NOON, TASK, WORKER, Story, diamond, step, template
from support.explain_contexts import LATER, chain, in_hand, in_queue, scene, shard, worker

NEEDS = Demand(
    template(step("a")).template_id,
    "bank",
    (SlotLimit("wide", 9), SlotLimit("narrow", 1), SlotLimit("tight", 2)),
    (RateLimit("paced", timedelta(seconds=30), 1),),
)
HELD = WaitStatus("a", "slot", "narrow", NOON, None, NEEDS, 0)
LIMITED = (("c", "narrow"), ("d", "tight"))
K = ReasonKind


def ready(**fields: Any) -> Story:
    """A task whose first step is ready, and was not queued."""
    told = Story(template(step("a", **fields), step("b", "a")))
    told.decided()
    told.run.steps[0] = told.run.steps[0].__class__()
    told.log = [one for one in told.log if getattr(one, "step", None) is None]
    return told


def sentences(told: Explanation) -> list[str]:
    return [reason.sentence for reason in told]


def waited_for(limits: LimitStatus, held: WaitStatus = HELD, **more: Any) -> Explanation:
    return explain_step(scene(ready(), waiting={"a": held}, limits=limits, queue={}, **more), "a")


def test_everything_that_a_step_needs_and_that_is_not_there_is_a_reason() -> None:
    circuit = Circuit("bank", CircuitState.OPEN, open_until=NOON + timedelta(seconds=60))
    limits = LimitStatus(
        in_use={"wide": 8, "narrow": 1, "tight": 2},
        expected={"paced": NOON + timedelta(seconds=20)},
        circuits=(StoredCircuit(circuit, 1),),
    )

    told = waited_for(limits, after=5)

    assert [(one.kind, one.about, one.earliest) for one in told] == [
        (K.CIRCUIT_OPEN, "bank", NOON + timedelta(seconds=60)),
        (K.CONCURRENCY, "narrow", None),
        (K.CONCURRENCY, "tight", None),
        (K.RATE_LIMIT, "paced", NOON + timedelta(seconds=20)),
    ]
    assert (
        sentences(told)[1] == "is ready; held back for 5 s, since the one slot of narrow is taken"
    )


def test_holders_are_named_and_the_event_of_the_first_is_the_cause() -> None:
    holder = Holder(step_id(UUID(int=9), "x"), UUID(int=9), "x", WORKER)
    limits = LimitStatus(in_use={"tight": 2}, owners={"tight": (holder,)})
    elsewhere = {holder.step_id: (17, chain().log[-1])}

    (reason,) = waited_for(limits, elsewhere=elsewhere)

    assert reason.sentence.endswith(f"taken, by x of task {UUID(int=9)} and 1 more")
    assert reason.cause is not None
    assert reason.cause.position == 17
    assert reason.details["limit"] == reason.details["in_use"] == 2


def test_a_circuit_on_trial_is_not_said_to_be_open() -> None:
    probed = Circuit("bank", CircuitState.HALF_OPEN, probes=frozenset({UUID(int=1)}))

    (reason,) = waited_for(LimitStatus(circuits=(StoredCircuit(probed, 1),)))

    assert reason.sentence.endswith("the circuit of bank is half open, and tried by others")
    assert reason.earliest is None


@pytest.mark.parametrize(
    ("before", "kind", "said"),
    [
        (0, K.COORDINATOR_BEHIND, "what held it is over, and a coordinator queues it next"),
        (1, K.CONCURRENCY, "1 step waits for narrow before it"),
        (2, K.CONCURRENCY, "2 steps wait for narrow before it"),
        (1_000, K.CONCURRENCY, "1000 or more steps wait for narrow before it"),
    ],
)
def test_where_there_is_room_it_is_somebodys_turn(before: int, kind: K, said: str) -> None:
    held = WaitStatus("a", "slot", "narrow", NOON, None, NEEDS, before)

    (reason,) = waited_for(LimitStatus(), held)

    assert reason.kind is kind
    assert reason.sentence.endswith(said)


WORKERS = {
    "none": ((), {}, K.NO_WORKER, "no worker of shop/order@1 runs"),
    "others": (
        (worker(serves=False), worker(serves=False)),
        {},
        K.NO_WORKER,
        "no worker of shop/order@1 runs; 2 workers of other templates run",
    ),
    "stuck": (
        (worker(condition="stuck"),),
        {},
        K.NO_WORKER,
        "all workers of shop/order@1 are stuck, as handlers that were given up take their"
        " places: start them anew",
    ),
    "full": (
        (worker(running=8), worker(running=9)),
        {"before": 3},
        K.WORKER_BUSY,
        "all 2 workers have all 16 places taken; 3 steps come first",
    ),
    "exclusive": (
        (worker(),),
        {"exclusive": True},
        K.WORKER_BUSY,
        "workers were lost with it, so it is to run alone; a worker is set apart for it",
    ),
    "set apart": (
        (worker(condition="isolated"),),
        {"exclusive": True},
        K.QUEUED,
        "a worker of shop/order@1 takes it next",
    ),
    "silent about what it serves": (
        (worker(serves=None, concurrency=None, running=99),),
        {},
        K.QUEUED,
        "a worker of shop/order@1 takes it next",
    ),
    "a long queue": (
        (worker(running=None),),
        {"before": 7, "more": True},
        K.QUEUED,
        "thousands come before it in the queue, 7 or more of which these workers take first",
    ),
    "one before": ((worker(),), {"before": 1}, K.QUEUED, "1 step comes before it"),
    "two before": ((worker(),), {"before": 2}, K.QUEUED, "2 steps come before it"),
}


@pytest.mark.parametrize("case", WORKERS, ids=str)
def test_a_queued_step_tells_who_takes_it(case: str) -> None:
    workers, row, kind, said = WORKERS[case]
    told = chain()

    (reason,) = explain_step(
        scene(told, after=5, workers=workers, queue={"a": in_queue("a", **row)}), "a"
    )

    assert (reason.kind, reason.sentence) == (kind, f"queued 5 s ago, for attempt 1; {said}")


def test_a_queued_step_tells_whose_open_transaction_slows_claims_down() -> None:
    open_sessions = (
        OpenSession("ann", 7, timedelta(minutes=3)),
        OpenSession("x\ny", 8, timedelta(minutes=1)),
    )

    (reason,) = explain_step(scene(chain(), open_sessions=open_sessions), "a")
    (other,) = explain_step(scene(chain(), open_sessions=open_sessions[1:]), "a")

    assert reason.sentence.endswith(
        "; claims are slowed down by a session of ann, process 7, open for 3 min and 1 more"
    )
    assert reason.details["open_sessions"] == [7, 8]
    assert other.sentence.endswith('a session of "x\\ny", process 8, open for 1 min')


def test_a_queued_step_without_a_row_is_put_back_by_a_coordinator() -> None:
    (reason,) = explain_step(scene(chain(), queue={}), "a")

    assert reason.kind is K.COORDINATOR_BEHIND
    assert reason.sentence.endswith("its row in the queue is gone, and a coordinator makes it anew")


@pytest.mark.parametrize(
    ("row", "kind", "said"),
    [
        ({}, K.RUNNING, "(there, process 2, last seen 5 s ago)"),
        (
            {"lease_until": NOON},
            K.LEASE_LOST,
            "(there, process 2, last seen 5 s ago), whose lease has run out;"
            " a coordinator takes the step back",
        ),
        (
            {"lease_until": None},
            K.LEASE_LOST,
            "which nobody knows any more; a coordinator takes the step back",
        ),
    ],
    ids=["alive", "silent", "gone"],
)
def test_a_running_step_tells_whether_its_lease_stands(
    row: dict[str, Any], kind: K, said: str
) -> None:
    told = chain()
    told.begin("a")

    (reason,) = explain_step(scene(told, after=5, queue={"a": in_hand("a", **row)}), "a")

    assert reason.kind is kind
    assert reason.sentence.endswith(said)
    assert (reason.earliest is None) is (kind is K.RUNNING)


def test_a_dependency_ends_no_earlier_than_what_it_waits_for() -> None:
    told = Story(template(step("a", retry=LATER), step("b", "a"), step("x"), step("c", "b", "x")))
    told.decided()
    told.begin("a")
    told.fail("a")
    told.decided()

    reasons = explain_step(scene(told), "c")

    assert [(one.about, one.earliest) for one in reasons] == [
        ("b", NOON + timedelta(seconds=90)),
        ("x", None),
    ]


def test_a_long_chain_and_a_wide_join_are_explained_as_one_thing() -> None:
    long = [step("s0"), *(step(f"s{n}", f"s{n - 1}") for n in range(1, 2_000))]
    told = Story(template(*long))
    told.decided()

    (_, waiting) = explain_task(scene(told))
    (reason,) = explain_step(scene(told), "s1999")

    assert waiting.sentence == "s1, s2, s3 and 1996 more wait for s0"
    assert reason.sentence.startswith("waits for s1998, which is pending behind s0: queued 0 s ago")
    wide = [step(f"w{n}") for n in range(500)]
    told = Story(template(*wide, step("join", *(one.name for one in wide))))
    told.decided()
    assert [one.steps for one in explain_task(scene(told))][1] == ("join",)
    assert len(explain_step(scene(told), "join")) == 500


def test_steps_with_the_same_reason_are_told_together() -> None:
    told = Story(template(*(step(name, retry=LATER) for name in "abcde"), step("z", "a")))
    told.decided()
    for number, name in enumerate("abcde"):
        told.now = NOON + timedelta(seconds=number)
        told.begin(name)
        told.fail(name)
        told.decided()

    retry, waits = explain_task(scene(told))

    assert retry.sentence == "a, b, c and 2 more wait for a retry"
    assert retry.steps == tuple("abcde")
    assert retry.earliest == NOON + timedelta(seconds=90), "when the first of them goes on"
    assert (waits.kind, waits.sentence) == (K.DEPENDENCY, "z waits for a, b, c and 2 more")
    assert waits.earliest == retry.earliest
    assert waits.cause is not None
    assert waits.cause.topic == "step.retry_scheduled"
    assert waits.cause.occurred_at == NOON + timedelta(seconds=4), "the last that happened to them"


def test_steps_that_can_never_start_are_told_by_what_failed() -> None:
    told = Story(
        template(
            step("a", retry=Retry(max_attempts=1)),
            step("b"),
            step("c", "a"),
            step("d", "c"),
            step("e", "d", "b"),
            on_failure="block",
        )
    )
    told.decided()
    told.begin("a")
    told.fail("a")
    told.decided()

    failed, queued = explain_task(scene(told))

    assert failed.sentence == "c, d and e do not start, since a did not succeed"
    assert (failed.kind, queued.kind) == (K.DEPENDENCY_FAILED, K.QUEUED)
    assert explain_step(scene(told), "e").kinds == (K.DEPENDENCY_FAILED,)


def test_a_pause_does_not_hold_what_runs_already() -> None:
    told = Story(diamond(retry=AT_ONCE)).through("start")
    told.begin("left")
    told.asked(asked.TaskPauseRequested, actor="ada", reason="why")

    assert explain_step(scene(told), "left").kinds == (K.RUNNING,)
    assert explain_step(scene(told), "end").kinds == (K.PAUSED, K.DEPENDENCY, K.DEPENDENCY)


def test_nobody_leading_comes_before_what_only_time_must_pass_for() -> None:
    told = chain()
    told.begin("a")
    told.fail("a")
    told.decided()

    reasons = explain_step(scene(told, after=5, shard=shard(leader=None, lease_until=NOON)), "a")

    assert reasons.kinds == (K.COORDINATOR_BEHIND, K.RETRY)
    assert reasons[0].sentence == (
        "no coordinator leads shard 0, since 5 s; nothing is decided until one does"
    )
    assert reasons[0].details["leader"] is None
    assert explain_step(scene(told), "a").kinds == (K.RETRY,)


def test_an_earlier_circuit_is_known_from_its_stream() -> None:
    opened = CircuitOpened(
        originator_id=circuit_id("bank"),
        originator_version=1,
        event_id=TASK,
        occurred_at=NOON,
        correlation_id="c",
        system="bank",
        failures=5,
        until=NOON + timedelta(seconds=30),
    )
    told = ready(system="bank")
    elsewhere = {circuit_id("bank"): (9, opened)}

    before = explain_step(scene(told, log_only=True, elsewhere=elsewhere), "a")
    after = explain_step(scene(told, log_only=True, elsewhere=elsewhere, after=31), "a")

    assert before.kinds == (K.CIRCUIT_OPEN, K.UNRECORDED)
    assert before[0].earliest == NOON + timedelta(seconds=30)
    assert after.kinds == (K.UNRECORDED,)
    assert before.unrecorded
    assert not explain_step(scene(told), "a").unrecorded


def test_what_runs_is_told_together_and_what_other_limits_hold_apart() -> None:
    told = Story(template(*(step(name) for name in "abcd")))
    told.decided()
    told.begin("a")
    told.begin("b")
    told.log[-1] = told.log[-1].model_copy(update={"worker": UUID(int=5)})
    row = {name: WaitStatus(name, "slot", key, NOON, None, NEEDS, 3) for name, key in LIMITED}
    queue = {"a": in_hand("a"), "b": in_hand("b", worker=UUID(int=5))}
    for number in (2, 3):  # as if they had never been queued
        told.run.steps[number] = told.run.steps[number].__class__()

    reasons = explain_task(scene(told, queue=queue, waiting=row))

    assert [(one.kind, one.about, one.steps) for one in reasons] == [
        (K.CONCURRENCY, "narrow", ("c",)),
        (K.CONCURRENCY, "tight", ("d",)),
        (K.RUNNING, str(WORKER), ("a", "b")),
    ]
    assert reasons[2].sentence == "a and b run"
