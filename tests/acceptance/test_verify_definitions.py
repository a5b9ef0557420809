"""verify names views, functions and sequences that are not this release's, for whoever may read."""

from __future__ import annotations

from collections.abc import Generator

import psycopg
import pytest

from support.engines import EngineHarness, harness_on
from support.logins import Logins, logins_on

ANOTHER = "alter view flowledger_v1.parked_tasks set (security_invoker = true)"
REMADE = """
    do $$
    declare
        v_made text := pg_get_functiondef('{name}'::regproc);
    begin
        drop function {name};
        execute replace(v_made, '{old}', '{new}');
        revoke execute on function {name} from public;
    end
    $$
"""
INTERNAL = "in the schema flowledger, and"
PUBLIC = "in the public schema, and"
OF_FILE = "that of its file by this release"
NONE = "none by this release"
PLANTED = {
    "a public function with swapped arguments": (
        REMADE.format(
            name="flowledger_v1.blocked_time",
            old="of_namespace text DEFAULT NULL::text, of_template text",
            new="of_template text DEFAULT NULL::text, of_namespace text",
        ),
        f"function blocked_time: definition is another {PUBLIC} {OF_FILE}",
    ),
    "a function that tells its columns in another order": (
        REMADE.format(
            name="flowledger.excess_grants",
            old="expected text, found text",
            new="found text, expected text",
        ),
        f"function excess_grants: definition is another {INTERNAL} {OF_FILE}",
    ),
    "a public view with other rights": (
        ANOTHER,
        f"view parked_tasks: definition is another {PUBLIC} {OF_FILE}",
    ),
    "a public view that is gone": (
        "drop view flowledger_v1.parked_tasks",
        f"view parked_tasks: definition is missing {PUBLIC} {OF_FILE}",
    ),
    "a public view that no file makes": (
        "create view flowledger_v1.mine as select * from flowledger.event",
        f"view mine: definition is there {PUBLIC} {NONE}",
    ),
    "a public table that no file makes": (
        "create table flowledger_v1.mine (task uuid primary key)",
        f"table mine: definition is logged {PUBLIC} {NONE}",
    ),
    "a public function that no file makes": (
        "create function flowledger_v1.mine() returns void language sql security definer"
        " as 'select'; revoke execute on function flowledger_v1.mine() from public",
        f"function mine: definition is there {PUBLIC} {NONE}",
    ),
    "a view of the engine that says something else": (
        "create or replace view flowledger.log_lock as select true as one",
        f"view log_lock: definition is another {INTERNAL} {OF_FILE}",
    ),
    "a sequence that counts otherwise": (
        "alter sequence flowledger.event_notification_id_seq increment 2 cache 7 cycle",
        f"sequence event_notification_id_seq: definition is another {INTERNAL} {OF_FILE}",
    ),
    "a foreign key to a table of the engine": (
        "create table public.mine (task uuid references flowledger.task)",
        f"table task: foreign key mine_task_fkey of public.mine is there {INTERNAL} {NONE}",
    ),
}


@pytest.fixture
def logins(harness: EngineHarness) -> Generator[Logins]:
    with logins_on(harness.url) as logins:
        yield logins


@pytest.mark.parametrize("case", PLANTED)
def test_what_is_not_this_releases_is_named(harness: EngineHarness, case: str) -> None:
    statement, words = PLANTED[case]
    harness.rows(statement)

    assert [str(one) for one in harness.open(roles=()).verify()] == [words]


def test_it_is_compared_for_who_may_only_read(logins: Logins, harness: EngineHarness) -> None:
    harness.rows(ANOTHER)
    with harness_on(logins.new("flowledger_auditor")) as few:
        run = few.open(roles=()).verify()

        assert [one.subject for one in run] == ["view parked_tasks"]
        assert "the public schema" not in run.not_compared


def test_it_is_compared_while_a_transaction_reads_it(harness: EngineHarness) -> None:
    harness.rows(ANOTHER)
    with psycopg.connect(harness.url) as reader:
        reader.execute("select from flowledger_v1.parked_tasks")
        run = harness.open(roles=()).verify()

        assert [one.subject for one in run] == ["view parked_tasks"]
        assert "the public schema" not in run.not_compared
