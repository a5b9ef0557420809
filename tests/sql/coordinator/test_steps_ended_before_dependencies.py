"""steps_ended_before_dependencies: what has ended before all that it depends on. See
tests/property too.
"""

from __future__ import annotations

from typing import Any

import pytest

from support.builders import step, template
from support.sql_calls import Connection, call
from support.stored_tasks import given_task

line = template(step("a"), step("b", "a"), step("c", "b"), step("d", "c"))


@pytest.mark.parametrize(
    ("states", "early"),
    [
        ({"a": "in_progress"}, None),
        ({"a": "complete", "b": "skipped"}, None),
        ({"a": "in_progress", "b": "skipped"}, ["b"]),
        ({"a": "in_progress", "b": "skipped", "c": "complete"}, ["b", "c"]),
        ({"a": "error", "b": "resolved_manually"}, None),
    ],
)
def test_only_what_ended_and_has_something_before_it_that_did_not(
    connection: Connection, states: dict[str, str], early: Any
) -> None:
    rows = [{"step": name, "state": state} for name, state in states.items()]
    task = given_task(connection, line, *rows)

    (found,) = call(connection, "steps_ended_before_dependencies", task, line.template_id)

    assert (found and sorted(found)) == early
