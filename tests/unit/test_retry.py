"""Retry delays: the table of backoffs, jitter, and the fields that are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from flowledger.engine.config import KNOWN
from flowledger.engine.domain.templates.retry_and_limit_policies import Retry
from flowledger.engine.domain.templates.template import parse_template
from flowledger.handlers import Workflow
from flowledger.handlers.yaml_json_parser import parse_document

ROOT = Path(__file__).parents[2]


def nothing() -> None:
    """A step without a policy."""


FIRST_SIX = {
    "none": [0, 0, 0, 0, 0, 0],
    "fixed": [2, 2, 2, 2, 2, 2],
    "linear": [2, 4, 6, 8, 10, 12],
    "exponential": [2, 6, 18, 20, 20, 20],
    "fibonacci": [2, 2, 4, 6, 10, 16],
}


@pytest.mark.parametrize("backoff", FIRST_SIX)
def test_the_first_delays_of(backoff: str) -> None:
    policy = Retry(backoff=backoff, base_seconds=2, factor=3, cap_seconds=20, jitter="none")
    assert [policy.delay(failures, 0.5) for failures in range(1, 7)] == FIRST_SIX[backoff]


@pytest.mark.parametrize(
    ("jitter", "random", "delay"),
    [("none", 0.25, 8), ("equal", 0, 4), ("equal", 0.5, 6), ("full", 0, 0), ("full", 0.5, 4)],
)
def test_jitter_takes_part_of_the_delay_away(jitter: str, random: float, delay: float) -> None:
    assert Retry(backoff="fixed", base_seconds=8, jitter=jitter).delay(1, random) == delay


def test_a_huge_number_of_failures_does_not_overflow() -> None:
    for backoff in ("linear", "exponential", "fibonacci"):
        policy = Retry(backoff=backoff, base_seconds=0.1, cap_seconds=30, jitter="none")
        assert policy.delay(10**400, 0.0) == 30


def test_a_factor_of_one_never_grows() -> None:
    policy = Retry(backoff="exponential", base_seconds=2, factor=1, jitter="none")
    assert policy.delay(10**400, 0.0) == 2


def test_no_base_is_no_delay_however_often_the_step_failed() -> None:
    for backoff in ("linear", "exponential", "fibonacci"):
        assert Retry(backoff=backoff, base_seconds=0, jitter="none").delay(10**9, 0.0) == 0


@pytest.mark.parametrize(
    ("asked", "delay"),
    [(None, 8), (0, 8), (7.5, 8), (9, 9), (60, 60), (61, 60), (float("inf"), 60)],
)
def test_what_a_service_asked_for_is_waited_for_up_to_its_cap(
    asked: float | None, delay: float
) -> None:
    policy = Retry(
        backoff="fixed", base_seconds=8, cap_seconds=20, jitter="none", asked_cap_seconds=60
    )

    assert policy.delay(1, 0.5, asked) == delay


def test_without_a_list_every_retryable_failure_is_tried_again() -> None:
    assert Retry().retries("unknown")
    assert not Retry().retries("timeout", retryable=False)


def test_with_a_list_only_its_categories_are_tried_again() -> None:
    policy = Retry(categories=("timeout", "network"))

    assert policy.retries("timeout")
    assert not policy.retries("rate_limit")
    assert not policy.retries("timeout", retryable=False)


def test_a_policy_in_yaml_may_have_every_key() -> None:
    """YAML reads some words as truth values: no key may be one of them."""
    policy = Retry(categories=("timeout",))
    lines = [f"    {key}: {json.dumps(value)}" for key, value in policy.model_dump().items()]
    head = ["namespace: n", "name: t", 'version: "1"', "steps:", "- name: a", "  retry:"]
    document = parse_document("\n".join([*head, *lines]), "file.yaml")

    assert parse_template(document, "file.yaml").steps[0].retry == policy


def test_a_list_of_categories_has_one_spelling() -> None:
    assert Retry(categories=("timeout", "network", "timeout")) == Retry(
        categories=("network", "timeout")
    )


def test_a_step_without_a_policy_has_the_one_default_however_it_is_declared() -> None:
    flow = Workflow("retries", "default", version="1")
    flow.step(nothing)
    document = {"namespace": "n", "name": "t", "version": "1", "steps": [{"name": "a"}]}
    spelled = {**document, "steps": [{"name": "a", "retry": {}}]}

    assert flow.template.steps[0].retry == Retry()
    assert parse_template(document, "file").steps[0].retry == Retry()
    assert parse_template(spelled, "file").steps[0].retry == Retry()


def test_neither_the_configuration_nor_the_database_has_a_policy_of_its_own() -> None:
    policy = set(Retry.model_fields)
    files = [path.read_text("utf-8") for path in (ROOT / "sql").rglob("*.sql")]

    assert [keys for keys in KNOWN.values() if policy & set(keys)] == []
    assert [
        text for text in files if re.search(r"jitter|cap_seconds|base_seconds|factor\b\s*\*", text)
    ] == []


def test_failures_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1, got 0"):
        Retry().delay(0, 0.5)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_attempts": -1},
        {"max_attempts": "3"},
        {"max_attempts": True},
        {"max_attempts": 2**31},
        {"base_seconds": -0.1},
        {"base_seconds": float("nan")},
        {"cap_seconds": float("inf")},
        {"factor": 0.5},
        {"backoff": "quadratic"},
        {"jitter": "some"},
        {"attempts": 3},
        {"categories": []},
        {"categories": ["weather"]},
        {"categories": "timeout"},
        {"asked_cap_seconds": -1},
    ],
    ids=str,
)
def test_a_policy_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Retry.model_validate(fields)
