"""Bad input gives exit code 2 and one message that names the place, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess

import psycopg
import pytest

from support.cli import PATIENCE, PROGRAM, Command

HEAD = 'namespace: shop\nname: order\nversion: "1"\n'
HANDLERS = "def a() -> int:\n    return 1\n\n\ndef b(a: int, context: dict) -> int:\n    return a\n"
TYPED = f"""{HEAD}context:
  type: object
  properties: {{id: {{type: integer}}}}
  required: [id]
steps:
- name: a
- name: b
  dependencies: [a]
"""

FILES = {
    "cycle.yaml": HEAD + "steps:\n- {name: a, dependencies: [b]}\n- {name: b, dependencies: [a]}\n",
    "unknown.yaml": HEAD + "steps:\n- {name: charge}\n- {name: ship, dependencies: [chrage]}\n",
    "twice.yaml": HEAD + "steps:\n- {name: a}\n- {name: a}\n",
    "handler.yaml": HEAD + "steps:\n- {name: a, handler: {callable: nobody}}\n",
    "elsewhere.yaml": HEAD + "steps:\n- {name: a, handler: {callable: 'nowhere:a'}}\n",
    "key.yaml": HEAD + "steps:\n- {name: a}\ndescripton: x\n",
    "typed.yaml": TYPED,
    "broken.yaml": "namespace: shop\nname: [order\n",
    "broken.json": '{"namespace": ',
    "empty.yaml": "",
    "wf.json": '{"name": "x", "workflow": {"specification": {"tasks": [{"id": "a"}]}}}',
    "context.json": '{"id": }',
    "hands.py": HANDLERS,
    "bakery.py": "from flowledger.handlers import Workflow\n"
    "orders = Workflow('shop', 'orders', version='1')\n"
    "refunds = Workflow('shop', 'refunds', version='1')\n",
}

CASES = {
    "a module without a workflow's name": (
        ["bakery"],
        "bakery is a module: expected a workflow of it, as module:attribute;"
        " it has bakery:orders, bakery:refunds",
    ),
    "the file of a module": (["bakery.py"], "bakery.py is a module: expected a workflow of it"),
    "a module in which there is none": (["hands"], "as module:attribute; there is none in it"),
    "what is in a module and no workflow": (
        ["bakery:Workflow"],
        "'bakery:Workflow' is a type, expected a workflow; there is bakery:orders, bakery:refunds",
    ),
    "a cycle": (["cycle.yaml"], "cycle.yaml: steps: dependencies form a cycle: a -> b -> a"),
    "an unknown dependency": (
        ["unknown.yaml"],
        "unknown.yaml: steps[1].dependencies[0]: step 'ship' depends on unknown step 'chrage';"
        " did you mean 'charge'?",
    ),
    "a duplicate step": (["twice.yaml"], "twice.yaml: steps[1].name: duplicate step 'a'"),
    "an unknown handler": (["handler.yaml"], "shop/order@1, step 'a': handler 'nobody'"),
    "a handler in no module": (["elsewhere.yaml"], "handler 'nowhere:a': module 'nowhere'"),
    "a module of handlers that is not there": (
        ["typed.yaml", "--handlers", "nohands"],
        "handlers of 'nohands': the module cannot be imported",
    ),
    "a wrong context type": (
        ["typed.yaml", "--handlers", "hands", "--context", '{"id": "x"}'],
        "shop/order@1: context.id",
    ),
    "a missing context": (["typed.yaml", "--handlers", "hands"], "shop/order@1: context"),
    "a context that is no JSON": (
        ["typed.yaml", "--context", '{"id"'],
        "'--context': line 1, column 6: broken JSON",
    ),
    "a context file that is no JSON": (
        ["typed.yaml", "--context", "@context.json"],
        "context.json: line 1, column 8: broken JSON",
    ),
    "a context file that is missing": (["typed.yaml", "--context", "@no.json"], "no.json: No such"),
    "an unknown key": (
        ["key.yaml"],
        "key.yaml: descripton: unknown key; did you mean 'description'?",
    ),
    "broken YAML": (["broken.yaml"], "broken.yaml: line 3, column 1: broken YAML"),
    "broken JSON": (["broken.json"], "broken.json: line 1, column 15: broken JSON"),
    "an empty file": (["empty.yaml"], "empty.yaml: is empty"),
    "a missing file": (["missing.yaml"], "missing.yaml: there is no such file"),
    "a folder": (["."], ".: cannot be read"),
    "a recorded run without parents": (
        ["wf.json"],
        "wf.json: workflow.specification.tasks[0].parents: is missing",
    ),
    "a workflow in no module": (["shop:orders"], "workflow 'shop:orders': module 'shop'"),
    "a negative time scale": (["typed.yaml", "--time-scale", "-1"], "'--time-scale': '-1'"),
    "no processes": (["typed.yaml", "--processes", "0"], "'--processes': 0"),
    "an unknown option": (["typed.yaml", "--contxt", "{}"], "--contxt"),
    "no file": ([], "missing argument 'FILE'"),
}


@pytest.mark.parametrize("case", CASES)
def test_run_refuses_with_one_message_that_names_the_place(command: Command, case: str) -> None:
    arguments, place = CASES[case]
    for name, text in FILES.items():
        command.write(name, text)

    done = command("run", *arguments)

    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("error: ")
    assert done.error.count("\n") == 1, done.error
    assert place in done.error
    assert rows_in(command) == {"event": 0, "template": 0, "task": 0, "submission": 0}


def rows_in(command: Command) -> dict[str, int]:
    with psycopg.connect(command.environment["FLOWLEDGER_DATABASE__URL"]) as connection:
        found = connection.execute(
            "select (select count(*) from flowledger.event),"
            " (select count(*) from flowledger.template),"
            " (select count(*) from flowledger.task), (select count(*) from flowledger.submission)"
        ).fetchone()
    return dict(zip(("event", "template", "task", "submission"), found or (), strict=True))


ABSENT = "01a20709-c5eb-7a66-a61c-ab2925160b95"
OTHERS = {
    "an unknown command": (["rnu"], "there is no command 'rnu'; did you mean 'run'?"),
    "a task id that is none": (["status", "seven"], "'seven' is not the id of a task"),
    "the status of no task": (["status", ABSENT], f"there is no task {ABSENT}"),
    "the history of no task": (["history", ABSENT], f"there is no task {ABSENT}"),
    "the replay of no task": (["replay", ABSENT], f"there is no task {ABSENT}"),
    "a template's key that is none": (["templates", "show", "order"], "namespace/name@version"),
    "an unknown template": (["templates", "show", "shop/order@9"], "no template shop/order@9"),
    "a worker without workflows": (["worker"], "missing argument 'TARGET...'"),
    "a worker of nothing": (["worker", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
    "a template that is not valid": (["templates", "validate", "cycle.yaml"], "a -> b -> a"),
    "a submission of nothing": (["submit", "missing.yaml"], "missing.yaml: there is no such file"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_every_command_refuses_with_one_message(command: Command, case: str) -> None:
    arguments, place = OTHERS[case]
    command.write("cycle.yaml", FILES["cycle.yaml"])

    done = command(*arguments)

    assert (done.code, done.out, done.error.count("\n")) == (2, "", 1), done.error
    assert done.error.startswith("error: ")
    assert place in done.error


def test_a_database_that_is_not_there_is_named_without_its_password(command: Command) -> None:
    command.environment["FLOWLEDGER_DATABASE__URL"] = "postgresql://ada:s3cret@127.0.0.1:1/flow"

    done = command("status", ABSENT)

    assert (done.code, done.error.count("\n")) == (2, 1)
    assert "postgresql://ada:***@127.0.0.1:1/flow cannot be reached" in done.error
    assert "s3cret" not in done.error


def test_a_setting_that_does_not_exist_is_named_with_its_place(command: Command) -> None:
    command.write("flowledger.yaml", "worker:\n  concurency: 3\n")

    done = command("templates", "list")

    assert (done.code, done.error.count("\n")) == (2, 1)
    assert "concurency" in done.error
    assert "worker.concurrency" in done.error


def test_a_changed_definition_shows_the_difference_as_lines_and_names_the_development_mode(
    command: Command,
) -> None:
    command.write("hands.py", HANDLERS)
    first = HEAD + "steps:\n- {name: a}\n"
    command.write("order.yaml", first)
    assert command("run", "order.yaml", "--handlers", "hands").code == 0
    command.write("order.yaml", first + "- {name: b, dependencies: [a]}\n")

    done = command("run", "order.yaml", "--handlers", "hands")

    assert done.code == 2
    said, *difference = done.error.splitlines()
    assert "template shop/order@1 is already registered with another definition" in said
    assert "--dev (Engine.open(dev=True))" in said
    assert difference[:2] == ["--- registered", "+++ submitted"]
    assert any(line.startswith("+") and '"name": "b"' in line for line in difference)
    assert "Traceback" not in done.error
    assert command("run", "order.yaml", "--handlers", "hands", "--dev").code == 0


WAITING = "import signal, sys\nprint('importing', file=sys.stderr, flush=True)\nsignal.pause()\n"


@pytest.mark.parametrize("module", ["click", "psycopg", "pydantic", "mine"])
def test_ctrl_c_while_modules_are_imported_is_no_defect(command: Command, module: str) -> None:
    command.write(f"{module}.py", WAITING)
    process = subprocess.Popen(  # noqa: S603 - the program under test, which imports by itself
        [*PROGRAM, "run", "mine:flow"],
        cwd=command.folder,
        env=command.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    assert process.stderr.readline() == "importing\n"

    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=PATIENCE)

    assert (process.returncode, out, error.strip()) == (130, "", "interrupted")
