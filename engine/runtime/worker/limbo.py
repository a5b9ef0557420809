"""Exchanges that were cut off: the server may carry them out all the same, and later.

As long as a statement may take, the board can get claims that nobody here knows of. How long that
is, is counted in seconds that really pass: the engine's time may be moved meanwhile.

A server that stood still, or a network that kept a message, can make it longer than anybody may
count on. So the board is asked now and then also when nothing is expected any more.
"""

from __future__ import annotations

from collections.abc import Callable


class Limbo:
    """Says when the board is to be asked: at once, then once a poll; else once in a full time."""

    def __init__(
        self, elapsed: Callable[[], float], *, lasts_seconds: float, poll_seconds: float
    ) -> None:
        """`elapsed` are seconds from some moment on, which nobody sets."""
        self._elapsed = elapsed
        self._lasts = lasts_seconds
        self._poll = poll_seconds
        self._until = elapsed()
        self._ask_at = self._until + lasts_seconds

    def entered(self) -> None:
        """An exchange was cut off."""
        self._ask_at = self._elapsed()
        self._until = self._ask_at + self._lasts

    def asks(self) -> bool:
        """Whether to ask now; not again before a poll has passed."""
        now = self._elapsed()
        if now < self._ask_at:
            return False
        self._ask_at = now + (self._poll if now < self._until else self._lasts)
        return True
