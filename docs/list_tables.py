"""Lists what the engine's tables are made of, for verify: `python docs/list_tables.py`."""

from __future__ import annotations

from pathlib import Path

import psycopg

from flowledger.engine.store.embedded.temporary import temporary_server
from flowledger.engine.store.schema.migrate import migrate
from flowledger.engine.store.schema.table_parts import PARTS, as_text, parts_of

LIST = Path(__file__).parents[1] / "sql" / "tables.txt"


def listed(url: str) -> str:
    """The list, by an empty database."""
    with psycopg.connect(url, autocommit=True) as connection:
        migrate(connection)
        connection.execute("set search_path = pg_catalog, pg_temp")
        return as_text(parts_of(connection.execute(PARTS, ("flowledger",)).fetchall()))


if __name__ == "__main__":
    with temporary_server(60) as server:
        LIST.write_text(listed(server.url), "utf-8")
