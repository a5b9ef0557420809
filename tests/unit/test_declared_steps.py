"""What a step is declared with, and what is said of a slip in it: with its workflow and step."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine.errors import InvalidTemplate
from flowledger.handlers import Workflow


def orders() -> Workflow[dict[str, Any]]:
    return Workflow("shop", "orders", version="1")


def ship() -> None: ...


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("ship", "the string 'ship'"),
        (ship, "the function 'ship'"),
        (3, r"3 \(int\)"),
        (None, r"None \(NoneType\)"),
        (b"ship", r"b'ship' \(bytes\)"),
    ],
)
def test_what_is_no_list_of_dependencies_is_refused(after: Any, told: str) -> None:
    workflow = orders()
    workflow.step(ship)

    with pytest.raises(
        InvalidTemplate,
        match=f"workflow {workflow.key}, step 'work': `after` is a list of steps, got {told}",
    ):

        @workflow.step(after=after)
        def work() -> None: ...


def test_a_list_of_dependencies_that_is_read_once_serves_all_that_it_declares() -> None:
    workflow = orders()
    workflow.step(ship)

    declare = workflow.step(after=(step for step in [ship]))

    @declare
    def one() -> None: ...

    @declare
    def two() -> None: ...

    assert [step.dependencies for step in workflow.template.steps] == [(), ("ship",), ("ship",)]


async def again(error: Exception) -> bool:
    return bool(error)


@pytest.mark.parametrize("retry_if", ["x", 3, ValueError, (ValueError,), again])
def test_what_cannot_say_whether_to_try_again_is_refused(retry_if: Any) -> None:
    workflow = orders()
    told = f"workflow {workflow.key}, step 'work': retry_if should be a plain function"

    with pytest.raises(InvalidTemplate, match=told):

        @workflow.step(retry_if=retry_if)
        def work() -> None: ...


@pytest.mark.parametrize("nothing", [{"retry": 0}, {"config": []}, {"name": ""}])
def test_what_is_given_and_empty_is_not_taken_for_what_was_left_out(nothing: Any) -> None:
    with pytest.raises(InvalidTemplate, match=r"workflow shop/.*, step .*(retry|handler|name)"):
        orders().step(**nothing)(ship)
