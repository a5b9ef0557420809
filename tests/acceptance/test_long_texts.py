"""Texts that become part of a row of an index are bounded in bytes, whatever their letters."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

from flowledger.engine import Engine, InvalidSubmission, TaskHandle
from flowledger.engine.domain.argument_checks import MOST_BYTES, MOST_REASON_BYTES
from flowledger.engine.domain.context_value import LONGEST_VALUE
from flowledger.engine.errors import InvalidRequest
from flowledger.handlers import Workflow
from flowledger.projections.builtin import BUILTIN
from support.engines import PATIENCE, EngineHarness

LARGEST_INDEX_ROW = 2_704
"""Bytes: a third of a page of 8 kB; Postgres refuses a larger row of a B-tree."""

LARGEST_FIXED = 16
NAME, VERSION, STEP = 64, 32, 4 * 200
KEY_PATH = 8 * 65
LIMIT_KEY = len("step-key:///=") + 2 * NAME + STEP + KEY_PATH + LONGEST_VALUE

BOUNDS = {
    "applied_file.path": 200,  # of the release's own files
    "tracking.application_name": 63,
    "circuit.system": NAME,
    "system.system": NAME,
    "dependent_step.system": NAME,
    "identity.identity": len("strict:sha256:") + 64,
    "waiting_step.limit_key": LIMIT_KEY,
    "rate.limit_key": LIMIT_KEY,
    "slot.limit_key": LIMIT_KEY,
    "slot_count.limit_key": LIMIT_KEY,
    "template.name": NAME,
    "task.correlation_id": MOST_BYTES,
    "task.fairness_key": LONGEST_VALUE,
    "task.state": 32,  # one of a few words
    "operator_action.actor": MOST_BYTES,
    "annotation.kind": MOST_BYTES,
    "tag.tag": MOST_BYTES,
    "blocked_minute.reason": 32,  # one of a few words
    "projection.name": 63,
    "projection_rebuild.name": 63,
    "parked_event.name": 63,
}
"""Most bytes of each indexed text, by where it comes from."""

OF_TEMPLATES = {"namespace": NAME, "template": NAME, "version": VERSION, "step": STEP}

INDEXES = """
select c.relname || '.' || i.relname,
       array_agg(c.relname || '.' || a.attname order by k.ord),
       array_agg(a.attlen < 0 order by k.ord)
from pg_index x
join pg_class i on i.oid = x.indexrelid
join pg_class c on c.oid = x.indrelid
cross join lateral unnest(x.indkey::int2[]) with ordinality as k (att, ord)
join pg_attribute a on a.attrelid = c.oid and a.attnum = k.att
where c.relnamespace::regnamespace::text like 'flowledger%%'
group by 1
"""


class Word(StrEnum):
    URGENT = "urgent"


texts = Workflow("texts", "texts", version="1")


@texts.step
def done() -> None:
    """Nothing to do."""


@pytest.fixture(scope="module")
def engine(shared_harness: EngineHarness) -> Engine:
    engine = shared_harness.open(texts, projections=BUILTIN)
    shared_harness.until(
        lambda: shared_harness.value(
            "select count(*) = 5 from flowledger.projection where state = 'serving'"
        )
    )
    return engine


def bound(column: str) -> int | None:
    return BOUNDS.get(column, OF_TEMPLATES.get(column.partition(".")[2]))


def test_every_indexed_text_has_a_bound_that_an_index_holds(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    del engine
    sizes: dict[str, int] = {}
    for index, columns, texts_among in shared_harness.rows(INDEXES):
        for column, is_text in zip(columns, texts_among, strict=True):
            size = bound(column) if is_text else LARGEST_FIXED
            assert size is not None, f"{column} is indexed, and nothing bounds it"
            sizes[index] = sizes.get(index, 0) + size + 4

    assert {index: size for index, size in sizes.items() if size > LARGEST_INDEX_ROW} == {}


def varied(count: int) -> str:
    """Letters that do not compress, of three bytes each."""
    return "".join(chr(0x4E00 + number * 7) for number in range(count))


LONGEST = varied(MOST_BYTES // 3)
WAYS: dict[str, Callable[[TaskHandle, str], object]] = {
    "a tag": lambda task, text: task.tag(text, actor="ann"),
    "kind": lambda task, text: task.annotate(text, 1, actor="ann"),
    "actor": lambda task, text: task.cancel(actor=text, reason="why"),
    "key": lambda task, text: task.cancel(actor="ann", reason="why", key=text),
    "step": lambda task, text: task.step(text).cancel(actor="ann", reason="why"),
}


@pytest.mark.parametrize("what", WAYS)
def test_a_text_of_too_many_bytes_is_refused_however_few_letters_it_has(
    engine: Engine, what: str
) -> None:
    task = engine.submit(texts, {})

    with pytest.raises(InvalidRequest, match=f"{what} should have 1 to 1000 bytes in UTF-8, got 1"):
        WAYS[what](task, LONGEST + varied(1) + "ab")


@pytest.mark.parametrize("name", ["actor", "correlation_id", "idempotency_key", "tags"])
def test_a_submission_with_a_text_of_too_many_bytes_is_refused(engine: Engine, name: str) -> None:
    text: Any = LONGEST + varied(1) + "ab"

    with pytest.raises(InvalidSubmission, match="should have 1 to 1000 bytes in UTF-8"):
        engine.submit(texts, {}, **{name: [text] if name == "tags" else text})


def test_the_longest_texts_reach_every_read_model(
    engine: Engine, shared_harness: EngineHarness
) -> None:
    said: dict[str, Any] = {"actor": LONGEST, "reason": varied(MOST_REASON_BYTES // 3)}
    task = engine.submit(
        texts, {}, tags=[LONGEST], actor=LONGEST, correlation_id=LONGEST, idempotency_key=LONGEST
    )
    task.annotate(LONGEST, 1, **said)
    task.tag(LONGEST, **said)
    task.wait(PATIENCE)
    engine.pause_template("texts/texts@1", **said)
    engine.resume_template("texts/texts@1", **said)

    shared_harness.until(
        lambda: shared_harness.rows(
            "select 1 from flowledger_v1.operator_actions"
            " where actor = %s and action = 'template.resume'",
            LONGEST,
        )
    )
    behind = "select name, state from flowledger.projection where state <> 'serving'"
    assert shared_harness.rows(behind) == []


def test_texts_may_be_of_an_enumeration(engine: Engine, shared_harness: EngineHarness) -> None:
    task = engine.submit(
        texts, {}, tags=[Word.URGENT], actor=Word.URGENT, correlation_id=Word.URGENT
    )
    task.tag(Word.URGENT, actor=Word.URGENT)
    task.annotate(Word.URGENT, Word.URGENT, actor=Word.URGENT)
    task.wait(PATIENCE)

    assert {
        row[0]
        for row in shared_harness.rows(
            "select data ->> 'actor' from flowledger_v1.events"
            " where task_id = %s and data ->> 'actor' is not null",
            task.id,
        )
    } == {"urgent"}
