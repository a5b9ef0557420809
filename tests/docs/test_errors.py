"""The page on errors is what the classes, the tables and the policy say; its examples work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flowledger.engine.domain.failures.classification import TYPES, Classification, StepFault
from flowledger.engine.domain.failures.http import STATUSES, status_category
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.events.step import StepError
from flowledger.handlers import errors
from flowledger.handlers.http.call_options import HttpCall
from flowledger.handlers.yaml_json_parser import parse_document

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text("utf-8")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as the page has it."""
    lines = [list(head), ["---"] * len(list(head)), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    assert found
    return found[1]


def yes(value: object) -> str:
    return "yes" if value else "no"


def faults() -> str:
    bases = (StepFault, errors.PermanentFault, errors.RetryableFault)
    kinds: list[type[StepFault]] = [getattr(errors, name) for name in errors.__all__]
    ordered = sorted(kinds, key=lambda kind: (kind.retryable, kind not in bases, kind.__name__))
    return table(
        ("exception", "category", "tried again", "for"),
        (
            (f"`{kind.__name__}`", kind.category, yes(kind.retryable), first_sentence(kind))
            for kind in ordered
            if kind is not StepFault
        ),
    )


def first_sentence(kind: type[Any]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def types() -> str:
    grouped: dict[Classification, list[str]] = {}
    for name, meaning in TYPES.items():
        grouped.setdefault(meaning, []).append(f"`{name.removeprefix('builtins.')}`")
    return table(
        ("category", "tried again", "exceptions, and what derives from them"),
        (
            (meaning.category, yes(meaning.retryable), ", ".join(names))
            for meaning, names in grouped.items()
        ),
    )


def statuses() -> str:
    other = {"other 5xx": status_category(599), "every other": status_category(418)}
    return table(
        ("status", "category", "tried again"),
        (
            (status, category, yes(retryable))
            for status, (category, retryable) in [*STATUSES.items(), *other.items()]
        ),
    )


def policy() -> str:
    return table(
        ("key", "default"),
        (
            (f"`{name}`", f"`{field.default}`" if field.default is not None else "every category")
            for name, field in Retry.model_fields.items()
        ),
    )


def test_the_page_lists_every_fault() -> None:
    assert faults() in PAGE, f"paste this:\n{faults()}"


def test_the_page_lists_every_type_that_the_classifier_knows() -> None:
    assert types() in PAGE, f"paste this:\n{types()}"


def test_the_page_lists_every_status() -> None:
    assert statuses() in PAGE, f"paste this:\n{statuses()}"


def test_the_page_lists_every_key_of_a_policy_with_its_default() -> None:
    assert policy() in PAGE, f"paste this:\n{policy()}"


def test_the_page_names_every_field_that_is_kept() -> None:
    assert [name for name in StepError.model_fields if f"`{name}`" not in PAGE] == []


def test_the_examples_in_python_run() -> None:
    names: dict[str, Any] = {}
    for example in re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S):
        exec(example, names)  # noqa: S102 - the page is ours

    assert names["classifier"](names["CardError"]()).category == "business"
    assert names["orders"].handlers["charge"].retry_if is names["is_busy"]


def test_the_example_in_yaml_is_a_step_that_can_be() -> None:
    document: Any = parse_document(block("yaml"), "errors.md")
    (step,) = document["steps"]

    HttpCall.model_validate(step["handler"]["initialization"])
    Retry.model_validate(step["retry"])


def test_the_page_names_every_key_of_an_http_step() -> None:
    assert [name for name in HttpCall.model_fields if f"`{name}`" not in PAGE] == []
