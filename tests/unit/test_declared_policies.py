"""Policies that users make in Python, and what is said of one that cannot be."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from flowledger.engine.domain.templates.retry_and_limit_policies import Concurrency, Rate
from flowledger.engine.errors import InvalidTemplate
from flowledger.handlers import Retry, Workflow

BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: Retry(max_attempts=-1), "Retry: max_attempts: should be greater than or equal to 0"),
    (lambda: Retry(max_attempts=2.5), "Retry: max_attempts: "),  # type: ignore[arg-type]
    (lambda: Retry(max_attempts=2**40), "Retry: max_attempts: should be less than"),
    (lambda: Retry(base_seconds=float("nan")), "Retry: base_seconds: "),
    (lambda: Retry(cap_seconds=1e300), "Retry: cap_seconds: should be less than"),
    (lambda: Retry(attempts=3), "Retry: attempts: unknown key"),  # type: ignore[call-arg]
    (lambda: Retry(backoff="wild"), "Retry: backoff: should be"),  # type: ignore[arg-type]
    (lambda: Concurrency(limit=0), "Concurrency: limit: should be greater than"),
    (lambda: Rate(limit=1, per_seconds=-1), "Rate: per_seconds: should be greater than 0"),
    (lambda: Rate(limit=1), "Rate: per_seconds: is missing"),  # type: ignore[call-arg]
]


@pytest.mark.parametrize(("make", "said"), BAD, ids=[said for _, said in BAD])
def test_a_policy_that_cannot_be_is_the_engines_own_error(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(InvalidTemplate) as error:
        make()

    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_policy_in_a_definition_names_its_place() -> None:
    workflow = Workflow("a", "b", version="1")

    with pytest.raises(InvalidTemplate, match=r"step 's': concurrency\.limit: should be"):
        workflow.step(name="s", concurrency={"limit": 0})(lambda: None)


def test_a_policy_is_copied_and_pickled_as_it_is() -> None:
    policy = Retry(max_attempts=7)

    assert copy.deepcopy(policy) == policy == pickle.loads(pickle.dumps(policy))  # noqa: S301
    assert policy.model_copy(update={"max_attempts": 2}).max_attempts == 2
