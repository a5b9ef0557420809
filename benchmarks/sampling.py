"""Where a process spends its time: a thread that looks at the stacks of the others.

A sample is counted for the innermost function of the engine on a thread's stack, so that time in
the database driver shows where the engine called it. Waiting counts like working: a function that
waits for its next wake-up has the share of time in which there was nothing to do. Threads that
differ by a number at the end of their name are counted together, so a share can be above 1.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

import flowledger.engine

PERIOD_SECONDS = 0.01
TOP = 25
ROOT = Path(flowledger.engine.__file__).parents[1]


class Samples:
    """Counts of samples by thread and function."""

    def __init__(self) -> None:
        self.taken = 0
        self.counts: Counter[str] = Counter()

    def shares(self) -> dict[str, float]:
        """The share of all samples in which a thread was in that function; the largest first."""
        return {
            place: round(count / self.taken, 3) for place, count in self.counts.most_common(TOP)
        }

    def take(self) -> None:
        """Look at every other thread once."""
        self.taken += 1
        names = {one.ident: one.name.rstrip("-_0123456789") for one in threading.enumerate()}
        for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the only way to see them
            place = _place(frame)
            if place and ident != threading.get_ident():
                self.counts[f"{names.get(ident, '?')}: {place}"] += 1


@contextmanager
def sampled(*, wanted: bool) -> Iterator[Samples]:
    """Take samples of this process for as long as the block runs, if they are wanted."""
    samples, stop = Samples(), threading.Event()

    def loop() -> None:
        while not stop.wait(PERIOD_SECONDS):
            samples.take()

    thread = threading.Thread(target=loop, name="sampler", daemon=True)
    if wanted:
        thread.start()
    try:
        yield samples
    finally:
        stop.set()
        if wanted:
            thread.join()


def _place(frame: FrameType | None) -> str | None:
    while frame is not None:
        if place := _named(frame.f_code):
            return place
        frame = frame.f_back
    return None


@cache
def _named(code: CodeType) -> str | None:
    path = Path(code.co_filename)
    if not path.is_relative_to(ROOT) or path.is_relative_to(ROOT / "benchmarks"):
        return None
    return f"{path.relative_to(ROOT)}:{code.co_qualname}"
