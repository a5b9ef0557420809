"""Templates: what is refused and how it is said, the hash, the id, the difference."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from flowledger.engine.domain.templates.template import (
    Template,
    TemplateSize,
    difference,
    parse_template,
    validate_template,
)
from flowledger.engine.errors import InvalidTemplate


def document(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "namespace": "shop",
        "name": "order",
        "version": "1.0.0",
        "steps": list(steps),
        **fields,
    }


def template(*steps: dict[str, Any], **fields: Any) -> Template:
    return parse_template(document(*steps, **fields), "test")


def chain(length: int) -> list[dict[str, Any]]:
    return [{"name": f"s{n}", "dependencies": [f"s{n - 1}"] if n else []} for n in range(length)]


REFUSED: list[tuple[object, str]] = [
    ([], "f.yaml: should be a mapping, got [] (list)"),
    (None, "f.yaml: should be a mapping, got None (NoneType)"),
    ({}, "f.yaml: namespace: is missing (and 3 more)"),
    (document(), "f.yaml: steps: expected at least one step"),
    (
        document({"name": "a"}, version=1.0),
        "f.yaml: version: should be a valid string, got 1.0 (float)",
    ),
    (
        document({"name": "a"}, namespace="a/b"),
        "f.yaml: namespace: string should match pattern '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$',"
        " got 'a/b' (str)",
    ),
    (document({"name": "a"}, nmae="x"), "f.yaml: nmae: unknown key; did you mean 'name'?"),
    (
        document({"name": "a", "depends": []}),
        "f.yaml: steps[0].depends: unknown key; did you mean 'dependencies'?",
    ),
    (
        document({"name": "a", "retry": {"xyz": 3}}),
        "f.yaml: steps[0].retry.xyz: unknown key, expected asked_cap_seconds, backoff,"
        " base_seconds, cap_seconds, categories, factor, jitter, max_attempts",
    ),
    (
        document({"name": "a"}, {"name": "b", "retry": {"max_attempts": "3"}}),
        "f.yaml: steps[1].retry.max_attempts: should be a valid integer, got '3' (str)",
    ),
    (
        document({"name": "a", "timeout_seconds": 0}),
        "f.yaml: steps[0].timeout_seconds: should be greater than 0, got 0 (int)",
    ),
    (
        document({"name": " a"}),
        "f.yaml: steps[0].name: a step's name is printable, without blanks at its ends,"
        " got ' a' (str)",
    ),
    (
        document({"name": "context"}),
        "f.yaml: steps[0].name: 'context' is reserved for the task's context, got 'context' (str)",
    ),
    (
        document({"name": "a", "handler": {"initialization": {"limit": 2**60}}}),
        f"f.yaml: steps[0].handler.initialization: the integer {2**60} is beyond 2^53;"
        f" write it as a string, got {{'limit': {2**60}}} (dict)",
    ),
    (
        document({"name": "a"}, {"name": "a"}),
        "f.yaml: steps[1].name: duplicate step 'a', first at steps[0]",
    ),
    (
        document({"name": "pay"}, {"name": "b", "dependencies": ["pya"]}),
        "f.yaml: steps[1].dependencies[0]: step 'b' depends on unknown step 'pya';"
        " did you mean 'pay'?",
    ),
    (
        document({"name": "a"}, {"name": "b", "dependencies": ["a", "a"]}),
        "f.yaml: steps[1].dependencies[1]: step 'b' names 'a' twice",
    ),
    (
        document({"name": "a", "dependencies": ["a"]}),
        "f.yaml: steps: dependencies form a cycle: a -> a",
    ),
    (
        document(
            {"name": "start"},
            {"name": "c", "dependencies": ["b", "start"]},
            {"name": "b", "dependencies": ["a"]},
            {"name": "a", "dependencies": ["c"]},
            {"name": "end", "dependencies": ["a"]},
        ),
        "f.yaml: steps: dependencies form a cycle: a -> c -> b -> a",
    ),
    (
        document(
            {"name": "after", "dependencies": ["z"]},
            {"name": "z", "dependencies": ["y"]},
            {"name": "y", "dependencies": ["z"]},
        ),
        "f.yaml: steps: dependencies form a cycle: y -> z -> y",
    ),
]


@pytest.mark.parametrize(("data", "message"), REFUSED, ids=[text[8:60] for _, text in REFUSED])
def test_a_template_that_cannot_be_is_refused_with_its_place(data: object, message: str) -> None:
    with pytest.raises(InvalidTemplate) as refused:
        parse_template(data, "f.yaml")
    assert str(refused.value) == message


def test_infinite_numbers_in_a_context_schema_are_refused() -> None:
    with pytest.raises(InvalidTemplate, match=r"test: context"):
        template({"name": "a"}, context={"maximum": float("inf")})


def test_size_and_depth_have_limits() -> None:
    ten = template(*chain(10))
    validate_template(ten, TemplateSize(max_steps=10, max_depth=10))
    with pytest.raises(InvalidTemplate, match="10 steps are more than the limit of 9"):
        validate_template(ten, TemplateSize(max_steps=9))
    with pytest.raises(InvalidTemplate, match="a path of 10 steps is deeper than the limit of 9"):
        validate_template(ten, TemplateSize(max_depth=9))


def test_a_cycle_through_ten_thousand_steps_is_found_without_recursion() -> None:
    steps = chain(10_000)
    steps[0]["dependencies"] = ["s9999"]
    with pytest.raises(InvalidTemplate, match=r"cycle: s0 -> s9999 -> s9998 -> .* -> s1 -> s0$"):
        template(*steps)


CANONICAL_POLICIES = (
    b'"rate":null,"retry":{"asked_cap_seconds":3600,"backoff":"exponential","base_seconds":1,'
    b'"cap_seconds":60,"categories":null,"factor":2,"jitter":"full","max_attempts":3},'
    b'"start_timeout_seconds":null,"system":null,"timeout_seconds":null,"transactional":false,'
    b'"when_skipped":"continue"}'
)
CANONICAL_CHAIN = b"".join(
    [
        b'{"concurrency":null,"deadline_seconds":null,"identity":"always_unique","name":"order",',
        b'"namespace":"shop","on_failure":"fail","rate":null,"steps":[',
        b'{"concurrency":null,"dependencies":[],"handler":{"callable":"s0","initialization":{}},',
        b'"name":"s0",',
        CANONICAL_POLICIES,
        b',{"concurrency":null,"dependencies":["s0"],"handler":{"callable":"s1",',
        b'"initialization":{}},"name":"s1",',
        CANONICAL_POLICIES,
        b'],"version":"1.0.0"}',
    ]
)


def test_the_canonical_form_and_its_hash_are_pinned() -> None:
    # Another spelling would orphan every definition that is already recorded.
    pair = template(*chain(2))
    assert pair.canonical == CANONICAL_CHAIN
    assert pair.definition_hash == "v1:sha256:" + sha256(CANONICAL_CHAIN).hexdigest()


SAME = {
    "defaults written out": document(
        {"name": "a", "retry": {"max_attempts": 3}, "timeout_seconds": None, "dependencies": []},
        {"name": "b", "dependencies": ["a"]},
    ),
    "steps in another order": document({"name": "b", "dependencies": ["a"]}, {"name": "a"}),
    "descriptions": document(
        {"name": "a", "description": "x"}, {"name": "b", "dependencies": ["a"]}, description="y"
    ),
    "a context schema": document(
        {"name": "a"}, {"name": "b", "dependencies": ["a"]}, context={"type": "object"}
    ),
    "the place of the code": document(
        {"name": "a", "handler": {"callable": "shop.code:first"}},
        {"name": "b", "dependencies": ["a"]},
    ),
    "whole numbers as floats": document(
        {"name": "a", "retry": {"base_seconds": 1}}, {"name": "b", "dependencies": ["a"]}
    ),
}


@pytest.mark.parametrize("data", SAME.values(), ids=SAME.keys())
def test_the_hash_does_not_depend_on(data: dict[str, Any]) -> None:
    plain = template({"name": "a"}, {"name": "b", "dependencies": ["a"]})
    other = parse_template(data, "other")
    assert other.definition_hash == plain.definition_hash
    assert difference(plain, other) == ""


OTHER = {
    "a retry policy": document({"name": "a", "retry": {"max_attempts": 4}}),
    "a timeout": document({"name": "a", "timeout_seconds": 5}),
    "a handler's name": document({"name": "a", "handler": {"callable": "other"}}),
    "a handler's configuration": document({"name": "a", "handler": {"initialization": {"x": 1}}}),
    "the identity": document({"name": "a"}, identity="strict"),
    "the version": document({"name": "a"}, version="2"),
    "a step": document({"name": "a"}, {"name": "b"}),
}


@pytest.mark.parametrize("data", OTHER.values(), ids=OTHER.keys())
def test_the_hash_depends_on(data: dict[str, Any]) -> None:
    plain, other = template({"name": "a"}), parse_template(data, "other")
    assert other.definition_hash != plain.definition_hash
    assert difference(plain, other) != ""


def test_a_difference_shows_what_was_and_what_is() -> None:
    changed = difference(
        template({"name": "a"}), template({"name": "a", "retry": {"max_attempts": 7}})
    )
    assert '-        "max_attempts": 3' in changed
    assert '+        "max_attempts": 7' in changed


def test_the_template_id_follows_from_the_names_and_version_alone() -> None:
    one, same, other = (
        template({"name": "a"}),
        template({"name": "b"}),
        template({"name": "a"}, version="2"),
    )
    assert one.template_id == same.template_id != other.template_id
    assert (one.template_id.version, one.template_id.variant) == (8, "specified in RFC 4122")


def test_a_copy_with_another_version_has_another_hash() -> None:
    one = template({"name": "a"})
    before = (one.definition_hash, one.template_id)
    copy = one.model_copy(update={"version": "2"})
    assert copy.definition_hash != before[0]
    assert copy.template_id != before[1]


def test_a_handler_has_the_name_of_its_step_unless_it_is_given_one() -> None:
    steps = template(
        {"name": "a"},
        {"name": "b", "handler": {"initialization": {"x": 1}}},
        {"name": "c", "handler": {"callable": "other"}},
    ).steps
    assert [step.handler.callable for step in steps] == ["a", "b", "other"]
