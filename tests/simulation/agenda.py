"""One thread, one seed, one agenda: everything that happens in a simulation happens here.

A role's call of its store is the only place where others can get a word in: there the world may
let time pass and run what is due, which stands for threads, other processes and slow networks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from uuid import UUID

from flowledger.engine.domain.deterministic_ids import milliseconds, uuid7
from flowledger.engine.events.base import Event, StepEvent

DAWN = datetime(2026, 1, 1, tzinfo=UTC)
DEEPEST = 4
MOST_WORDS = 40
MOST_STEPS = 20_000
TRACED = 400


def brief(value: object) -> str:  # noqa: PLR0911 - one for each kind of value
    """A value in a line of the trace: the names of events, the ends of ids."""
    if isinstance(value, Event):
        where = f" {value.step}" if isinstance(value, StepEvent) else ""
        return f"{type(value).__name__}{where} v{value.originator_version}"
    if isinstance(value, UUID):
        return value.hex[-4:]
    if isinstance(value, datetime):
        return f"{(value - DAWN).total_seconds():.3f}"
    if is_dataclass(value) and not isinstance(value, type):
        named = ((field.name, getattr(value, field.name)) for field in fields(value))
        shown = (f"{name}={brief(one)}" for name, one in named if one not in EMPTY)
        return f"{type(value).__name__}({', '.join(shown)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{brief(k)}: {brief(v)}' for k, v in value.items())}}}"
    if callable(value):
        return "_"
    if isinstance(value, list | tuple | frozenset | set):
        return f"[{', '.join(map(brief, value))}]"
    return str(value)


EMPTY: tuple[object, ...] = (None, [], (), frozenset())


class Violation(AssertionError):
    """The engine broke a promise."""


class Crash(BaseException):
    """The process is killed here."""


@dataclass(frozen=True, slots=True)
class Troubles:
    """How likely is what may go wrong, each from 0 to 1; `slow` in seconds of a slow call.

    A call may fail, be cut off after it was done, or be done in limbo, long after it failed; its
    process may crash at it, others may race it. Wake-ups may be dropped or late.
    """

    fail: float = 0.0
    cut: float = 0.0
    limbo: float = 0.0
    crash: float = 0.0
    race: float = 0.0
    drop: float = 0.0
    late: float = 0.0
    slow: float = 0.0


PEACE = Troubles()


def troubles(random: Random) -> Troubles:
    """Some kinds of trouble at some intensity: seldom all of them, which would hide each other."""
    return Troubles(
        fail=random.choice((0, 0, 0.02, 0.2)),
        cut=random.choice((0, 0, 0.02, 0.2)),
        limbo=random.choice((0, 0.3)),
        crash=random.choice((0, 0, 0.005, 0.03)),
        race=random.choice((0, 0.1, 0.5, 0.9)),
        drop=random.choice((0, 0, 0.1, 0.5, 1)),
        late=random.choice((0, 0.1, 0.5)),
        slow=random.choice((0.01, 0.5, 10, 40)),
    )


class World:
    """Virtual time, the agenda, and chance."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)  # noqa: S311 - to be reproduced, not to be secret
        self.troubles = troubles(self.random)
        self._trace: deque[tuple[float, int, tuple[object, ...]]] = deque(maxlen=TRACED)
        self.steps = 0
        self._elapsed = 0.0
        self._jumped = 0.0
        self._agenda: list[tuple[float, float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._depth = 0
        self._words = 0
        self.down_until = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the simulation began."""
        return self._elapsed

    def machine(self) -> datetime:
        """The time of every machine."""
        return DAWN + timedelta(seconds=self._elapsed)

    def clock(self) -> datetime:
        """The database's time, which may have been moved ahead."""
        return self.machine() + timedelta(seconds=self._jumped)

    def jump(self, seconds: float) -> None:
        """The database's clock is moved ahead; processes learn it when they next ask."""
        self._jumped += seconds
        self.note("the clock jumps by", seconds)

    def outage(self, seconds: float) -> None:
        """Nobody reaches the database for so long."""
        self.down_until = max(self.down_until, self._elapsed + seconds)
        self.note("the database is away for", seconds)

    @property
    def is_down(self) -> bool:
        """Whether nobody reaches the database."""
        return self._elapsed < self.down_until

    def new_id(self) -> UUID:
        """An id that nobody else has."""
        return uuid7(milliseconds(self.machine()), self.random.getrandbits(74))

    def chance(self, probability: float) -> bool:
        """Whether something of that probability happens now."""
        return probability > 0 and self.random.random() < probability

    def note(self, *what: object) -> None:
        """Keep what happened, for whoever looks into a violation; put into words only then."""
        self._trace.append((self._elapsed, self._depth, what))

    def told(self) -> str:
        """What happened last."""
        return "\n".join(
            f"{when:10.3f} {'  ' * depth}{' '.join(map(brief, what))}"
            for when, depth, what in self._trace
        )

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Put something on the agenda; what is due together comes in any order."""
        entry = (self._elapsed + seconds, self.random.random(), next(self._numbers), action)
        heappush(self._agenda, entry)

    def run(self, until: Callable[[], bool], *, longest: float) -> bool:
        """Work off the agenda until something holds. False: the time is up before it does."""
        end = self._elapsed + longest
        while not until():
            if not self._agenda or self._agenda[0][0] > end:
                return False
            self._words = MOST_WORDS
            self._next()
        return True

    def race(self) -> None:
        """Let others get a word in, now and then for long."""
        if self._depth >= DEEPEST or not self._words or not self.chance(self.troubles.race):
            return
        end = self._elapsed + self.random.random() ** 3 * self.troubles.slow
        self._depth += 1
        try:
            while self._words and self._agenda and self._agenda[0][0] <= end:
                self._words -= 1
                self._next()
                if self.chance(0.2):
                    break
        finally:
            self._depth -= 1
        if self.chance(0.2):
            self._elapsed = max(self._elapsed, end)

    def _next(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Violation("the engine does not come to rest")
        when, _, _, action = heappop(self._agenda)
        self._elapsed = max(self._elapsed, when)
        action()
