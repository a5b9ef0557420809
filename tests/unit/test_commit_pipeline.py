"""Commits here and beside: what came of them is told where it is asked for."""

from __future__ import annotations

from threading import Event, Thread, current_thread, main_thread

import pytest

from flowledger.engine.errors import LeadershipLost
from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.runtime.coordinator.commit_contents import CommitBatch
from flowledger.engine.runtime.coordinator.commit_pipeline import CommitPipeline
from support.engines import PATIENCE

COMMIT = Commit(epoch=1, old=0, new=1)


def refuse(_: Commit) -> None:
    raise LeadershipLost("another leads")


@pytest.mark.parametrize("way", ["commit", "commit_in_background"])
def test_a_refusal_is_raised_where_the_outcome_is_asked_for(way: str) -> None:
    pending = getattr(CommitPipeline(refuse), way)(CommitBatch(), COMMIT)

    with pytest.raises(LeadershipLost):
        pending.outcome.result(PATIENCE)


def test_what_is_sent_here_is_stored_when_it_returns() -> None:
    sent: list[Commit] = []

    pending = CommitPipeline(sent.append).commit(CommitBatch(), COMMIT)

    assert sent == [COMMIT]
    assert pending.outcome.done()


def test_what_is_sent_beside_goes_one_after_the_other_in_another_thread() -> None:
    may_go = Event()
    order: list[object] = []

    def send(commit: Commit) -> None:
        assert may_go.wait(PATIENCE)
        assert current_thread() is not main_thread()
        order.append(commit)

    committer = CommitPipeline(send)
    first = committer.commit_in_background(CommitBatch(), COMMIT)
    committer.run_when_idle(lambda: order.append("after"))
    second = committer.commit_in_background(CommitBatch(), COMMIT)
    assert not first.outcome.done()
    may_go.set()

    second.outcome.result(PATIENCE)
    assert order == [COMMIT, "after", COMMIT]


def test_a_commit_that_is_never_answered_does_not_hold_up_the_end_of_the_process() -> None:
    waited_for: list[bool] = []
    committer = CommitPipeline(lambda _: waited_for.append(not current_thread().daemon))

    committer.commit_in_background(CommitBatch(), COMMIT).outcome.result(PATIENCE)

    assert waited_for == [False]


def test_its_thread_ends_when_it_is_closed() -> None:
    threads: list[Thread] = []
    committer = CommitPipeline(lambda _: threads.append(current_thread()))
    committer.commit_in_background(CommitBatch(), COMMIT).outcome.result(PATIENCE)

    committer.close()

    threads[0].join(PATIENCE)
    assert not threads[0].is_alive()


def test_what_is_done_after_a_commit_and_fails_stops_no_commit() -> None:
    def fail() -> None:
        raise ValueError("odd")

    sent: list[Commit] = []
    committer = CommitPipeline(sent.append)
    committer.run_when_idle(fail)

    committer.commit_in_background(CommitBatch(), COMMIT).outcome.result(PATIENCE)

    assert sent == [COMMIT]
