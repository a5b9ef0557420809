"""The glossary is about the code that there is, and the words that it replaced stay away."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "glossary.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([a-z][a-z -]*) \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
CODE = ("engine", "handlers", "projections")
RETIRED = frozenset(
    {
        "Elder", "Elders", "Gate", "Ledger", "Limbo", "Roster", "Round", "Seat", "Surroundings",
        "Workboard", "acquit", "astray", "beaten_at", "bell", "farewell_seconds", "free_slots",
        "held_by", "held_since", "held_step", "held_steps", "hurry_events", "outrun_claims",
        "on_saturated", "passed_facts", "rang", "rung", "set_worker_saturated", "silent_until",
        "slot_key", "stoppers", "tally", "untime",
        "watch_steps", "wear_worker", "worn_out",
        "StepErrored", "StepHandedBack", "StepWithdrawn", "TaskContinued",
    }
)  # fmt: skip
"""Identifiers that said something to nobody, or two things; the glossary has the other word."""


def sources(folder: str, suffix: str) -> list[Path]:
    return [
        path
        for path in sorted((ROOT / folder).rglob(f"*{suffix}"))
        if "migrations" not in path.parts  # history: what it renames is in it
    ]


def names(path: Path) -> set[str]:
    """The identifiers of a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Name():
                found.add(node.id)
            case ast.Attribute():
                found.add(node.attr)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.arg() | ast.keyword():
                found.add(node.arg or "")
            case ast.alias():
                found.update({node.name, node.asname or ""})
            case _:
                pass
    return found


def words(path: Path) -> set[str]:
    """The words of SQL that are no comment."""
    return set(re.findall(r"\w+", re.sub(r"--.*", "", path.read_text("utf-8"))))


@cache
def used_words() -> dict[Path, set[str]]:
    """What each file of the code and of the SQL calls things."""
    python = {path: names(path) for folder in CODE for path in sources(folder, ".py")}
    return python | {path: words(path) for path in sources("sql", ".sql")}


@pytest.mark.parametrize(("term", "name"), [row[:2] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_term_is_in_the_code(term: str, name: str) -> None:
    assert any(name in found for found in used_words().values()), term


def test_terms_are_in_alphabetical_order_with_a_sentence_each() -> None:
    terms = [term for term, *_ in ROWS]

    assert 20 <= len(terms) <= 45
    assert terms == sorted(terms)
    assert [term for term, _, meaning in ROWS if not meaning.endswith(".")] == []


def test_no_retired_word_is_an_identifier() -> None:
    found = {
        str(path.relative_to(ROOT)): sorted(retired)
        for path, used in used_words().items()
        if (retired := used & RETIRED)
    }

    assert found == {}
