"""`flowledger run`: what it prints, how it exits, and what it leaves behind."""

from __future__ import annotations

import getpass
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from support.cli import PROGRAM, Command, read_all
from support.started_program import StartedProgram

ORDER = """namespace: shop
name: order
version: "1"
steps:
- name: validate
- name: charge
  dependencies: [validate]
  retry: {max_attempts: 3, base_seconds: 0.01}
- name: ship
  dependencies: [charge]
"""
HANDLERS = """from flowledger.handlers import StepContext


def validate(context: dict) -> bool:
    print("validating")
    return context["cents"] > 0


def charge(context: dict, me: StepContext) -> int:
    if me.attempt < context.get("works_at", 1):
        raise ConnectionError("the bank does not answer")
    return context["cents"]


def ship(charge: int) -> str:
    return f"shipped for {charge}"
"""


def write_order(command: Command) -> list[str]:
    """The arguments that run it."""
    command.write("hands.py", HANDLERS)
    return [command.write("order.yaml", ORDER), "--handlers", "hands"]


def test_a_complete_task_is_told_as_one_json_object_and_exit_code_0(command: Command) -> None:
    arguments = write_order(command)

    done = command("run", *arguments, "--context", '{"cents": 5, "works_at": 3}', "--json")

    assert done.code == 0, done.error
    told = done.value
    assert told["state"] == "complete"
    assert told["steps"] == {
        "validate": {"state": "complete", "attempts": 1},
        "charge": {"state": "complete", "attempts": 3},
        "ship": {"state": "complete", "attempts": 1},
    }
    assert told["results"] == {"validate": True, "charge": 5, "ship": "shipped for 5"}
    assert told["events"] == len(command("history", told["task"], "--json").lines)
    assert 0 < told["seconds"] < 60


def test_where_the_same_was_run_before_it_says_that_nothing_ran(command: Command) -> None:
    file, *handlers = write_order(command)
    command.write(file, ORDER.replace("steps:", "identity: strict\nsteps:", 1))
    run = ("run", file, *handlers, "--context", '{"cents": 5}')
    first = command(*run)
    failing = command(*run[:-1], '{"cents": 5, "works_at": 9}')

    again, as_json = command(*run), command(*run, "--json")
    failed = command(*run[:-1], '{"cents": 5, "works_at": 9}')

    task = as_json.value["task"]
    assert first.out.splitlines()[-1].startswith(f"task {task}: complete after ")
    said = f"nothing ran: the same was submitted before, as task {task}, which is complete"
    assert (again.code, again.out.splitlines()[-1]) == (0, said)
    assert as_json.value["ran"] is False
    assert (failing.code, failed.code) == (1, 1)
    assert failed.out.splitlines()[-1].startswith("nothing ran: ")


def test_what_handlers_print_does_not_disturb_the_json(command: Command) -> None:
    arguments = write_order(command)

    for processes in ([], ["--processes", "1"]):
        done = command("run", *arguments, *processes, "--context", '{"cents": 5}', "--json")

        assert done.value["state"] == "complete"
        assert done.error == "validating\n"


def test_a_failed_task_is_exit_code_1_and_says_which_step_failed_why(command: Command) -> None:
    arguments = write_order(command)
    command.write("context.json", '{"cents": 5, "works_at": 9}')

    done = command("run", *arguments, "--context", "@context.json")
    as_json = command("run", *arguments, "--context", "@context.json", "--json")

    assert (done.code, as_json.code, done.error) == (1, 1, "")
    assert "step 'charge': failed 3 of 3 times: ConnectionError: the bank does not" in done.out
    assert ": error after " in done.out
    assert as_json.value["state"] == "error"
    error = {"error_class": "ConnectionError", "message": "the bank does not answer"}
    assert as_json.value["steps"]["charge"] == {"state": "error", "attempts": 3, "error": error}
    assert as_json.value["steps"]["ship"] == {"state": "pending", "attempts": 0}


def test_of_a_step_that_failed_of_no_exception_the_json_says_why(command: Command) -> None:
    command.write("hands.py", "def a() -> None:\n    raise KeyError('nope')\n")
    head = 'namespace: n\nname: {}\nversion: "1"\nsteps:\n- {{name: a, retry: {{{}}}}}\n'
    raised = command.write("r.yaml", head.format("r", "max_attempts: 1"))
    never = command.write("n.yaml", head.format("n", "max_attempts: 0"))

    errors = [
        command("run", file, "--handlers", "hands", "--json").value["steps"]["a"]["error"]
        for file in (raised, never)
    ]

    assert errors == [
        {"error_class": "KeyError", "message": "'nope'"},
        {"error_class": None, "message": "the policy allows no attempt"},
    ]


def test_on_a_latin_1_console_the_json_has_every_character_and_prints_are_escaped(
    command: Command,
) -> None:
    hands = "def a() -> str:\n    print('grün \u2603')\n    return 'grün \u2603'\n\n\n"
    command.write("hands.py", hands + "def b() -> None:\n    raise KeyError('grün \u2603')\n")
    steps = "- name: a\n- {name: b, dependencies: [a], retry: {max_attempts: 1}}\n"
    file = command.write("s.yaml", f'namespace: n\nname: s\nversion: "1"\nsteps:\n{steps}')
    latin = {**command.environment, "PYTHONIOENCODING": "latin-1"}

    for processes in ([], ["--processes", "1"]):
        done = subprocess.run(  # noqa: S603 - the program under test
            [*PROGRAM, "run", file, "--handlers", "hands", *processes, "--json"],
            cwd=command.folder,
            env=latin,
            capture_output=True,
            check=False,
        )

        assert (done.returncode, done.stderr.decode("latin-1")) == (1, "grün \\u2603\n"), processes
        told = json.loads(done.stdout.decode("latin-1"))
        assert told["results"] == {"a": "grün \u2603"}
        error = {"error_class": "KeyError", "message": "'grün \u2603'"}
        assert told["steps"]["b"]["error"] == error


def test_the_results_of_the_steps_are_printed_before_how_it_ended(command: Command) -> None:
    done = command("run", *write_order(command), "--context", '{"cents": 5}')

    *_, validate, charge, ship, ended = done.out.splitlines()
    assert [validate, charge, ship] == ["validate: true", "charge: 5", 'ship: "shipped for 5"']
    assert ": complete after " in ended


def test_of_many_and_long_results_the_beginning_is_printed(command: Command) -> None:
    steps = "".join(f"- name: s{n}\n  handler: {{callable: much}}\n" for n in range(30))
    command.write("hands.py", "def much(context: dict) -> str:\n    return 'x' * 5_000\n")
    command.write("wide.yaml", f"namespace: shop\nname: wide\nversion: '1'\nsteps:\n{steps}")

    done = command("run", "wide.yaml", "--handlers", "hands")

    assert done.code == 0, done.error
    *results, more, ended = [line for line in done.out.splitlines() if "/30: " not in line]
    task = ended.split()[1].rstrip(":")
    assert [line.partition(":")[0] for line in results] == [f"s{n}" for n in range(20)]
    assert {len(line) for line in results} <= set(range(900, 1_100))
    assert more == f"and 10 more: flowledger result {task}"


def test_who_runs_a_task_is_recorded(command: Command) -> None:
    arguments = (*write_order(command), "--context", '{"cents": 5}', "--json")

    named = command("run", *arguments, "--actor", "ada").value["task"]
    unnamed = command("run", *arguments).value["task"]

    actors = [command("history", task, "--json").lines[0]["actor"] for task in (named, unnamed)]
    assert actors == ["ada", getpass.getuser()]


def test_without_a_terminal_progress_is_plain_lines(command: Command) -> None:
    done = command("run", *write_order(command), "--context", '{"cents": 5, "works_at": 2}')

    assert done.code == 0
    assert "3/3: 3 complete" in done.out
    assert re.search(r"charge: retry 1 of 2[^\n]*: ConnectionError: the bank does", done.out)
    assert "\x1b" not in done.out


def test_on_a_terminal_progress_is_repainted(command: Command) -> None:
    arguments = write_order(command)
    ours, theirs = pty.openpty()
    environment = {**command.environment, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(  # noqa: S603 - the program under test
        [*PROGRAM, "run", *arguments, "--context", '{"cents": 5, "works_at": 2}'],
        cwd=command.folder,
        env=environment,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = read_all(ours)

    assert process.returncode == 0, shown
    assert "shop/order@1" in shown
    assert re.search(r"  charge +complete, \d\.\d s, retry 1 of 2", shown)
    assert re.search(r"  ship +complete, ", shown)
    assert "3/3 steps" in shown
    assert "\x1b[2K" in shown  # a line was erased to be painted again


def test_steps_run_in_worker_processes_and_none_is_left(command: Command) -> None:
    command.write("hands.py", "import os\n\n\ndef a() -> int:\n    return os.getpid()\n")
    steps = "".join(f"- {{name: s{n}, handler: {{callable: a}}}}\n" for n in range(20))
    path = command.write("many.yaml", 'namespace: n\nname: m\nversion: "1"\nsteps:\n' + steps)

    done = command("run", path, "--handlers", "hands", "--processes", "2", "--json")

    assert done.value["state"] == "complete"
    history = command("history", done.value["task"], "--json").lines
    pids = {line["data"]["result"] for line in history if line["type"] == "StepCompleted"}
    assert len(pids) in {1, 2}
    assert [pid for pid in pids if is_alive(pid)] == []


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


WAITING = """import os
import time
from pathlib import Path


def wait() -> None:
    Path("pid").write_text(str(os.getpid()))
    os.rename("pid", "running")
    while Path("running").exists():
        time.sleep(0.01)
"""


def start_waiting(command: Command) -> tuple[StartedProgram, int]:
    """A run whose only step waits in a worker process: the run, and the worker's pid."""
    command.write("hands.py", WAITING)
    path = command.write("w.yaml", 'namespace: n\nname: w\nversion: "1"\nsteps: [{name: wait}]\n')
    command.environment["FLOWLEDGER_WORKER__GRACE_SECONDS"] = "0.1"
    process = command.start("run", path, "--handlers", "hands", "--processes", "1")
    assert process.stdout is not None
    for line in process.stdout:
        if "running (wait)" in line:
            break
    running = command.folder / "running"
    while not running.exists():  # the step was started before its handler is called
        assert process.poll() is None
        time.sleep(0.01)
    return process, int(running.read_text())


def test_ctrl_c_stops_the_workers_and_says_that_the_task_goes_on(command: Command) -> None:
    process, worker = start_waiting(command)

    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "goes on when a worker runs its workflow" in error
    assert "Traceback" not in error
    assert not is_alive(worker)
    assert "step.released" in recorded(command)


def test_sigterm_does_the_same_with_its_own_exit_code(command: Command) -> None:
    process, worker = start_waiting(command)

    process.terminate()
    process.communicate(timeout=60)

    assert process.returncode == 143
    assert not is_alive(worker)


def test_a_worker_ends_by_itself_when_its_run_is_killed(command: Command) -> None:
    process, worker = start_waiting(command)
    ended = os.pidfd_open(worker)

    process.kill()
    process.communicate(timeout=60)

    assert wait_readable(ended, 60)
    os.close(ended)


def wait_readable(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


def recorded(command: Command) -> list[str]:
    with psycopg.connect(command.environment["FLOWLEDGER_DATABASE__URL"]) as connection:
        rows = connection.execute("select topic from flowledger.event order by notification_id")
        return [row[0] for row in rows]


def test_workers_that_all_end_are_told(command: Command) -> None:
    path = command.write("d.yaml", 'namespace: n\nname: d\nversion: "1"\nsteps: [{name: die}]\n')
    command.write("hands.py", "import os\n\n\ndef die() -> None:\n    os._exit(7)\n")

    done = command("run", path, "--handlers", "hands", "--processes", "1")

    assert (done.code, done.error) == (2, "error: the worker processes ended with code 7\n")


def test_a_python_workflow_is_run_by_its_module(command: Command) -> None:
    example = (Path(__file__).parents[2] / "docs/examples/orders.py").read_text("utf-8")
    command.write("orders.py", example.replace("time.sleep", "abs").replace("0.9", "0"))
    order = {"id": 7, "customer": "Ada", "items": {"tea": 2}, "cents": 1999}

    done = command("run", "orders:orders", "--context", json.dumps(order), "--json")

    assert done.code == 0, done.error
    assert done.value["steps"]["payment"] == {"state": "complete", "attempts": 3}


def test_where_no_handlers_are_named_the_way_out_is_told(command: Command) -> None:
    file, *_ = write_order(command)

    done = command("run", file, "--context", '{"cents": 5}')

    assert done.code == 2
    assert "handler 'validate' is not registered; nothing is: name the module" in done.error
    assert "--handlers MODULE" in done.error
    assert 'handler: {callable: "module:attribute"}' in done.error
