"""`make demo` shows a retried payment, tells its history, and folds it again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.cli import PATIENCE, Command

ROOT = Path(__file__).parents[2]


def test_the_demo_runs_an_order_tells_its_history_and_replays_it(command: Command) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(ROOT / "docs/examples/demo.py")],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "5/5: 5 complete" in done.stdout
    failed = re.findall(r"ms +payment +attempt \d failed: ConnectionError", done.stdout)
    assert len(failed) == 2
    assert "notify  completed with" in done.stdout
    assert re.search(r"payment: retry 1 of 4( in 0\.\d s)?: ConnectionError: the bank", done.stdout)
    assert "28 events folded: the rows say the same\n" in done.stdout
    last = done.stdout.partition("What to look at next:\n")[2].splitlines()
    assert [line.split()[1] for line in last[:4]] == ["status", "history", "explain", "tasks"]
    assert last[4:] == ["The order is in the configured database."]


def test_inventory_and_payment_run_at_once(command: Command) -> None:
    """Each has started before the other has ended, by the log."""
    (command.folder / "orders.py").write_text(
        (ROOT / "docs/examples/orders.py").read_text("utf-8"), "utf-8"
    )
    order = f"@{ROOT / 'docs/examples/order.json'}"
    task = command("run", "orders:orders", "--context", order, "--json").value["task"]
    lines = command("history", task, "--json").lines

    def place(kind: str, step: str) -> int:
        found = [line["position"] for line in lines if line.get("step") == step]
        kinds = [line["type"] for line in lines if line.get("step") == step]
        return int(found[kinds.index(kind)])

    started = [place("StepStarted", step) for step in ("inventory", "payment")]
    ended = [place("StepCompleted", "inventory"), place("StepAttemptFailed", "payment")]
    assert max(started) < min(ended)
