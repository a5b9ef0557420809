"""Lists what tables, views and functions are, for verify: `python docs/list_tables.py`."""

from __future__ import annotations

from pathlib import Path

import psycopg

from flowledger.engine.store.embedded.temporary import temporary_server
from flowledger.engine.store.schema.function_definitions import objects_as_text
from flowledger.engine.store.schema.migrate import migrate
from flowledger.engine.store.schema.table_parts import PARTS, as_text, parts_of

SQL = Path(__file__).parents[1] / "sql"


def listed(url: str) -> dict[str, str]:
    """The lists by the names of their files, by an empty database."""
    with psycopg.connect(url, autocommit=True) as connection:
        migrate(connection)
        connection.execute("set search_path = pg_catalog, pg_temp")
        tables = as_text(parts_of(connection.execute(PARTS, ("flowledger",)).fetchall()))
        return {"objects.txt": objects_as_text(connection), "tables.txt": tables}


if __name__ == "__main__":
    with temporary_server(60) as server:
        for name, text in listed(server.url).items():
            (SQL / name).write_text(text, "utf-8")
