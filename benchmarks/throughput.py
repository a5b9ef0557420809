"""How many steps a second, beside the raw limit of the same Postgres and beside other engines.

One program measures everything on one server, in turn: in each run the raw limit, each peer and
flowledger, in every second run the other way round, so that a machine which slows down meanwhile
slows everyone down. Prints one line of JSON for each contestant and shape, with the figures of its
median run and every run's steps a second; `ratio_to_…` is to the other's median.

    python benchmarks/throughput.py --shape all --peer all --runs 5
    python benchmarks/throughput.py --shape diamond --workers 2 --peer dbos
    python benchmarks/throughput.py --shape diamond --processes 2
    python benchmarks/throughput.py --shape path/to/wfformat.json --tasks 20
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from statistics import median
from typing import Any

import contestants
import harness
import ours
import raw
import shapes
from contestants import ALL, OURS, Contestants
from shapes import BackgroundLoad

RAW, TOGETHER = "raw", "flowledger with all roles in each process"
STEPS = 20_000
PEER_STEPS = 2_000
QUICK_STEPS = 200
RUNS = 2
LONG_ENOUGH_SECONDS = 2.0
"""A peer's first run that takes less is repeated with more tasks, and not shown."""
Line = dict[str, Any]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    known = ", ".join(shapes.SHAPES)
    parser.add_argument("--shape", default="diamond", help=f"{known}, all of these, or a file")
    parser.add_argument("--steps", type=int, default=STEPS, help="about so many in all tasks")
    parser.add_argument("--tasks", type=int, help="so many instead, whatever their steps")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: all in one process")
    parser.add_argument(
        "--processes", type=int, default=0, help="also so many with all roles, a shard for each"
    )
    parser.add_argument("--open-tasks", type=int, help="most tasks open at once; default: all")
    contestants.add_argument(parser)
    parser.add_argument(
        "--peer-steps", type=int, default=PEER_STEPS, help="or more, for two seconds"
    )
    parser.add_argument("--peer-tasks", type=int, help="so many instead, whatever their steps")
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--runs", type=int, default=RUNS, help="the median of so many is shown")
    parser.add_argument("--profile", action="store_true", help="also where our processes wait")
    parser.add_argument(
        "--without-readiness", action="store_true", help="leave out the rows of steps: their cost"
    )
    parser.add_argument("--only-others", action="store_true", help="raw limit and peers only")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    return parser.parse_args()


class Contest:
    """The contestants on one shape, each measured when its turn comes, and what they showed."""

    def __init__(self, url: str, shape: str, args: argparse.Namespace, peers: Contestants) -> None:
        self.url, self.args, self.peers = url, args, peers
        per_task = shapes.named(shape).steps
        most, peer_most = (QUICK_STEPS,) * 2 if args.quick else (args.steps, args.peer_steps)
        tasks = args.tasks or max(1, most // per_task)
        peer_tasks = min(tasks, args.peer_tasks or max(1, peer_most // per_task))
        beside = args.processes or max(1, args.workers)
        self.loads = {
            RAW: BackgroundLoad(shape, tasks, beside),
            OURS: BackgroundLoad(shape, tasks, args.workers),
            TOGETHER: BackgroundLoad(shape, tasks, args.processes),
            **{name: BackgroundLoad(shape, peer_tasks, beside) for name in peers},
        }
        self.shown: dict[str, list[harness.Figures]] = {}

    def turns(self) -> list[str]:
        """Who runs when."""
        ours = [OURS, *([TOGETHER] if self.args.processes else [])]
        everyone = [RAW, *self.peers, *([] if self.args.only_others else ours)]
        runs = 1 if self.args.quick else self.args.runs
        return [name for run in range(runs) for name in everyone[:: -1 if run % 2 else 1]]

    def run(self) -> None:
        """Measure everyone."""
        for name in self.turns():
            if figures := self._measure(name):
                self.shown.setdefault(name, []).append(figures)

    def median(self, name: str) -> float | None:
        """Median steps per second of what was measured under that name; None: nothing was."""
        runs = self.shown.get(name)
        return median(figures.steps_per_s for figures in runs) if runs else None

    def _measure(self, name: str) -> harness.Figures | None:
        load = self.loads[name]
        if name == RAW:
            return raw.run(self.url, load)
        if name in {OURS, TOGETHER}:
            return ours.run(
                self.url,
                load,
                together=name == TOGETHER,
                open_tasks=self.args.open_tasks,
                profile=self.args.profile,
                readiness=not self.args.without_readiness,
            )
        figures = self.peers.measured(name, lambda peer: peer.run(self.url, load))
        if figures and name not in self.shown and self._has_more(name, figures):
            return self._measure(name)
        return figures

    def _has_more(self, name: str, figures: harness.Figures) -> bool:
        """Whether a peer that was done too soon to tell has got more tasks, never more than we."""
        load = self.loads[name]
        wanted = math.ceil(load.tasks * LONG_ENOUGH_SECONDS / figures.seconds)
        tasks = min(wanted, self.loads[OURS].tasks)
        if self.args.quick or self.args.peer_tasks or tasks <= load.tasks:
            return False
        self.loads[name] = replace(load, tasks=tasks)
        return True

    def lines(self) -> list[Line]:
        """What everyone showed, us first."""
        names = sorted(self.shown, key=lambda name: not name.startswith(OURS))
        return [self._line(name) for name in names]

    def _line(self, name: str) -> Line:
        load, runs = self.loads[name], self.shown[name]
        figures = sorted(runs, key=lambda run: run.steps_per_s)[(len(runs) - 1) // 2]
        is_ours = name in {OURS, TOGETHER}
        return {
            "benchmark": "throughput",
            "engine": OURS if is_ours else name,
            "processes": _processes(name, load.workers),
            "shape": load.dag.name,
            "tasks": load.tasks,
            "steps": load.steps,
            **figures.line(),
            "steps_per_s": round(self.median(name) or 0, 1),
            "runs": [round(run.steps_per_s) for run in runs],
            **(self._of_ours(name, figures) if is_ours else {}),
        }

    def _of_ours(self, name: str, figures: harness.Figures) -> Line:
        coordinator, *workers, _ = figures.reports
        worker = max(workers, default=coordinator, key=lambda report: report["peak_rss_mb"])
        roles = {"coordinator": coordinator, "worker": worker}
        return {
            "peak_rss_mb": {role: report["peak_rss_mb"] for role, report in roles.items()},
            **{f"ratio_to_{other}": self._ratio(name, other) for other in (RAW, *self.peers)},
            **({"profile": roles} if self.args.profile else {}),
        }

    def _ratio(self, name: str, other: str) -> float | None:
        """None where the other cannot run the shape."""
        ours, others = self.median(name), self.median(other)
        return round(ours / others, 3) if ours and others else None


def _processes(name: str, count: int) -> str:
    if name == TOGETHER or (name == OURS and not count):
        return f"{max(1, count)} with all roles"
    return f"a coordinator and {count} workers" if name == OURS else str(count)


def main() -> None:
    """One line of JSON for each contestant and shape."""
    args = arguments()
    peers = Contestants(args.peer)
    names = list(shapes.SHAPES) if args.shape == ALL else [args.shape]
    with harness.postgres(args.database_url) as url:
        surroundings = harness.surroundings(url, contestants.versions(peers.names))
        for shape in names:
            contest = Contest(url, shape, args, peers)
            contest.run()
            for line in contest.lines():
                print(json.dumps({**line, **surroundings}), flush=True)
    sys.exit(peers.exit_code())


if __name__ == "__main__":
    main()
