"""Every function of the engine's schemas is known by its file, as the server stores it."""

from __future__ import annotations

import psycopg
import pytest

from flowledger.engine.store.schema.function_definitions import (
    shipped_functions,
    stored_functions,
)
from flowledger.engine.store.schema.internal_schema_check import GUARD, shipped_triggers
from flowledger.engine.store.schema.migrate import packaged


@pytest.mark.parametrize("schema", ["flowledger", "flowledger_v1"])
def test_what_a_file_says_of_a_function_is_what_the_server_stores(
    database: str, schema: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("set search_path = pg_catalog, pg_temp")
        stored = stored_functions(connection, schema)

    assert stored == {name: [made] for name, made in shipped_functions(packaged(), schema).items()}


def test_what_a_file_says_of_a_function_is_read_from_it() -> None:
    shipped = shipped_functions(packaged(), "flowledger")

    assert shipped["report_outcomes"].definer
    assert shipped["report_outcomes"].config == "search_path=pg_catalog, pg_temp"
    assert (shipped["lock_log"].definer, shipped["lock_log"].config) == (False, "")
    assert shipped["lock_log"].signature.startswith("() returns void ")
    assert GUARD in shipped_triggers(packaged())
