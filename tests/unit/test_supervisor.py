"""When a process that ended is followed by another."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flowledger.engine.cli.supervisor import (
    AGAIN_CAP_SECONDS,
    AGAIN_SECONDS,
    LASTING_SECONDS,
    Place,
    how_ended,
)


class Stage:
    """A place whose processes end at once, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.started = 0
        self.place = Place(self._start, lambda: self.now)

    def _start(self) -> subprocess.Popen[bytes]:
        self.started += 1
        return subprocess.Popen([sys.executable, "-S", "-c", ""], stdin=subprocess.PIPE)

    def ends_after(self, seconds: float) -> None:
        """The process runs for so long, and its end is noticed."""
        if self.place.child is None:
            self.place.look()
        assert self.place.child is not None
        self.place.child.wait()
        self.now += seconds
        self.place.look()
        assert self.place.child is None

    def waits(self) -> float:
        """Seconds until the next process is started, to the nearest tenth that is later."""
        before, began = self.started, self.now
        while self.started == before:
            self.now += 0.1
            self.place.look()
        return self.now - began


def test_pauses_double_up_to_a_bound_and_begin_anew_after_a_process_that_lasted() -> None:
    stage = Stage()
    expected = AGAIN_SECONDS
    while expected < 2 * AGAIN_CAP_SECONDS:
        stage.ends_after(1.0)
        most = min(expected, AGAIN_CAP_SECONDS)
        assert most / 2 <= stage.waits() <= most + 0.2
        expected *= 2

    stage.ends_after(LASTING_SECONDS + 1)

    assert stage.waits() <= AGAIN_SECONDS + 0.2
    stage.ends_after(0)


def test_a_process_that_cannot_be_started_is_tried_again() -> None:
    now, tried = 0.0, 0

    def refused() -> subprocess.Popen[bytes]:
        nonlocal tried
        tried += 1
        raise BlockingIOError("Resource temporarily unavailable")

    place = Place(refused, lambda: now)
    place.look()
    place.look()
    assert tried == 1

    now = AGAIN_SECONDS
    place.look()

    assert tried == 2


@pytest.mark.parametrize(
    ("code", "told"),
    [(0, {"code": 0}), (7, {"code": 7}), (-9, {"signal": "SIGKILL"}), (-63, {"signal": 63})],
)
def test_an_end_is_told_by_its_code_or_signal(code: int, told: dict[str, int | str]) -> None:
    assert how_ended(code) == told
