"""When the tasks of a burst end: all at its end, or one after the other from its beginning on.

Many tasks are submitted together, and workers run their steps, which do nothing. Prints one line of
JSON: at which share of the run a tenth, half and nine tenths of the tasks had ended, beside the raw
limit of the same Postgres in the same run. An engine that finishes what it began has 0.5 in the
middle; one that begins all of them first has 1. Of several runs the one with the median half is
shown; `runs` has each run's half.

    python benchmarks/burst.py --shape diamond --tasks 4000 --workers 2 --runs 5
"""

from __future__ import annotations

import argparse
import json
from statistics import quantiles
from typing import Any

import harness
import ours
import raw
import shapes
from shapes import BackgroundLoad

QUICK_TASKS = 50


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shape", default="diamond", help=f"{', '.join(shapes.SHAPES)}, or a file")
    parser.add_argument("--tasks", type=int, default=4_000)
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: all in one process")
    parser.add_argument("--runs", type=int, default=1, help="the median of so many is shown")
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    return parser.parse_args()


def shares(figures: harness.Figures) -> dict[str, float]:
    """At which share of the run so many of the tasks had ended."""
    last = max(figures.latencies)
    tenths = quantiles(figures.latencies, n=10, method="inclusive")
    found = {"tenth": tenths[0], "half": tenths[4], "nine_tenths": tenths[8]}
    return {name: round(seconds / last, 3) for name, seconds in found.items()}


def line(url: str, args: argparse.Namespace) -> dict[str, Any]:
    """Everything, as one object."""
    tasks = min(args.tasks, QUICK_TASKS) if args.quick else args.tasks
    load = BackgroundLoad(args.shape, tasks, args.workers)
    reference = raw.run(url, BackgroundLoad(args.shape, tasks, max(1, args.workers)))
    runs = [ours.run(url, load, burst=True) for _ in range(args.runs)]
    figures = sorted(runs, key=lambda run: shares(run)["half"])[(len(runs) - 1) // 2]
    return {
        "benchmark": "burst",
        "engine": "flowledger",
        "shape": load.dag.name,
        "tasks": tasks,
        "workers": args.workers,
        "ended_at_share_of_run": shares(figures),
        "runs": [shares(run)["half"] for run in runs],
        "first_end_s": round(min(figures.latencies), 3),
        "last_end_s": round(max(figures.latencies), 3),
        "steps_per_s": round(figures.steps_per_s, 1),
        "raw_steps_per_s": round(reference.steps_per_s, 1),
        "peak_rss_mb": figures.reports[0]["peak_rss_mb"],
    }


def main() -> None:
    """One line of JSON."""
    args = arguments()
    with harness.postgres(args.database_url) as url:
        print(json.dumps({**line(url, args), **harness.surroundings(url, {})}))


if __name__ == "__main__":
    main()
