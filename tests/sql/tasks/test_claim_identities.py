"""claim_identities: an identity has one task."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from flowledger.engine.store.connection.arrays import TextArray, UuidArray
from support.sql_calls import Connection, Others, call, new_id, table, wait_until_blocked


def arguments(pairs: Sequence[tuple[str | None, UUID]]) -> tuple[TextArray, UuidArray]:
    return TextArray([i for i, _ in pairs]), UuidArray([task for _, task in pairs])


def claim(connection: Connection, *pairs: tuple[str | None, UUID]) -> list[UUID]:
    return call(connection, "claim_identities", *arguments(pairs))


def test_the_first_has_it_and_the_others_are_told_who(connection: Connection) -> None:
    one, two = new_id(), new_id()

    assert claim(connection, ("k", one)) == [one]
    assert claim(connection, ("k", two)) == [one]
    assert table(connection, "identity", "identity", "task_id") == [("k", one)]


def test_null_identities_are_always_free_and_never_kept(connection: Connection) -> None:
    tasks = [new_id() for _ in range(3)]

    assert claim(connection, *((None, task) for task in tasks)) == tasks
    assert table(connection, "identity", "identity") == []


def test_within_one_call_the_first_has_it(connection: Connection) -> None:
    one, two, three = new_id(), new_id(), new_id()

    assert claim(connection, ("k", one), (None, two), ("k", three)) == [one, two, one]


def test_answers_come_in_the_order_of_the_claims(connection: Connection) -> None:
    pairs = [(f"k{n * 7 % 50}", new_id()) for n in range(50)]

    assert claim(connection, *pairs) == [task for _, task in pairs]


def test_a_racing_transaction_is_waited_for(connection: Connection, others: Others) -> None:
    one, two = new_id(), new_id()
    with others.begin() as first:
        claim(first, ("k", one))
        second = others.later("claim_identities", *arguments([("k", two)]))
        wait_until_blocked(connection)

    assert second.result(timeout=30) == [one]


def test_an_identity_that_was_rolled_back_is_free(connection: Connection, others: Others) -> None:
    two = new_id()
    first = others.begin()
    claim(first, ("k", new_id()))
    second = others.later("claim_identities", *arguments([("k", two)]))
    wait_until_blocked(connection)

    first.rollback()

    assert second.result(timeout=30) == [two]
    first.close()


def test_identities_are_locked_in_their_order_whatever_the_order_of_the_claims(
    connection: Connection, others: Others
) -> None:
    connection.execute("set lock_timeout = '5s'")
    with others.begin() as first:
        claim(first, ("a", new_id()))
        waiting = others.later("claim_identities", *arguments([("b", new_id()), ("a", new_id())]))
        wait_until_blocked(connection)

        # Who waits for a does not hold b yet: nobody who holds b and wants a can be in its way.
        mine = new_id()
        assert claim(connection, ("b", mine)) == [mine]

    assert waiting.result(timeout=30)[0] == mine
