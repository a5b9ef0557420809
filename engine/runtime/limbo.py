"""Exchanges that were cut off: the server may carry them out all the same, and later.

As long as a statement may take, the board can get claims that nobody here knows of. How long that
is, is counted in seconds that really pass: the engine's time may be moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable


class Limbo:
    """Says when the board is to be asked: at once, once a poll, and once when it is over."""

    def __init__(
        self, elapsed: Callable[[], float], *, lasts_seconds: float, poll_seconds: float
    ) -> None:
        """`elapsed` are seconds from some moment on, which nobody sets."""
        self._elapsed = elapsed
        self._lasts = lasts_seconds
        self._poll = poll_seconds
        self._until: float | None = None
        self._ask_at = 0.0

    def entered(self) -> None:
        """An exchange was cut off."""
        self._ask_at = self._elapsed()
        self._until = self._ask_at + self._lasts

    def asks(self) -> bool:
        """Whether to ask now; not again before a poll has passed."""
        now = self._elapsed()
        if self._until is None or now < self._ask_at:
            return False
        self._ask_at = now + self._poll
        if now >= self._until:
            self._until = None
        return True
