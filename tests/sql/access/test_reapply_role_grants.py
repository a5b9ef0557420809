"""reapply_role_grants: roles have their rights again when the schema has changed."""

from __future__ import annotations

from support.sql_calls import Connection, call

MAY = "select has_function_privilege(%s, 'flowledger.later()', 'execute')"


def test_who_reads_all_may_call_what_was_made_later(connection: Connection) -> None:
    connection.execute(
        "create function flowledger.later() returns integer language sql as 'select 1'"
    )
    connection.execute("revoke execute on function flowledger.later() from public")
    assert connection.execute(MAY, ("flowledger_auditor",)).fetchone() == (False,)

    found = call(connection, "reapply_role_grants")

    assert {"reader", "auditor"} <= set(found)
    assert connection.execute(MAY, ("flowledger_auditor",)).fetchone() == (True,)
    assert connection.execute(MAY, ("flowledger_reader",)).fetchone() == (False,)
