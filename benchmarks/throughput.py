"""How many steps a second, beside the raw limit of the same Postgres and beside other engines.

One run measures everything on one server: the raw limit and the peers, then flowledger, then the
peers and the raw limit again, so that a machine which slows down meanwhile shows; ratios are to the
means. Prints one line of JSON.

    python benchmarks/throughput.py --shape diamond --workers 2 --peer dbos
    python benchmarks/throughput.py --shape path/to/wfformat.json --tasks 20
"""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from statistics import fmean
from typing import Any

import harness
import raw
import shapes
from shapes import BackgroundLoad

OURS = "flowledger"
PEERS = ("dbos", "pgqueuer")
STEPS = 20_000
PEER_STEPS = 2_000
QUICK_STEPS = 200
Line = dict[str, Any]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shape", default="diamond", help=f"{', '.join(shapes.SHAPES)}, or a file")
    parser.add_argument("--tasks", type=int, help=f"default: as many as make {STEPS} steps")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: all in one process")
    parser.add_argument("--open-tasks", type=int, help="most tasks open at once; default: all")
    parser.add_argument("--peer", choices=PEERS, action="append", default=[])
    parser.add_argument("--peer-tasks", type=int, help=f"default: {PEER_STEPS} steps' worth")
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many runs is shown")
    parser.add_argument("--profile", action="store_true", help="also where our processes wait")
    parser.add_argument(
        "--without-readiness", action="store_true", help="leave out the rows of steps: their cost"
    )
    parser.add_argument("--only-others", action="store_true", help="raw limit and peers only")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    return parser.parse_args()


class Contest:
    """The contestants, each measured when its turn comes, with all that they showed."""

    def __init__(self, url: str, args: argparse.Namespace) -> None:
        self.url, self.args = url, args
        per_task = shapes.named(args.shape).steps
        most, peer_most = (QUICK_STEPS,) * 2 if args.quick else (STEPS, PEER_STEPS)
        tasks = args.tasks or max(1, most // per_task)
        peer_tasks = min(tasks, args.peer_tasks or max(1, peer_most // per_task))
        processes = max(1, args.workers)
        self.load = BackgroundLoad(args.shape, tasks, args.workers)
        self.raw_load = BackgroundLoad(args.shape, tasks, processes)
        self.peer_load = BackgroundLoad(args.shape, peer_tasks, processes)
        self.shown: dict[str, list[harness.Figures]] = {}

    def turns(self) -> list[str]:
        """Who runs when: the others before us in each round, and once more after the last."""
        others = ["raw", *self.args.peer]
        turns = [*others, *([] if self.args.only_others else [OURS])] * self.args.rounds
        return turns if self.args.quick else turns + others[::-1]

    def run(self) -> None:
        """Measure everyone."""
        for name in self.turns():
            if figures := self._measure(name):
                self.shown.setdefault(name, []).append(figures)

    def mean(self, name: str) -> float | None:
        """Mean steps per second of what was measured under that name."""
        runs = self.shown.get(name)
        return fmean(figures.steps_per_s for figures in runs) if runs else None

    def _measure(self, name: str) -> harness.Figures | None:
        if name == "raw":
            return raw.run(self.url, self.raw_load)
        if name == OURS:
            ours = import_module("ours")
            return ours.run(  # type: ignore[no-any-return]
                self.url,
                self.load,
                open_tasks=self.args.open_tasks,
                profile=self.args.profile,
                readiness=not self.args.without_readiness,
            )
        peer = import_module(f"peers.{name}_peer")
        return peer.run(self.url, self.peer_load)  # type: ignore[no-any-return]


def ours_line(contest: Contest) -> Line:
    """flowledger's figures: of its median run, and how it compares with the means of the others."""
    runs = sorted(contest.shown[OURS], key=lambda figures: figures.steps_per_s)
    figures = runs[len(runs) // 2]
    coordinator, *workers, _ = figures.reports
    worker = max(workers, default=coordinator, key=lambda report: report["peak_rss_mb"])
    roles = {"coordinator": coordinator, "worker": worker}
    return {
        **figures.line(),
        "runs": [round(run.steps_per_s) for run in contest.shown[OURS]],
        "peak_rss_mb": {role: report["peak_rss_mb"] for role, report in roles.items()},
        **{f"ratio_to_{name}": _ratio(contest, name) for name in ("raw", *PEERS)},
        **({"profile": roles} if contest.args.profile else {}),
    }


def _ratio(contest: Contest, name: str) -> float | None:
    """None where the other was not asked, or cannot run the shape."""
    ours, other = contest.mean(OURS), contest.mean(name)
    return round(ours / other, 3) if ours and other else None


def line(contest: Contest) -> Line:
    """Everything, as one object."""
    load = contest.load
    shown = contest.shown
    return {
        "shape": load.dag.name,
        "tasks": load.tasks,
        "steps": load.steps,
        "workers": load.workers,
        **(ours_line(contest) if OURS in shown else {}),
        "raw_steps_per_s": round(contest.mean("raw") or 0),
        "others": {name: [one.line() for one in shown[name]] for name in shown if name != OURS},
    }


def main() -> None:
    """One line of JSON."""
    args = arguments()
    with harness.postgres(args.database_url) as url:
        surroundings = harness.surroundings(url, args.peer)
        contest = Contest(url, args)
        contest.run()
        print(json.dumps({**line(contest), **surroundings}))


if __name__ == "__main__":
    main()
