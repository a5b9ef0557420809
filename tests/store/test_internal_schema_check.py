"""Every function of the engine's schema is known by its file, as the server stores it."""

from __future__ import annotations

import psycopg

from flowledger.engine.store.schema.internal_schema_check import (
    GUARD,
    shipped_functions,
    shipped_triggers,
)
from flowledger.engine.store.schema.migrate import packaged


def test_what_a_file_says_of_a_function_is_read_from_it(database: str) -> None:
    names = "select proname from pg_proc where pronamespace = 'flowledger'::regnamespace"
    with psycopg.connect(database) as connection:
        stored = {name for (name,) in connection.execute(names).fetchall()}
    shipped = shipped_functions(packaged())

    assert set(shipped) == stored
    assert shipped["report_outcomes"].definer
    assert shipped["report_outcomes"].config == "search_path=pg_catalog, pg_temp"
    assert (shipped["lock_log"].definer, shipped["lock_log"].config) == (False, "")
    assert GUARD in shipped_triggers(packaged())
