"""Measures all that docs/performance.md shows, and draws the page and its charts anew.

The benchmarks run one after the other, each on a server of its own; their lines of JSON go to
docs/performance, and replace what was there only where a benchmark has succeeded. A peer that is
missing or fails is told here and on the page, and left out. With the sizes below it takes about a
quarter of an hour on two cores; nothing else should run meanwhile.

    python benchmarks/performance.py
    python benchmarks/performance.py --runs 1 --steps 2000 --peer-steps 500 --idle-seconds 5
"""

from __future__ import annotations

import argparse
import json
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

BENCHMARKS = Path(__file__).parent
DOCS = BENCHMARKS.parent / "docs"
MINUTES = 30
"""Longer than this no benchmark should take: it is ended then, and its former figures stay."""

LEFT_OUT = " is left out: "


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="of each contestant")
    parser.add_argument("--steps", type=int, default=12_000, help="of a run of flowledger")
    parser.add_argument("--peer-steps", type=int, default=2_000, help="of a run of a peer")
    parser.add_argument("--latency-tasks", type=int, default=150, help="chains of a run")
    parser.add_argument("--idle-seconds", type=float, default=15.0)
    parser.add_argument("--burst-tasks", type=int, default=4_000)
    parser.add_argument("--processes", type=int, default=2, help="workers, or processes of a peer")
    parser.add_argument("--peer", action="append", help="default: all")
    parser.add_argument("--only", action="append", help="a benchmark; default: each of them")
    parser.add_argument("--into", type=Path, default=DOCS / "performance", help="a folder")
    return parser


def commands(args: argparse.Namespace) -> Mapping[str, list[str]]:
    """How each benchmark is run, the shorter ones first."""
    peers = [word for name in args.peer or ["all"] for word in ("--peer", name)]
    runs, processes = ["--runs", f"{args.runs}"], f"{args.processes}"
    sizes = ["--steps", f"{args.steps}", "--peer-steps", f"{args.peer_steps}"]
    return {
        "latency": [*runs, *peers, "--tasks", f"{args.latency_tasks}"],
        "burst": [*runs, "--tasks", f"{args.burst_tasks}", "--workers", processes],
        "idle": [*peers, "--seconds", f"{args.idle_seconds:g}"],
        "throughput": [
            *(*runs, *peers, *sizes, "--shape", "all"),
            *("--workers", processes, "--processes", processes),
        ],
    }


def measure(name: str, given: list[str], folder: Path) -> bool:
    """Run a benchmark, and keep its lines; whether it had any to keep."""
    tell(f"{name}.py {' '.join(given)}")
    began = time.monotonic()
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *given]
    code, printed, told = ended(command)
    tell(f"{told}{name}.py took {time.monotonic() - began:.0f} s")
    if not printed or (code and "Traceback" in told):  # 1 also says that a peer is left out
        tell(f"{name}.py failed (exit code {code}): its former figures stay")
        return False
    lines = printed.splitlines() + left_out(told)
    (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return True


def ended(command: list[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a process, which is interrupted where it takes too long.

    An interrupted benchmark stops its servers and processes.
    """
    with subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, told = process.communicate(timeout=60 * MINUTES)
        except BaseException as error:
            process.send_signal(signal.SIGINT)
            printed, told = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        return process.returncode, printed, told


def left_out(told: str) -> list[str]:
    """A line for each sentence that says who could not be measured."""
    return [
        json.dumps({"benchmark": "left_out", "why": row})
        for row in told.splitlines()
        if LEFT_OUT in row
    ]


def tell(words: str) -> None:
    """On the standard error: the figures go to files."""
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and draw."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell in the background ignores the former
        signal.signal(number, signal.default_int_handler)
    args = options().parse_args()
    args.into.mkdir(parents=True, exist_ok=True)
    wanted = {
        name: given for name, given in commands(args).items() if not args.only or name in args.only
    }
    done = [measure(name, given, args.into) for name, given in wanted.items()]
    if args.into == DOCS / "performance":
        runpy.run_path(str(DOCS / "draw_performance.py"), run_name="__main__")
        tell("docs/performance.md and its charts are drawn anew")
    sys.exit(0 if all(done) else 1)


if __name__ == "__main__":
    main()
