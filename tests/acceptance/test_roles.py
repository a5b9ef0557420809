"""A login of each role does its work from end to end, and what is not its work is refused."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from flowledger.engine import Engine
from flowledger.engine.bootstrap import open_engine
from flowledger.engine.cli.program import run_program
from flowledger.engine.client.engine import ALL_ROLES, Role
from flowledger.engine.errors import AccessDenied, SchemaBehind
from flowledger.engine.store.schema.grants import ROLES, grant, grants_of
from support.engines import PATIENCE, EngineHarness, harness_on
from support.logins import Logins, logins_on, name_of
from support.projection_hosts import WORD
from support.spend_projection import orders, spending

ONE = {"customer": "ann", "cents": 1}
WORKFLOW = "namespace: shop\nname: other\nversion: '1'\nsteps:\n- name: a\n"
READS = [
    ("status", "{task}"),
    ("tasks", "list"),
    ("tasks", "list", "--tag", "vip", "--state", "error"),
    ("result", "{task}"),
    ("result", "{task}", "charge"),
    ("history", "{task}"),
    ("history", "{task}", "--timeline"),
    ("explain", "{task}"),
    ("explain", "{task}", "charge"),
    ("replay", "{task}"),
    ("verify", "{task}"),
    ("verify", "--all"),
    ("templates", "list"),
    ("templates", "show", "shop/order@1"),
    ("projections", "list"),
    ("projections", "parked", "list", "flowledger_notes"),
    ("db", "shards"),
    ("parked",),
    ("db", "check"),
    ("db", "migrate"),
    ("db", "grants"),
]
WRITES = [
    ("cancel", "{task}", "--reason", "x"),
    ("pause", "{task}", "--reason", "x"),
    ("step", "skip", "{task}", "charge", "--reason", "x"),
    ("annotate", "{task}", "comment", "1"),
    ("tag", "{task}", "urgent"),
    ("templates", "pause", "shop/order@1", "--reason", "x"),
    ("projections", "pause", "flowledger_notes", "--reason", "x"),
    ("projections", "rebuild", "flowledger_notes", "--reason", "x"),
    ("projections", "skip", "flowledger_notes", "--position", "1", "--reason", "x"),
    ("db", "shards", "2", "--reason", "x"),
    ("submit", "other.yaml"),
]
OPERATES = [
    ("projections", "pause", "money"),
    ("projections", "resume", "money"),
    ("projections", "skip", "money", "--position", "1"),
    ("projections", "rebuild", "flowledger_history", "--task", "{task}", "--wait", "0"),
    ("projections", "rebuild", "flowledger_history", "--template", "shop/order@1", "--wait", "0"),
    ("projections", "rebuild", "flowledger_history", "--cancel"),
    ("projections", "parked", "retry", "money", "--all"),
    ("projections", "parked", "drop", "money", "--all"),
    ("parked", "retry", "{task}"),
    ("parked", "retry"),
]
OWNED = [
    ("projections", "rebuild", "money"),
    ("projections", "remove", "money"),
    ("db", "shards", "2"),
]


@pytest.fixture
def logins(harness: EngineHarness) -> Generator[Logins]:
    with logins_on(harness.url) as found:
        yield found


@pytest.fixture
def roles(harness: EngineHarness) -> None:
    """Every role has its rights in this database."""
    with psycopg.connect(harness.url, autocommit=True) as connection:
        for role in ROLES:
            grant(connection, role, grants_of(connection, role), **WORD)


@pytest.fixture
def task(harness: EngineHarness) -> str:
    """A task that is complete, of a database with all read models and one of a user's."""
    settings = harness.settings(projections={"builtin": True, "linger_seconds": 0.01})
    with open_engine([orders], ALL_ROLES, settings, projections=[spending()]) as engine:
        found = engine.submit(orders, ONE)
        found.wait(PATIENCE)
        harness.until(lambda: all(row.standing == "caught_up" for row in engine.projections.list()))
    return str(found.id)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """The command in this process, since there are so many: its exit code, and its errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text(WORKFLOW, "utf-8")

    def run(url: str, *arguments: str) -> tuple[int, str]:
        monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", url)
        monkeypatch.setenv("FLOWLEDGER_PROJECTIONS__CLASSES", "support.spend_projection:Spend")
        monkeypatch.setattr("sys.argv", ["flowledger", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_program()
        code = ended.value.code
        assert isinstance(code, int)
        return code, capsys.readouterr().err

    return run


def test_who_may_only_read_uses_every_command_that_reads(
    command: Callable[..., tuple[int, str]], logins: Logins, task: str
) -> None:
    auditor = logins.new("flowledger_auditor")

    for arguments in READS:
        words = [word.format(task=task) for word in arguments]
        nobody_leads = arguments == ("db", "shards")
        assert command(auditor, *words) == (int(nobody_leads), ""), words


@pytest.mark.parametrize("role", ["flowledger_auditor", "flowledger_reader"])
def test_who_may_only_read_is_told_in_a_sentence_what_it_may_not(
    command: Callable[..., tuple[int, str]],
    harness: EngineHarness,
    logins: Logins,
    task: str,
    role: str,
) -> None:
    login = logins.new(role)
    before = harness.value("select max(notification_id) from flowledger.event")

    for arguments in WRITES:
        words = [word.format(task=task) for word in arguments]
        code, said = command(login, *words)
        assert (code, said.count("\n")) == (2, 1), (words, said)
        assert said.startswith("error: this login may not do that: permission denied"), words
    assert harness.value("select max(notification_id) from flowledger.event") == before


@pytest.mark.usefixtures("roles")
def test_an_operator_sees_to_projections_and_parked_tasks_and_is_told_what_the_owner_does(
    command: Callable[..., tuple[int, str]], harness: EngineHarness, logins: Logins, task: str
) -> None:
    operator = logins.new("flowledger_operator")
    harness.rows(
        "insert into flowledger.parked_task (task_id, reason, parked_at, tried_at)"
        " values (%s, 'broken', now(), now())",
        task,
    )
    harness.rows(
        "update flowledger.projection set position = 0, failed_position = 1, failure = 'broken',"
        " failed_at = now() where name = 'money'"
    )

    for arguments in OPERATES:
        words = [word.format(task=task) for word in (*arguments, "--reason", "x")]
        assert command(operator, *words) == (0, ""), words
    for arguments in OWNED:
        words = [word.format(task=task) for word in (*arguments, "--reason", "x")]
        code, said = command(operator, *words)
        assert (code, said.count("\n")) == (2, 1), (words, said)
        assert said.startswith("error: this login may not do that: permission denied"), words


def test_verify_compares_the_tables_of_a_projection_for_who_may_make_none(
    logins: Logins, harness: EngineHarness, task: str
) -> None:
    harness.rows("update money__1.spend set cents = 7")

    with harness_on(logins.new("flowledger_auditor")) as few:
        found = list(few.open(roles=(), projections=[spending()]).verify())

    assert {one.subject.partition(" ")[0] for one in found} == {"money.spend"}


def opened(logins: Logins, stack: ExitStack, role: str, *plays: Role) -> Engine:
    few = stack.enter_context(harness_on(logins.new(f"flowledger_{role}")))
    return few.open(orders, roles=plays)


@pytest.mark.usefixtures("roles")
def test_each_role_does_its_part_of_a_task(logins: Logins, harness: EngineHarness) -> None:
    with ExitStack() as stack:
        submitter = opened(logins, stack, "submitter")
        opened(logins, stack, "coordinator", "coordinator")
        operator = stack.enter_context(harness_on(logins.new("flowledger_operator"))).open(roles=())
        task = submitter.submit(orders, ONE)
        with harness.connect() as connection:
            submitter.submit(orders, ONE, connection=connection)
            connection.commit()
        seen = operator.task(task.id)
        seen.pause(actor="ada", reason="stocktaking")
        seen.annotate("comment", 1, actor="ada")
        seen.resume(actor="ada", reason="done")
        opened(logins, stack, "worker", "worker")

        assert task.result(PATIENCE) == {"charge": ONE}
        assert operator.pause_template("shop/order@1", actor="ada", reason="x")
        assert operator.resume_template("shop/order@1", actor="ada", reason="x")
        second = submitter.submit(orders, ONE)
        assert second.result(PATIENCE) == {"charge": ONE}
    with harness_on(logins.new("flowledger_auditor")) as few:
        assert list(few.open(roles=()).verify()) == []


def test_an_operator_has_a_projection_pass_over_an_event(
    logins: Logins, harness: EngineHarness, task: str, roles: None
) -> None:
    harness.rows(
        "update flowledger.projection set position = 0, failed_position = 1, failure = 'broken',"
        " failed_at = now() where name = 'money'"
    )
    with harness_on(logins.new("flowledger_operator")) as few:
        operator = few.open(roles=())
        operator.projections.skip("money", position=1, actor="ada", reason="x")

        assert [one.position for one in operator.projections.parked("money")] == [1]


FORBIDDEN = [
    "update flowledger.event set topic = 'x'",
    "delete from flowledger.event",
    "truncate flowledger.event",
    "alter table flowledger.event disable trigger all",
    "select flowledger.advance_test_clock('1 day')",
    "update flowledger.migration set name = 'x'",
    "create table flowledger.mine (a int)",
    "create table flowledger_v1.mine (a int)",
    "create or replace function flowledger.lock_log() returns void language sql as 'select'",
    "drop view flowledger.log_lock",
]
PLACED = (
    "insert into flowledger.event"
    " (notification_id, originator_id, originator_version, topic, state)"
    " values (9, gen_random_uuid(), 1, 'task.annotated', '')"
)
MORE = {
    "submitter": [
        "delete from flowledger.queue",
        "update flowledger.task set state = 'x'",
        PLACED,
        PLACED.replace("notification_id", "recorded_at").replace("9,", "now(),"),
    ],
    "operator": [
        "delete from flowledger.queue",
        "insert into flowledger.submission default values",
        "update flowledger.projection set tables = tables || '; select 1'",
        "update flowledger.projection set name = 'hr'",
        "update flowledger.projection set role = null",
        "update flowledger.projection set position = 1000000",
        PLACED,
    ],
    "worker": [
        "update flowledger.task set state = 'x'",
        "update flowledger.shard set epoch = 9",
        PLACED,
    ],
    "coordinator": ["update flowledger.projection set position = 0"],
    "auditor": ["insert into flowledger.event default values", "select flowledger.lock_log()"],
    "reader": ["select * from flowledger.event", "select flowledger.clock()"],
}


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("role", ROLES)
def test_no_role_does_what_is_not_its_work(logins: Logins, role: str) -> None:
    with psycopg.connect(logins.new(f"flowledger_{role}"), autocommit=True) as login:
        for statement in [*FORBIDDEN, *MORE[role]]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                login.execute(statement.encode())


def test_an_engine_says_which_right_is_missing(logins: Logins) -> None:
    with (
        harness_on(logins.new("flowledger_auditor")) as few,
        pytest.raises(AccessDenied, match="table template"),
    ):
        few.open(orders, roles=())
    with harness_on(logins.new()) as few, pytest.raises(AccessDenied, match="schema flowledger"):
        few.open(roles=())


def test_who_may_not_migrate_is_told_that_it_is_to_be_done(
    logins: Logins, harness: EngineHarness
) -> None:
    harness.rows("delete from flowledger.applied_file where path = 'functions/log/clock.sql'")

    with harness_on(logins.new("flowledger_auditor")) as few:
        with pytest.raises(SchemaBehind, match="1 files are to be applied"):
            few.open(roles=())
        with few.open(roles=(), database={"migrate": "never"}) as engine:
            assert engine.projections.list()


def test_where_opening_only_checks_nothing_is_applied(harness: EngineHarness) -> None:
    applied = "select 1 from flowledger.applied_file where path = 'functions/log/clock.sql'"
    harness.open(roles=(), database={"migrate": "check"})
    harness.rows("delete from flowledger.applied_file where path = 'functions/log/clock.sql'")

    with pytest.raises(SchemaBehind):
        harness.open(roles=(), database={"migrate": "check"})
    harness.open(roles=(), database={"migrate": "never"})
    assert harness.rows(applied) == []
    harness.open(roles=())
    assert harness.rows(applied)


def test_who_may_read_one_view_may_call_no_function(logins: Logins, task: str) -> None:
    url = logins.new()
    bob = sql.Identifier(name_of(url))
    logins.execute(sql.SQL("grant usage on schema flowledger_v1 to {}").format(bob))
    logins.execute(sql.SQL("grant select on flowledger_v1.tasks to {}").format(bob))

    with psycopg.connect(url, autocommit=True) as login:
        seen = login.execute("select task_id::text from flowledger_v1.tasks").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute("select * from flowledger_v1.task_events(%s)", (task,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute("select * from flowledger_v1.system_health()")
    assert seen == [(task,)]
