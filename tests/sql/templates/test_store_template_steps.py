"""store_template_steps: a definition as rows, one for each step."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from flowledger.engine.store.schema.migrate import SqlFile, migrate, packaged
from support.builders import diamond, step, template
from support.sql_calls import Connection, call, new_id, table
from support.stored_tasks import register
from support.unchecked_rows import DROP_CHECKS

COLUMNS = (
    "number",
    "step",
    "level",
    "parents",
    "children",
    "dependencies",
    "blocking_dependencies",
)


def test_a_definition_becomes_rows_in_its_order(connection: Connection) -> None:
    register(connection, diamond())

    assert table(connection, "template_step", *COLUMNS) == [
        (0, "start", 0, [], [1, 2], [], []),
        (1, "left", 1, [0], [3], ["start"], []),
        (2, "right", 1, [0], [3], ["start"], []),
        (3, "end", 2, [1, 2], [], ["left", "right"], []),
    ]


def test_a_step_may_be_listed_before_what_it_depends_on(connection: Connection) -> None:
    register(connection, template(step("last", "first"), step("first")))

    assert table(connection, "template_step", *COLUMNS) == [
        (0, "last", 1, [1], [], ["first"], []),
        (1, "first", 0, [], [0], [], []),
    ]


def test_policies_are_kept_as_far_as_sql_asks_for_them(connection: Connection) -> None:
    policy = {"max_attempts": 7, "backoff": "fibonacci"}
    steps = [
        step("a", retry=policy, system="bank", when_skipped="stop"),
        step("b"),
        step("c", "a", "b"),
    ]
    register(connection, template(*steps))

    rows = table(
        connection,
        "template_step",
        "step",
        "max_attempts",
        "backoff",
        "system",
        "blocking_dependencies",
    )

    assert rows == [
        ("a", 7, "fibonacci", "bank", []),
        ("b", 3, "exponential", None, []),
        ("c", 3, "exponential", None, ["a"]),
    ]


def test_storing_again_changes_nothing(connection: Connection) -> None:
    template_id = register(connection, diamond())
    before = table(connection, "template_step", *COLUMNS)

    call(connection, "store_template_steps", template_id)

    assert table(connection, "template_step", *COLUMNS) == before


def test_a_cycle_is_refused(connection: Connection) -> None:
    definition = {
        "steps": [{"name": "a", "dependencies": ["b"]}, {"name": "b", "dependencies": ["a"]}]
    }

    with pytest.raises(psycopg.errors.InvalidParameterValue, match="cycle"):
        call(
            connection,
            "register_template",
            *(new_id(), "shop", "order", "1", "h", json.dumps(definition)),
            *("template.registered", b"{}", 0),
        )

    assert table(connection, "template", "name") == []


def test_templates_of_before_have_the_same_rows_after_an_upgrade(
    empty_database: str, connection: Connection
) -> None:
    register(connection, diamond())
    with psycopg.connect(empty_database, autocommit=True) as old:
        migrate(old, before_there_were_rows())
        register(old, diamond())

        migrate(old)

        assert table(old, "template_step", *COLUMNS) == table(connection, "template_step", *COLUMNS)


CALL = b"perform flowledger.store_template_steps(p_template);"
LOCK = b"perform flowledger.lock_log();"
CALLED = {"register_template", "append_events", "insert_events", "clock", "payload_json"}


def before_there_were_rows() -> list[SqlFile]:
    """The package as it was, as far as a template needs it to be registered."""
    files = [file for file in packaged() if file.path.startswith(("migrations/", "functions/"))]
    migrations = [file for file in files if file.number is not None and file.number < 8]
    functions = [
        SqlFile(file.path, file.text.replace(CALL, b"").replace(LOCK, b""))
        for file in files
        if file.path.startswith("functions/") and Path(file.path).stem in CALLED
    ]
    assert any(CALL in file.text for file in files)
    return [*migrations, *functions]


DEEP = '{"in": ' * 3000 + "1" + "}" * 3000
CANNOT_BE = [
    '{"steps": [{"name": "a", "retry": {"max_attempts": 1e5000}}]}',
    '{"steps": [{"name": "a", "retry": {"max_attempts": "x"}}]}',
    '{"steps": [{"name": "a", "dependencies": ["a"]}]}',
    '{"steps": [{"name": "a", "dependencies": "a"}]}',
    '{"steps": [{"name": "a", "dependencies": ["b"]}, {"name": "b", "dependencies": ["a"]}]}',
    '{"steps": [{"dependencies": ["a"]}, {"name": "a"}]}',
    '{"steps": [{"name": "a"}, {"name": "a", "dependencies": ["a"]}]}',
    '{"steps": [7, null, {"name": "a", "dependencies": ["a"]}]}',
    f'{{"steps": [{DEEP}, {{"name": "a", "dependencies": ["a"]}}]}}',
]


@pytest.mark.parametrize("definition", CANNOT_BE, ids=lambda text: text[:60])
def test_a_definition_that_cannot_be_stops_no_migration(
    connection: Connection, definition: str
) -> None:
    register(connection, diamond())
    connection.execute(DROP_CHECKS.encode())
    connection.execute(
        "insert into flowledger.template (template_id, namespace, name, version,"
        " definition_hash, definition, registered_at)"
        " values (%s, 'odd', 'rows', '1', 'h', %s::jsonb, now())",
        (new_id(), definition),
    )
    register(connection, template(step("only"), version="2"))
    before = table(connection, "template_step", "template_id", *COLUMNS)
    connection.execute("truncate flowledger.template_step")
    connection.execute(
        r"update flowledger.applied_file set sha256 = '\x00' where path like %s",
        ("%store_template_steps%",),
    )

    assert migrate(connection) == ["functions/templates/store_template_steps.sql"]

    after = table(connection, "template_step", "template_id", *COLUMNS)
    assert [row for row in after if row in before] == before
