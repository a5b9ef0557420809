"""A plan: names as numbers, edges in both directions."""

from __future__ import annotations

import pytest

from flowledger.engine.domain.templates.compiled_template import ancestors, compile_plan
from support.builders import diamond, step, template


def test_steps_are_numbered_as_the_template_lists_them() -> None:
    plan = compile_plan(template(step("b", "a"), step("a")))

    assert dict(plan.numbers) == {"b": 0, "a": 1}
    assert [s.name for s in plan.steps] == ["b", "a"]
    assert plan.template_id == plan.template.template_id


def test_children_are_parents_turned_around() -> None:
    plan = compile_plan(diamond())

    assert plan.parents == ((), (0,), (0,), (1, 2))
    assert plan.children == ((1, 2), (3,), (3,), ())


def test_roots_are_the_steps_without_parents() -> None:
    assert compile_plan(diamond()).roots == {0}
    assert compile_plan(template(step("b", "a"), step("a"), step("c"))).roots == {1, 2}


def test_steps_with_a_limit_of_time_or_any_other_limit_may_wait_for_a_time() -> None:
    plan = compile_plan(
        template(
            step("plain"),
            step("bounded", timeout_seconds=1.0),
            step("urgent", start_timeout_seconds=1.0),
            step("remote", system="bank"),
        )
    )

    assert plan.timed == {1, 2, 3}


def test_a_dependency_named_twice_is_one_edge() -> None:
    plan = compile_plan(template(step("a"), step("b", "a", "a")))

    assert (plan.parents, plan.children) == (((), (0,)), ((1,), ()))


def test_numbers_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        compile_plan(diamond()).numbers["x"] = 9  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("start", set()),
        ("left", {"start"}),
        ("end", {"start", "left", "right"}),
    ],
)
def test_ancestors_are_all_that_must_come_before(name: str, found: set[str]) -> None:
    assert ancestors(compile_plan(diamond()), name) == found


def test_a_long_chain_needs_no_recursion() -> None:
    chain = [step("0"), *(step(str(n), str(n - 1)) for n in range(1, 2_000))]

    assert len(ancestors(compile_plan(template(*chain)), "1999")) == 1_999
