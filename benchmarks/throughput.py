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
from shapes import Load

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
    parser.add_argument("--only-others", action="store_true", help="raw limit and peers only")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    return parser.parse_args()


class Round:
    """The contestants, each measured when asked, with what they showed."""

    def __init__(self, url: str, args: argparse.Namespace) -> None:
        self.url = url
        per_task = shapes.named(args.shape).steps
        most = QUICK_STEPS if args.quick else STEPS
        peer_most = QUICK_STEPS if args.quick else PEER_STEPS
        tasks = args.tasks or max(1, most // per_task)
        peer_tasks = min(tasks, args.peer_tasks or max(1, peer_most // per_task))
        self.load = Load(args.shape, tasks, args.workers)
        self.raw_load = Load(args.shape, tasks, max(1, args.workers))
        self.peer_load = Load(args.shape, peer_tasks, max(1, args.workers))
        self.shown: dict[str, list[harness.Figures]] = {}

    def others(self, names: list[str]) -> None:
        """Measure the raw limit and peers, in that order."""
        for name in names:
            figures = self._raw() if name == "raw" else self._peer(name)
            if figures:
                self.shown.setdefault(name, []).append(figures)

    def mean(self, name: str) -> float | None:
        """Mean steps per second of what was measured under that name."""
        runs = self.shown.get(name)
        return fmean(figures.steps_per_s for figures in runs) if runs else None

    def _raw(self) -> harness.Figures:
        return raw.run(self.url, self.raw_load)

    def _peer(self, name: str) -> harness.Figures | None:
        peer = import_module(f"peers.{name}_peer")
        found: harness.Figures | None = peer.run(self.url, self.peer_load)
        return found


def ours_line(url: str, load: Load, open_tasks: int | None) -> tuple[harness.Figures, Line]:
    """flowledger's figures."""
    ours = import_module("ours")
    figures = ours.run(url, load, open_tasks)
    coordinator, *workers, _ = figures.reports
    memory = {"coordinator": coordinator, "worker": max(workers, default=coordinator)}
    return figures, {**figures.line(), "peak_rss_mb": memory}


def ratios(ours: float, contest: Round) -> Line:
    """Ours divided by each mean; None where the other was not asked or cannot run the shape."""
    names = ("raw", *PEERS)
    means = {name: contest.mean(name) for name in names}
    return {
        f"ratio_to_{name}": round(ours / mean, 3) if mean else None for name, mean in means.items()
    }


def run(url: str, args: argparse.Namespace) -> Line:
    """Everything, as one object."""
    contest, names = Round(url, args), ["raw", *args.peer]
    load = contest.load
    line: Line = {"shape": load.dag.name, "tasks": load.tasks, "steps": load.steps}
    line["workers"] = load.workers
    contest.others(names)
    if not args.only_others:
        figures, shown = ours_line(url, contest.load, args.open_tasks)
        line |= shown
    if not args.quick:
        contest.others(names[::-1])
    if not args.only_others:
        line |= ratios(figures.steps_per_s, contest)
    line["raw_steps_per_s"] = round(contest.mean("raw") or 0)
    line["others"] = {name: [one.line() for one in runs] for name, runs in contest.shown.items()}
    return line | harness.surroundings(url, args.peer)


def main() -> None:
    """One line of JSON."""
    args = arguments()
    with harness.postgres(args.database_url) as url:
        print(json.dumps(run(url, args)))


if __name__ == "__main__":
    main()
