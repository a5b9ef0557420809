"""The database rights of reader, worker and other roles, and the statements that grant them."""

from __future__ import annotations

from collections.abc import Sequence

from flowledger.engine.domain.argument_checks import check_request
from flowledger.engine.events.engine_actions import RightsGranted
from flowledger.engine.store.connection.pool import Connection
from flowledger.engine.store.engine_action_log import EngineLog

ROLES = ("reader", "auditor", "submitter", "operator", "worker", "coordinator")
PRESENT = "select to_regrole(%s) is not null"


def grants_of(connection: Connection, role: str) -> Sequence[str]:
    """The statements that give a role its rights, the first of which makes it."""
    rows = connection.execute(
        "select * from flowledger.role_grant_statements(%s)", (role,)
    ).fetchall()
    return [f"create role flowledger_{role} nologin", *(statement for (statement,) in rows)]


def grant(
    connection: Connection, role: str, statements: Sequence[str], *, actor: str, reason: str
) -> None:
    """Carry out such statements in one transaction, and append who granted what to the log.

    A role that is there is not made. Raises InvalidRequest, before all else, for words that say
    nothing.
    """
    check_request(RightsGranted.topic, {"reason": reason, "actor": actor}, None)
    create, *grants = statements
    with connection.transaction():
        present = connection.execute(PRESENT, (f"flowledger_{role}",)).fetchone()
        for statement in grants if present == (True,) else (create, *grants):
            connection.execute(statement.encode())
        EngineLog().append(
            connection, RightsGranted, role=f"flowledger_{role}", actor=actor, reason=reason
        )
