from __future__ import annotations
from contextlib import ExitStack
from lab import Lab, lab
from stepped import Stage
from flowledger.engine.domain.events import StepCompleted, StepError, StepFailed
from flowledger.handlers import Retry, Workflow

flow = Workflow("shop", "order", version="1", identity="strict")
LATER = Retry(max_attempts=5, backoff="fixed", base_seconds=3600.0, jitter="none")
NO = StepError(error_class="ValueError", message="no", category="unknown", retryable=True)

@flow.step
def first() -> int: return 1
@flow.step(after=[first], timeout=3600, concurrency={"limit": 1})
def runs() -> None: ...
@flow.step(after=[first], retry=LATER, system="bank")
def fails() -> None: ...
@flow.step(after=[first], start_timeout=7200)
def queued() -> None: ...
@flow.step(after=[runs, fails, queued])
def last() -> None: ...

def test_it(lab: Lab) -> None:
    with ExitStack() as opened:
        stage = Stage(lab, opened, flow)
        tasks = stage.client.submit_many(flow, [{"n": 1}, {"n": 2}])
        stage.settle()
        claims = stage.worker.exchange(limit=2).claims
        stage.worker.exchange([stage.worker.fact(StepCompleted, c, result=1) for c in claims])
        stage.settle()
        claims = {c.step: c for c in stage.worker.exchange(limit=2).claims}
        print(claims.keys())
        print(list(map(str, stage.client.verify())), "with unread")
        stage.worker.exchange([stage.worker.fact(StepFailed, claims["fails"], error=NO)])
        print(list(map(str, stage.client.verify())), "with unread")
        stage.settle()
        v = stage.client.verify()
        print(list(map(str, v)), v.tasks, v.events)
        for t in "task step queue timer held_step slot slot_key circuit identity tally".split():
            print(t, lab.rows(f"select * from flowledger.{t}"))
