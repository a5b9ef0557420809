"""Templates of any shape: through YAML, JSON and their own dump, and in any order of steps."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.templates.retry_and_limit_policies import Concurrency, Rate, Retry
from flowledger.engine.domain.templates.template import (
    HandlerRef,
    StepTemplate,
    Template,
    parse_template,
    validate_template,
)
from flowledger.handlers import dump_template
from flowledger.handlers.task_template_file import template_from_text

# YAML cannot carry some control characters, nor lone surrogates.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", fullmatch=True)
VERSIONS = st.from_regex(r"[A-Za-z0-9_.+-]{1,32}", fullmatch=True)
STEP_NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda name: name.isprintable() and name.strip() == name and name != "context"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
SECONDS = st.floats(0, 1e6)
RETRIES = st.builds(
    Retry,
    max_attempts=st.integers(0, 100),
    backoff=st.sampled_from(["none", "fixed", "linear", "exponential", "fibonacci"]),
    base_seconds=SECONDS,
    factor=st.floats(1, 1e3),
    cap_seconds=SECONDS,
    jitter=st.sampled_from(["none", "equal", "full"]),
)
POSITIVE = st.floats(0.001, 1e6)
KEYS = st.none() | st.sampled_from(["customer_id", "order.customer.id", "a-b.c"])
AT_MOST = st.integers(1, 2**31 - 1)
CONCURRENCIES = st.none() | st.builds(Concurrency, limit=AT_MOST, key=KEYS)
RATES = st.none() | st.builds(Rate, limit=AT_MOST, per_seconds=POSITIVE, key=KEYS)


@st.composite
def templates(draw: st.DrawFn) -> Template:
    names = draw(st.lists(STEP_NAMES, min_size=1, max_size=6, unique=True))
    steps = [
        StepTemplate(
            name=name,
            handler=HandlerRef(
                callable=draw(NAMES | st.just("shop.code:run")), initialization=draw(OBJECTS)
            ),
            dependencies=tuple(draw(st.sets(st.sampled_from(names[:index])))) if index else (),
            retry=draw(RETRIES),
            timeout_seconds=draw(st.none() | POSITIVE),
            start_timeout_seconds=draw(st.none() | POSITIVE),
            when_skipped=draw(st.sampled_from(["continue", "stop"])),
            system=draw(st.none() | NAMES),
            transactional=draw(st.booleans()),
            concurrency=draw(CONCURRENCIES),
            rate=draw(RATES),
            description=draw(TEXT),
        )
        for index, name in enumerate(names)
    ]
    return Template(
        namespace=draw(NAMES),
        name=draw(NAMES),
        version=draw(VERSIONS),
        description=draw(TEXT),
        identity=draw(st.sampled_from(["always_unique", "strict", "caller_provided"])),
        on_failure=draw(st.sampled_from(["fail", "block"])),
        deadline_seconds=draw(st.none() | POSITIVE),
        concurrency=draw(CONCURRENCIES),
        rate=draw(RATES),
        context_schema=draw(st.none() | OBJECTS),
        steps=tuple(draw(st.permutations(steps))),
    )


@given(templates())
def test_a_template_is_the_same_after_yaml_and_after_json(template: Template) -> None:
    for form in ("yaml", "json"):
        read = template_from_text(dump_template(template, form), f"t.{form}")
        assert read == template
        assert read.definition_hash == template.definition_hash


@given(templates())
def test_a_template_is_the_same_after_its_own_dump(template: Template) -> None:
    again = parse_template(template.model_dump(mode="json"), "dump")
    assert again == template
    assert again.definition_hash == template.definition_hash


@given(templates(), st.data())
def test_the_order_of_steps_and_dependencies_does_not_change_the_hash(
    template: Template, data: Any
) -> None:
    validate_template(template)
    shuffled = [
        step.model_copy(
            update={"dependencies": tuple(data.draw(st.permutations(step.dependencies)))}
        )
        for step in data.draw(st.permutations(template.steps))
    ]
    other = template.model_copy(update={"steps": tuple(shuffled)})
    assert other.definition_hash == template.definition_hash
