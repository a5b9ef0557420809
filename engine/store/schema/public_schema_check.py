"""Compares the public views and functions in the database with those of this release.

Each function is held against its file and each view against a list, so that nothing is applied, no
transaction is waited for, and whoever may read the schema flowledger can compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from flowledger.engine.domain.verify.replay_and_compare_rows import Difference
from flowledger.engine.ports.verification import Finding
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.schema.function_definitions import other_functions, other_objects
from flowledger.engine.store.schema.table_parts import PARTS, other_parts, parts_of

SCHEMA = "flowledger_v1"
PLACE = "the public schema"
RELEASE = "this release"


class PublicSchemaCheck:
    """Views and functions that are not this release's, or missing; tables, as there are none."""

    name = "public schema"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`; nothing for one task."""
        if task is not None:
            return
        with translate_errors(), self._pool.connection() as connection:
            others = [*other_objects(connection, SCHEMA), *other_functions(connection, SCHEMA)]
            tables = parts_of(connection.execute(PARTS, (SCHEMA,)).fetchall())
            others += other_parts({}, tables)
        for subject, expected, found in others:
            yield Difference(subject, "definition", expected, found, PLACE, RELEASE)
