"""Schemas of contexts that could not be followed are refused; others are checked to their end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.templates.template import HandlerRef, StepTemplate, Template
from flowledger.engine.errors import InvalidContext, InvalidTemplate
from flowledger.handlers.registry import Registry
from flowledger.handlers.template_with_handlers import TemplateWorkflow, workflow_from_template

FOREVER = "refers to itself, and would be checked for ever"
NOWHERE = "is not in this schema, and no other is fetched"
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"$ref": "#"}, "list": {"items": {"$ref": "#"}}},
    "additionalProperties": False,
}


def of(schema: dict[str, Any]) -> TemplateWorkflow:
    template = Template(
        namespace="a",
        name="b",
        version="1",
        context_schema=schema,
        steps=(StepTemplate(name="one", handler=HandlerRef(callable="one")),),
    )
    return workflow_from_template(template, Registry())


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"$ref": "#"}, f"context.$ref: {FOREVER}"),
        (
            {"properties": {"a": {"$ref": "#/properties/a"}}},
            f"context.properties.a.$ref: {FOREVER}",
        ),
        ({"allOf": [{"type": "object"}, {"$ref": "#"}]}, f"context.allOf[1].$ref: {FOREVER}"),
        ({"not": {"anyOf": [{"$ref": "#"}]}}, f"context.not.anyOf[0].$ref: {FOREVER}"),
        ({"if": True, "then": {"$ref": "#"}}, f"context.then.$ref: {FOREVER}"),
        ({"dependentSchemas": {"a": {"$ref": "#"}}}, f"context.dependentSchemas.a.$ref: {FOREVER}"),
        ({"$anchor": "a", "$ref": "#a"}, f"context.$ref: {FOREVER}"),
        ({"$id": "http://x/y", "$ref": "http://x/y"}, f"context.$ref: {FOREVER}"),
        (
            {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            f"$ref: {FOREVER}",
        ),
        ({"items": {"$ref": "#/$defs/x"}}, f"context.items.$ref: '#/$defs/x' {NOWHERE}"),
        ({"$ref": "file:///etc/passwd"}, f"context.$ref: 'file:///etc/passwd' {NOWHERE}"),
        ({"$dynamicRef": "#there"}, f"context.$dynamicRef: '#there' {NOWHERE}"),
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_followed_is_refused_and_the_place_named(
    schema: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidTemplate) as error:
        of(schema)
    assert str(error.value).startswith("template a/b@1: context.")
    assert str(error.value).endswith(fault)


@pytest.mark.parametrize(
    "schema",
    [
        TREE,
        {"$defs": {"a": {"type": "object"}}, "allOf": [{"$ref": "#/$defs/a"}] * 2},
        {"$defs": {"a": {"$id": "http://x/a", "$defs": {"b": {}}, "items": {"$ref": "#/$defs/b"}}}},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "#/nowhere"}, "title": "t"},
        {"$schema": "https://example.com/unknown", "type": "object"},
        {"properties": {"a": True}, "additionalProperties": False},
    ],
    ids=str,
)
def test_a_schema_that_can_be_followed_is_taken(schema: dict[str, Any]) -> None:
    of(schema)


def chain(length: int) -> dict[str, Any]:
    """A schema of references, each to the next; the last is of the value's part `a`."""
    links = {str(number): {"$ref": f"#/$defs/{number + 1}"} for number in range(length)}
    last = {"properties": {"a": {"$ref": "#/$defs/0"}}}
    return {"$defs": {**links, str(length): last}, "$ref": "#/$defs/0"}


def test_a_value_nested_too_deeply_for_its_schema_is_refused() -> None:
    workflow, value = of(chain(60)), dict[str, Any]()
    for _ in range(90):
        value = {"a": value}
    with pytest.raises(InvalidContext, match=r"^a/b@1: context: is nested too deeply"):
        workflow.encode_context(value)


def test_a_dynamic_reference_that_never_ends_is_told_of_the_context() -> None:
    endless = of({"$dynamicAnchor": "a", "$dynamicRef": "#a"})
    with pytest.raises(InvalidContext, match=r"^a/b@1: context: is nested too deeply"):
        endless.encode_context({})


def test_a_schema_with_too_long_a_chain_of_references_is_refused() -> None:
    with pytest.raises(InvalidTemplate, match=r"^template a/b@1: context: the schema is nested"):
        of(chain(5_000))


NAMES = ["a", "b", "c"]
REFERENCE = st.sampled_from(NAMES).map(lambda name: {"$ref": f"#/$defs/{name}"})
PART = st.one_of(
    REFERENCE,
    st.lists(REFERENCE, min_size=1, max_size=2).map(lambda found: {"anyOf": found}),
    REFERENCE.map(lambda found: {"properties": {"x": found}}),
    REFERENCE.map(lambda found: {"if": {"required": ["x"]}, "then": found}),
    st.just({"type": "object"}),
)


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, PART)), REFERENCE)
def test_a_schema_that_is_taken_is_checked_to_its_end(
    named: dict[str, Any], start: dict[str, Any]
) -> None:
    try:
        workflow = of({"$defs": named, **start})
    except InvalidTemplate as error:
        assert FOREVER in str(error)  # noqa: PT017 - what is not refused goes on
        return
    for value in ({}, {"x": {}}, {"x": {"x": 1}}):
        try:
            workflow.encode_context(value)
        except InvalidContext as error:
            assert "nested" not in str(error)  # noqa: PT017
