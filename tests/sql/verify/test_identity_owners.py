"""identity_owners: who has which identity."""

from __future__ import annotations

from support.sql_calls import Connection, call, new_id


def test_identities_come_with_their_tasks_and_unknown_ones_not(connection: Connection) -> None:
    tasks = [new_id(), new_id()]
    call(connection, "claim_identities", ["a", "b"], tasks)

    assert call(connection, "identity_owners", ["b", "c"]) == [("b", tasks[1])]
