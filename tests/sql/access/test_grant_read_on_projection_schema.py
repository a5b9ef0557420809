"""grant_read_on_projection_schema: who reads all that the engine stores reads the tables of
projections too.
"""

from __future__ import annotations

import pytest

from support.generation_rows import OTHER_HOST, happen, make
from support.sql_calls import Connection, call

MAY = "select has_table_privilege(%s, %s, 'select')"


@pytest.mark.parametrize("own_role", [True, False])
@pytest.mark.parametrize("table", ["money.spend", "money__1.spend"])
def test_an_auditor_reads_what_serves(
    connection: Connection, table: str, *, own_role: bool
) -> None:
    make(connection, own_role=own_role)

    assert connection.execute(MAY, ("flowledger_auditor", table)).fetchone() == (True,)
    assert connection.execute(MAY, ("flowledger_reader", table)).fetchone() == (False,)


def test_an_auditor_reads_what_serves_in_its_place(connection: Connection) -> None:
    make(connection)
    make(connection, version=2)
    happen(connection, 1)
    epoch = call(connection, "acquire_generation_lease", "money", 2, OTHER_HOST, 60.0)[0][0]

    assert call(connection, "promote_generation", "money", 2, epoch) == [True]

    assert connection.execute(MAY, ("flowledger_auditor", "money__2.spend")).fetchone() == (True,)
