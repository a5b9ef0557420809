"""YAML by the core schema of version 1.2."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.strict_yaml_reader import BrokenYaml, read_yaml, write_yaml
from flowledger.handlers.task_template_file import template_from_text

ROOT = Path(__file__).parents[2]
CORE: list[tuple[str, Any]] = [
    *((word, word) for word in ("yes", "no", "on", "off", "y", "n", "Yes", "NO", "tRUE")),
    *((word, word) for word in ("10:30", "1:2:3.5", "2024-05-06", "1_000", "=", "0b11", "0o8")),
    *((word, word) for word in ("+.nan", "1e", "..", "-x", "0xg", "nUll", "1.5.2")),
    *((word, None) for word in ("null", "Null", "NULL", "~", "")),
    *((word, True) for word in ("true", "True", "TRUE")),
    *((word, False) for word in ("false", "False", "FALSE")),
    ("010", 10),
    ("01234", 1234),
    ("-7", -7),
    ("+7", 7),
    ("0o17", 15),
    ("0xfF", 255),
    ("1e3", 1000.0),
    ("1.", 1.0),
    (".5", 0.5),
    ("-1.5E-2", -0.015),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("'no'", "no"),
    ('"010"', "010"),
    ("!!str 010", "010"),
    ("!!float 3", 3.0),
    ("!!int '3'", 3),
]


@pytest.mark.parametrize(("text", "value"), CORE, ids=[text or "nothing" for text, _ in CORE])
def test_a_scalar_is_what_the_core_schema_says(text: str, value: Any) -> None:
    found: Any = read_yaml(f"a: {text}")

    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_nan_is_a_number() -> None:
    found: Any = read_yaml("a: .NaN")

    assert math.isnan(found["a"])


def test_nothing_is_none() -> None:
    assert read_yaml("# nothing\n") is None


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_is_read_or_refused_in_one_sentence(text: str) -> None:
    assert "\n" not in said_of(text)


def said_of(text: str) -> str:
    try:
        read_yaml(text)
    except BrokenYaml as error:
        return str(error)
    return ""


WORDS = st.sampled_from([text for text, _ in CORE]) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=9
)


@given(st.dictionaries(WORDS, WORDS | st.integers() | st.booleans() | st.none()))
def test_what_is_written_is_read_alike_by_both_versions(document: dict[str, Any]) -> None:
    written = write_yaml(document)

    assert read_yaml(written) == document
    assert yaml.safe_load(written) == document


def test_a_template_has_the_words_that_its_file_has() -> None:
    template = template_from_text(
        "namespace: shop\nname: order\nversion: 'no'\nsteps:\n"
        "- {name: a, handler: {initialization: {at: 10:30, zip: '01234', no: off}},"
        " retry: {max_attempts: 010}}\n",
        "t.yaml",
    )

    (step,) = template.steps
    assert step.handler.initialization == {
        "at": "10:30", "zip": "01234", "no": "off",
    }  # fmt: skip
    assert step.retry.max_attempts == 10


def test_nothing_else_of_the_project_reads_or_writes_yaml() -> None:
    using = [
        path.name
        for folder in ("engine", "handlers", "projections")
        for path in (ROOT / folder).rglob("*.py")
        if "import yaml" in path.read_text("utf-8")
    ]

    assert using == ["strict_yaml_reader.py"]
