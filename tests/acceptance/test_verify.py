"""Verification names what was tampered with, and nothing else: neither at rest nor under load."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import count
from typing import Any

import pytest

from flowledger.engine.domain.verify.shard_positions import SHARDS
from support.databases import database_on
from support.engines import harness_on
from support.planted import PLANTED
from support.tampered_database import TamperedDatabase, bring_halfway

_numbers = count()


@pytest.fixture(scope="module")
def stood(server: str, template: str) -> Generator[tuple[str, Mapping[str, Any]]]:
    """The name of a database in which tasks stand halfway, to copy, and what is in it."""
    with database_on(server, f"{template}_halfway", template) as url:
        with harness_on(url) as harness:
            names = bring_halfway(harness)
        yield f"{template}_halfway", names


@pytest.fixture
def standing(server: str, stood: tuple[str, Mapping[str, Any]]) -> Generator[TamperedDatabase]:
    name, names = stood
    with database_on(server, f"{name}_{next(_numbers)}", name) as url, harness_on(url) as harness:
        yield TamperedDatabase(harness, names)


def test_nothing_differs_where_nothing_was_planted(standing: TamperedDatabase) -> None:
    run = standing.engine.verify()

    assert list(run) == []
    assert (run.tasks, run.found) == (2, 0)
    assert run.events == standing.harness.value(
        "select count(*) from flowledger.event where task_id is not null"
    )


@pytest.mark.parametrize("case", PLANTED)
def test_what_was_planted_is_named_and_nothing_else(standing: TamperedDatabase, case: str) -> None:
    statements, expected = PLANTED[case]
    standing.plant(statements)

    found = [str(difference) for difference in standing.differences()]

    for words in expected:
        assert [text for text in found if words.format(**standing.names) in text], found
    assert len(found) == len(expected), found
    for task in (standing.names["one"], standing.names["two"]):
        its = standing.differences(task)
        assert {difference.task_id for difference in its if difference.place != SHARDS} <= {task}
        assert {str(difference) for difference in its} <= set(found)
