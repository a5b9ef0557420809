"""restore_lost_circuits: a circuit that has a stream and no row gets one."""

from __future__ import annotations

from flowledger.engine.domain.limits.circuit_breaker import circuit_id
from support.limits import OPEN, circuit
from support.sql_calls import Connection, Row, append, call, new_id, table

STEP = (
    "insert into flowledger.template_step (template_id, number, step, level, max_attempts, backoff,"
    " system, parents, children, dependencies, blocking_dependencies)"
    " values (%s, 0, 'a', 0, 1, 'none', %s, '{}', '{}', '{}', '{}')"
)


def test_those_that_the_log_knows_get_a_row(connection: Connection) -> None:
    for system in ("lost", "kept", "quiet", None):
        connection.execute(STEP, (new_id(), system))
    connection.execute(STEP, (new_id(), "lost"))
    for system in ("lost", "kept", "of no template"):
        append(connection, Row(circuit_id(system), topic="circuit.opened", state=b"{}"))
    call(connection, "store_circuits", circuit(0, "kept", **OPEN))

    call(connection, "restore_lost_circuits")
    call(connection, "restore_lost_circuits")

    assert table(connection, "circuit", "system", "revision", "state") == [
        ("kept", 1, "open"),
        ("lost", 1, "closed"),
    ]
    (told,) = call(connection, "proved_circuits")
    (found,) = (row for row in told if row["system"] == "lost")
    assert (found["state"], found["stream_version"]) == ("open", 1)
