"""elect_isolated_worker: one worker at a time takes the steps that are to run alone."""

from __future__ import annotations

from uuid import UUID

from support.sql_calls import Connection, call, claim, new_id, queue, queue_row, renew, table

MINE, FOREIGN = new_id(), new_id()


def worker(connection: Connection, seconds: float = 60) -> UUID:
    made = new_id()
    renew(connection, made, seconds)
    return made


def isolated(connection: Connection, worker: UUID) -> bool:
    (answer,) = call(connection, "elect_isolated_worker", worker, [MINE])
    return bool(answer)


def suspect(connection: Connection, template: UUID = MINE) -> None:
    connection.execute(
        "insert into flowledger.template values (%s, 'n', %s, '1', 'h', '{}', now())"
        " on conflict do nothing",
        (template, str(template)),
    )
    queue(connection, queue_row(new_id(), template, exclusive=True))


def test_nobody_is_isolated_where_nothing_is_to_run_alone(connection: Connection) -> None:
    only = worker(connection)
    queue(connection, queue_row(new_id(), MINE))
    suspect(connection, FOREIGN)

    assert not isolated(connection, only)
    assert table(connection, "worker", "condition") == ["ready"]


def test_one_worker_is_isolated_as_long_as_there_is_such_a_step(connection: Connection) -> None:
    first, second = worker(connection), worker(connection)
    suspect(connection)

    assert [isolated(connection, one) for one in (first, second, first)] == [True, False, True]
    assert table(connection, "worker", "condition") == ["isolated", "ready"]
    claim(connection, first, [MINE], 1)
    assert not isolated(connection, first)
    assert table(connection, "worker", "condition") == ["ready", "ready"]


def test_another_takes_over_where_the_isolated_one_is_silent(connection: Connection) -> None:
    silent, other = worker(connection, -1), worker(connection)
    suspect(connection)

    assert isolated(connection, silent)
    assert isolated(connection, other)


def test_being_stuck_is_not_forgotten_where_nothing_is_to_run_alone(
    connection: Connection,
) -> None:
    only = worker(connection)
    call(connection, "set_worker_stuck", only, True)

    assert not isolated(connection, only)
    assert table(connection, "worker", "condition") == ["stuck"]


def test_a_step_whose_template_is_gone_isolates_nobody(connection: Connection) -> None:
    """It could not be started, and the worker would do nothing else."""
    only = worker(connection)
    suspect(connection)
    connection.execute("delete from flowledger.template")

    assert not isolated(connection, only)
