"""Text that Postgres cannot store is refused where it enters, and stops nobody but who sent it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from flowledger.engine import Engine, TaskHandle, TaskState
from flowledger.engine.errors import EngineError
from flowledger.engine.events.step import StepAttemptFailed
from flowledger.handlers import Retry, StepContext, Workflow
from support.engines import PATIENCE, EngineHarness, of_kind

BAD = ("\0", "a\0b", "\ud800", "b\udfff")

flow = Workflow("unstorable", "flow", version="1")
named = Workflow("unstorable", "named", version="1", identity="caller_provided")
saying = Workflow("unstorable", "saying", version="1")
echo = Workflow("unstorable", "echo", version="1")
beating = Workflow("unstorable", "beating", version="1")

poisoned, released = Event(), Event()


@flow.step
def works() -> str:
    return "well"


@echo.step
def echoes(context: dict[str, Any]) -> dict[str, Any]:
    return context


@named.step
def works_too() -> str:
    return "well"


@saying.step(retry=Retry(max_attempts=1))
def says(context: dict[str, Any], step: StepContext) -> None:
    what, text = context["what"], bytes(context["text"]).decode("utf-16-le", "surrogatepass")
    SAID[what](step, text)


SAID: dict[str, Callable[[StepContext, str], None]] = {
    "heartbeat": lambda step, text: step.heartbeat({"a": [text]}),
    "heartbeat key": lambda step, text: step.heartbeat({text: 1}),
    "checkpoint": lambda step, text: step.checkpoint([text]),
    "checkpoint key": lambda step, text: step.checkpoint({"a": {text: 1}}),
}


@beating.step
def beats(context: dict[str, str], step: StepContext) -> str:
    """Until it is released, as often as it can."""
    while not released.wait(0.01):
        step.heartbeat({"says": context["says"]})
        poisoned.set()
    return context["says"]


def declared(**fields: Any) -> Workflow[dict[str, Any]]:
    made = Workflow("unstorable", "made", version="1", description=fields.get("description", ""))

    @made.step(config=fields.get("config"), description=fields.get("of_step", ""))
    def only() -> None:
        """Nothing."""

    return made


Enters = Callable[[Engine, TaskHandle, str], object]
WHO: dict[str, Any] = {"reason": "why", "actor": "ann", "timeout": 0}
INPUTS: dict[str, Enters] = {
    "submit key": lambda e, _, text: e.submit(named, {}, idempotency_key=text),
    "submit correlation_id": lambda e, _, text: e.submit(flow, {}, correlation_id=text),
    "submit actor": lambda e, _, text: e.submit(flow, {}, actor=text),
    "submit tags": lambda e, _, text: e.submit(flow, {}, tags=[text]),
    "description": lambda e, _, text: e.submit(declared(description=text), {}),
    "step's description": lambda e, _, text: e.submit(declared(of_step=text), {}),
    "config": lambda e, _, text: e.submit(declared(config={"a": [text]}), {}),
    "config key": lambda e, _, text: e.submit(declared(config={"a": {text: 1}}), {}),
    "namespace": lambda e, _, text: Workflow(text, "made", version="1"),
    "name": lambda e, _, text: Workflow("unstorable", text, version="1"),
    "version": lambda e, _, text: Workflow("unstorable", "made", version=text),
    "system": lambda e, _, text: flow.step(name="x", system=text)(works),
    "cancel reason": lambda _, task, text: task.cancel(**{**WHO, "reason": text}),
    "cancel actor": lambda _, task, text: task.cancel(**{**WHO, "actor": text}),
    "cancel key": lambda _, task, text: task.cancel(**WHO, key=text),
    "annotation kind": lambda _, task, text: task.annotate(text, 1, actor="ann"),
    "annotation": lambda _, task, text: task.annotate("kind", {"a": text}, actor="ann"),
    "annotation key": lambda _, task, text: task.annotate("kind", {text: 1}, actor="ann"),
    "annotation actor": lambda _, task, text: task.annotate("kind", 1, actor=text),
    "tag": lambda _, task, text: task.tag(text, actor="ann"),
    "untag": lambda _, task, text: task.untag(text, actor="ann"),
    "template reason": lambda e, _, text: e.pause_template(
        flow.template.key, reason=text, actor="ann"
    ),
    "template actor": lambda e, _, text: e.pause_template(
        flow.template.key, reason="why", actor=text
    ),
}


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    return shared_harness.open(flow, named, saying, echo, worker={"heartbeat_seconds": 0.05})


@pytest.fixture(scope="module")
def task(engine: Engine) -> TaskHandle:
    return engine.submit(flow, {})


@pytest.mark.parametrize("what", INPUTS)
def test_it_is_refused_by_one_clear_error_and_nothing_is_stored(
    engine: Engine, shared_harness: EngineHarness, task: TaskHandle, what: str
) -> None:
    task.wait(PATIENCE)
    before = shared_harness.value("select count(*) from flowledger.event")

    for text in BAD:
        with pytest.raises(EngineError) as refused:
            INPUTS[what](engine, task, text)
        assert "SQLSTATE" not in str(refused.value)

    assert shared_harness.value("select count(*) from flowledger.event") == before


SEEN_NOWHERE = (" ", "\u00a0", "\u200b", "\u2060\ufeff", "\u3164", "\ufe0f")
OF_PEOPLE = [
    "submit key",
    "submit correlation_id",
    "submit actor",
    "submit tags",
    "cancel reason",
    "cancel actor",
    "cancel key",
    "annotation kind",
    "annotation actor",
    "tag",
    "untag",
    "template reason",
    "template actor",
]


@pytest.mark.parametrize("what", OF_PEOPLE)
def test_a_text_of_which_nothing_is_seen_is_refused(
    engine: Engine, shared_harness: EngineHarness, task: TaskHandle, what: str
) -> None:
    task.wait(PATIENCE)
    before = shared_harness.value("select count(*) from flowledger.event")

    for text in SEEN_NOWHERE:
        with pytest.raises(EngineError, match="must say something visible"):
            INPUTS[what](engine, task, text)

    assert shared_harness.value("select count(*) from flowledger.event") == before


@pytest.mark.parametrize("text", ["a", "\u00a0é", "\U0001f469\u200d\U0001f4bb", "क्‍ष", "."])
def test_a_text_of_which_something_is_seen_is_taken(engine: Engine, text: str) -> None:
    assert engine.submit(flow, {}, actor=text, tags=[text]).wait(PATIENCE) is TaskState.COMPLETE


def test_a_null_character_is_kept_where_the_log_alone_has_it(engine: Engine) -> None:
    """Contexts and results; what other tables hold as well is refused, as above."""
    assert engine.submit(echo, {"a\0": "b\0"}).result(PATIENCE) == {"echoes": {"a\0": "b\0"}}


@pytest.mark.parametrize("what", SAID)
def test_what_a_handler_says_of_itself_is_refused_there(engine: Engine, what: str) -> None:
    for text in BAD:
        units = list(text.encode("utf-16-le", "surrogatepass"))
        said = engine.submit(saying, {"what": what, "text": units})

        assert said.wait(PATIENCE) is TaskState.ERROR
        (failed,) = of_kind(said.history(), StepAttemptFailed)
        assert failed.error.error_class == "InvalidResult"
        assert what.split(maxsplit=1)[0] in failed.error.message


def test_a_beat_that_the_database_refuses_is_dropped_and_the_others_are_noted(
    harness: EngineHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """What no check foresees: a trigger of somebody's."""
    harness.rows(
        "create function public.refuse() returns trigger language plpgsql as $$ begin"
        " if new.heartbeat_details::text like '%%poison%%' then"
        " raise exception 'not here' using errcode = '22P05'; end if; return new; end $$;"
        " create trigger refuse before update on flowledger.queue"
        " for each row execute function public.refuse()"
    )
    engine = harness.open(beating, flow, worker={"heartbeat_seconds": 0.05, "poll_seconds": 0.05})
    bad = engine.submit(beating, {"says": "poi" + "son"})
    assert poisoned.wait(PATIENCE)
    good = engine.submit(beating, {"says": "well"})

    noted = "select count(*) from flowledger.queue where heartbeat_details ->> 'says' = 'well'"
    harness.until(lambda: harness.value(noted) == 1)
    harness.until(lambda: "worker.heartbeat_refused" in caplog.text)
    assert engine.submit(flow, {}).result(PATIENCE) == {"works": "well"}
    released.set()

    assert bad.result(PATIENCE) == {"beats": "poison"}
    assert good.result(PATIENCE) == {"beats": "well"}
    assert engine.health["worker"].ok


def test_text_that_only_looks_like_a_null_is_taken(engine: Engine) -> None:
    """A backslash and what follows it, as characters."""
    units = list("\\u0000".encode("utf-16-le"))

    for what in SAID:
        said = engine.submit(saying, {"what": what, "text": units})
        assert said.wait(PATIENCE) is TaskState.COMPLETE
