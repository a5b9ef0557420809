"""When two submissions are the same task."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.argument_checks import identity_of
from flowledger.engine.errors import MissingIdempotencyKey
from support.builders import diamond

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def identity(strategy: str, context: Any, key: str | None = None, **fields: Any) -> str | None:
    chosen = diamond().model_copy(update={"identity": strategy, **fields})
    return identity_of(chosen, context, key)


def test_every_submission_is_a_task_unless_the_template_says_otherwise() -> None:
    assert identity("always_unique", {"id": 1}) is None


def test_the_same_strict_context_is_the_same_task_in_whatever_order_it_is_written() -> None:
    assert identity("strict", {"a": 1, "b": [2]}) == identity("strict", {"b": [2], "a": 1})


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"namespace": "bank"}, id="namespace"),
        pytest.param({"name": "refund"}, id="name"),
        pytest.param({"version": "2"}, id="version"),
    ],
)
def test_a_strict_task_of_another_template_is_another(other: dict[str, str]) -> None:
    assert identity("strict", {"id": 1}) != identity("strict", {"id": 1}, **other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"id": 1}, {"id": "1"}),
        ({"id": None}, {}),
        ([1, 2], [2, 1]),
        ("é", "e\u0301"),
        (True, 1),
        (None, "null"),
    ],
)
def test_other_contexts_are_other_tasks(one: Any, other: Any) -> None:
    assert identity("strict", one) != identity("strict", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        ([{"a": 0.0}], [{"a": -0.0}]),
        ({"a": 1e15}, {"a": 10**15}),
        (float(2**63), 2**63),
    ],
)
def test_equal_numbers_are_the_same_context(one: Any, other: Any) -> None:
    assert identity("strict", one) == identity("strict", other)


def test_unequal_numbers_are_other_contexts_however_large() -> None:
    numbers = [2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 1.5, 2.0**64, 1e300, 5e-324]

    assert len({identity("strict", number) for number in numbers}) == len(numbers)


def test_a_key_of_the_callers_goes_before_every_strategy() -> None:
    found = {
        identity(strategy, {"id": n}, "k")
        for n, strategy in enumerate(("always_unique", "strict", "caller_provided"))
    }

    assert len(found) == 1


def test_a_key_belongs_to_its_template_in_all_its_versions() -> None:
    key = identity("caller_provided", None, "k")

    assert key == identity("caller_provided", None, "k", version="2")
    assert key != identity("caller_provided", None, "k", name="refund")
    assert key != identity("caller_provided", None, "K")


def test_a_strategy_that_needs_a_key_says_so() -> None:
    with pytest.raises(MissingIdempotencyKey, match=r"shop/order@1 .* needs an idempotency_key"):
        identity("caller_provided", {"id": 1})


def test_an_empty_key_is_a_key() -> None:
    assert identity("caller_provided", None, "") is not None


@given(JSON)
def test_an_identity_is_a_digest_of_any_context(context: Any) -> None:
    found = identity("strict", context)

    assert found is not None
    assert found.startswith("strict:sha256:")
    assert len(found) == len("strict:sha256:") + 64


SUBMITTED = """
from dataclasses import dataclass
from typing import Any
from pydantic import BaseModel, Field, RootModel
from flowledger.engine.domain.argument_checks import identity_of
from flowledger.handlers import Workflow

class Named(RootModel[set[str]]): pass

@dataclass
class Data:
    words: frozenset[str]

class Inner(BaseModel):
    words: set[str] = Field(alias="theWords")

class Context(BaseModel):
    words: set[str]
    inner: list[Inner]
    data: dict[str, Data]
    named: Named
    groups: set[frozenset[str]]
    pair: tuple[int, set[str]]

words = ["é", "b", "c", "d", "e", "f", "g"]
flow = Workflow("n", "t", version="1", identity="strict", context=Context)
flow.step(name="a")(lambda: None)
context = Context(
    words=set(words),
    inner=[Inner(theWords=set(words))],
    data={"x": Data(frozenset(words))},
    named=Named(set(words)),
    groups={frozenset(words[:3]), frozenset(words[3:])},
    pair=(1, set(words)),
)
print(identity_of(flow.template, flow.encode_context(context), None))
"""


def test_an_identity_is_the_same_in_every_process_whatever_the_order_of_its_sets() -> None:
    found = {
        subprocess.run(  # noqa: S603 - this interpreter, this code
            [sys.executable, "-c", SUBMITTED],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(found) == 1
    assert found.pop().startswith("strict:sha256:")
