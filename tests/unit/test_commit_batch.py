"""What one transaction of the coordinator stores: rows as the steps stand at its end."""

from __future__ import annotations

from datetime import timedelta

from flowledger.engine.domain.deterministic_ids import step_id
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.base import TaskEvent
from flowledger.engine.events.requests import TaskCancelRequested, TaskPauseRequested
from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from support.builders import AT_ONCE, NOON, TASK, Story, diamond, step, template

IN_TEN = Retry(backoff="fixed", base_seconds=10.0, jitter="none")


class Transaction:
    """A story whose events are also told to a batch."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.batch = CommitBatch()
        self._told = len(story.log)

    def told(self, *facts: TaskEvent) -> None:
        """What happened since the last time: the named facts, and decisions."""
        for event in self.story.log[self._told :]:
            if event.causation_id is None:
                self.batch.folded(self.story.run, event)
            else:
                self.batch.decided(self.story.run, [event])
        self._told = len(self.story.log)

    def commit(self) -> Commit:
        self.told()
        return self.batch.commit(3, 10, 20, self.story.now)


def transaction(story: Story) -> Transaction:
    return Transaction(story)


def test_an_empty_batch_is_nothing_to_store() -> None:
    assert not CommitBatch()


def test_it_moves_the_position_under_its_epoch() -> None:
    commit = CommitBatch().commit(3, 10, 20, NOON)

    assert (commit.epoch, commit.old, commit.new) == (3, 10, 20)
    assert (commit.events, commit.queued, commit.steps, commit.tasks) == ([], [], [], [])


def test_a_started_task_and_its_queued_roots_are_rows() -> None:
    new = transaction(Story(diamond()))
    new.story.decided()

    commit = new.commit()

    assert commit.events == new.story.log[1:]
    assert [row["step"] for row in commit.queued] == ["start"]
    assert commit.queued[0] == {
        "step_id": step_id(TASK, "start"),
        "task_id": TASK,
        "template_id": new.story.plan.template_id,
        "version": 1,
        "priority": 0,
        "sort_key": NOON.timestamp(),
        "exclusive": False,
        "attempt": 1,
        "resets": 0,
        "step": "start",
        "correlation": "c",
    }
    assert [(row["state"], row["stream_version"], row["ended_at"]) for row in commit.tasks] == [
        ("in_progress", 2, None)
    ]
    assert [(row["step"], row["state"], row["version"]) for row in commit.steps] == [
        ("start", "enqueued", 1)
    ]


def test_a_correlation_that_is_the_tasks_id_is_not_repeated_in_the_queue() -> None:
    new = transaction(Story(diamond()))
    new.story.run.correlation_id = str(TASK)
    new.story.decided()

    assert new.commit().queued[0]["correlation"] is None


def test_a_step_that_started_and_completed_within_a_batch_is_written_once() -> None:
    one = transaction(Story(diamond()).through())
    one.story.begin("start")
    one.story.complete("start")
    one.story.decided()

    commit = one.commit()

    assert [(row["step"], row["state"], row["version"]) for row in commit.steps] == [
        ("start", "complete", 3),
        ("left", "enqueued", 1),
        ("right", "enqueued", 1),
    ]
    assert commit.tasks == []


def test_a_task_that_ended_says_when() -> None:
    last = transaction(Story(template(step("a"))).through())
    last.story.begin("a")
    last.story.complete("a")
    last.story.now += timedelta(minutes=1)
    last.story.decided()

    assert [(row["state"], row["ended_at"]) for row in last.commit().tasks] == [
        ("complete", NOON + timedelta(minutes=1))
    ]


def test_a_scheduled_retry_is_a_timer_and_a_due_time() -> None:
    failed = transaction(Story(template(step("a", retry=IN_TEN))).through())
    failed.story.begin("a")
    failed.story.fail("a")
    failed.story.decided()

    commit = failed.commit()

    due_at = NOON + timedelta(seconds=10)
    assert [(row["step"], row["kind"], row["due_at"]) for row in commit.timers] == [
        ("a", "retry", due_at)
    ]
    assert [row["due_at"] for row in commit.steps] == [due_at]
    assert (commit.queued, commit.untimed) == ([], [])


def test_a_started_step_with_a_limit_is_timed_and_untimed_when_it_ends() -> None:
    story = Story(template(step("a", timeout_seconds=5))).through()
    started = transaction(story)
    story.begin("a")
    commit = started.commit()
    assert [row["kind"] for row in commit.timers] == ["timeout"]
    assert [row["due_at"] for row in commit.steps] == [None]

    ended = transaction(story)
    story.complete("a")
    commit = ended.commit()

    assert (commit.timers, commit.untimed) == ([], [step_id(TASK, "a")])


def test_a_step_that_timed_out_leaves_the_queue_and_comes_back() -> None:
    story = Story(template(step("a", timeout_seconds=5, retry=AT_ONCE))).through()
    story.begin("a")
    late = transaction(story)
    story.fire("a", after=5)
    late.batch.clear_timer(TASK, "a")

    commit = late.commit()

    assert commit.dropped == [step_id(TASK, "a")]
    assert [(row["version"], row["attempt"]) for row in commit.queued] == [(4, 2)]
    assert commit.untimed == [step_id(TASK, "a")]


def test_a_step_whose_worker_went_silent_leaves_the_queue() -> None:
    story = Story(template(step("a")), lost_leases=0).through()
    story.begin("a")
    lost = transaction(story)
    story.lose("a")

    commit = lost.commit()

    assert (commit.dropped, commit.queued) == ([step_id(TASK, "a")], [])
    assert [row["state"] for row in commit.tasks] == ["error"]


def test_a_timer_that_rang_in_vain_is_taken_away() -> None:
    batch = CommitBatch()

    batch.clear_timer(TASK, "a")

    assert batch
    assert batch.commit(1, 0, 0, NOON).untimed == [step_id(TASK, "a")]


def test_a_timer_that_was_set_anew_stays() -> None:
    story = Story(template(step("a", retry=IN_TEN))).through()
    story.begin("a")
    timer_fired = transaction(story)
    story.fail("a")
    story.decided()
    timer_fired.batch.clear_timer(TASK, "a")

    commit = timer_fired.commit()

    assert commit.untimed == []
    assert len(commit.timers) == 1


def test_a_step_that_is_missing_in_the_queue_gets_a_row_and_nothing_else() -> None:
    story = Story(template(step("a"))).through()
    batch = CommitBatch()

    batch.requeue(story.run, 0)

    commit = batch.commit(1, 5, 5, NOON)
    assert batch
    assert [(row["step"], row["version"]) for row in commit.queued] == [("a", 1)]
    assert (commit.events, commit.steps, commit.tasks) == ([], [], [])


def test_rows_come_in_the_order_in_which_everybody_locks_them() -> None:
    batch = CommitBatch()
    stories = [Story(template(step("b"), step("a"))) for _ in range(3)]
    for number, story in zip((2, 0, 1), stories, strict=True):
        story.run.task_id = type(TASK)(int=TASK.int + number)
        batch.decided(story.run, story.decided())

    commit = batch.commit(1, 0, 1, NOON)

    assert [row["task_id"].int - TASK.int for row in commit.tasks] == [0, 1, 2]
    assert [(row["task_id"].int - TASK.int, row["step"]) for row in commit.queued] == [
        (number, name) for number in range(3) for name in "ba"
    ]


def test_whatever_set_a_timer_it_goes_with_its_step() -> None:
    """A step whose worker is lost while its task is paused has one, and no failure counts."""
    paused = transaction(Story(diamond()))
    paused.story.decided()
    paused.story.begin("start")
    paused.story.asked(TaskPauseRequested)
    paused.story.lose("start")
    assert [row["kind"] for row in paused.commit().timers] == ["retry"]

    cancelled = transaction(paused.story)
    cancelled.story.asked(TaskCancelRequested)

    assert step_id(TASK, "start") in cancelled.commit().untimed


def test_a_timer_that_came_and_went_within_the_batch_is_cleared() -> None:
    released = transaction(Story(diamond()))
    released.story.decided()
    for _ in range(2):  # the first time it is queued again at once
        released.story.begin("start")
        released.story.hand_back("start")
        released.story.decided()
    assert [row["kind"] for row in released.commit().timers] == ["retry"]

    later = transaction(released.story)
    later.story.fire("start", after=60)
    later.story.begin("start")
    later.story.note("start")
    later.story.complete("start")

    assert step_id(TASK, "start") in later.commit().untimed
