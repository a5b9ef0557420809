"""How far a task is: repainted on a terminal, as lines elsewhere, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flowledger.engine.cli.output import tell
from flowledger.engine.domain.event_text import STATE_LABELS
from flowledger.engine.domain.machine.transitions import StepState

NAMES_SHOWN = 6
COLOURS: Mapping[StepState, str] = {
    StepState.COMPLETE: "green",
    StepState.IN_PROGRESS: "cyan",
    StepState.ENQUEUED: "blue",
    StepState.WAITING_FOR_RETRY: "yellow",
    StepState.PENDING: "bright_black",
    StepState.ERROR: "red",
    StepState.CANCELLED: "magenta",
    StepState.SKIPPED: "magenta",
    StepState.RESOLVED_MANUALLY: "magenta",
}


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a running task. `running` names some of the running steps."""

    template: str
    task: UUID
    total: int
    steps: Mapping[StepState, int]
    running: tuple[str, ...]
    seconds: float

    @property
    def complete(self) -> int:
        """How many steps are complete."""
        return self.steps.get(StepState.COMPLETE, 0)

    @property
    def rate(self) -> float:
        """Steps completed a second, from the beginning."""
        return self.complete / self.seconds if self.seconds else 0.0


class View(Protocol):
    """Something that shows looks, within its own block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool | None: ...

    def show(self, look: Look) -> None:
        """Show how far it is."""
        ...


class Silent:
    """Shows nothing: the answer is one JSON object at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""

    def show(self, look: Look) -> None:
        """Nothing."""


class Lines(Silent):
    """A line whenever the numbers changed."""

    def __init__(self) -> None:
        self._last: Mapping[StepState, int] = {}

    def show(self, look: Look) -> None:
        """Print a line, unless it would say what the last one said."""
        if look.steps != self._last:
            self._last = look.steps
            counts = ", ".join(f"{count} {STATE_LABELS[state]}" for state, count in _shown(look))
            names = f" ({_names(look)})" if look.running else ""
            tell(f"{look.seconds:7.1f} s  {look.complete}/{look.total}: {counts}{names}")


class Repainted:
    """A bar, the numbers and the running steps, repainted in place."""

    def __init__(self, console: Console, refresh_per_second: int) -> None:
        self._live = Live(
            console=console, refresh_per_second=refresh_per_second, auto_refresh=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, look: Look) -> None:
        """Repaint."""
        self._live.update(painted(look), refresh=True)


def view_for(console: Console, refresh_per_second: int, *, as_json: bool) -> View:
    """The way to show progress that suits who looks."""
    if as_json:
        return Silent()
    return Repainted(console, refresh_per_second) if console.is_terminal else Lines()


def painted(look: Look) -> RenderableType:
    """A look as rich shows it."""
    head = Text.assemble((look.template, "bold"), f"   task {look.task}")
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=max(1, look.total), completed=look.complete, width=40),
        f"{look.complete}/{look.total} steps",
        f"{look.seconds:.1f} s",
        f"{look.rate:,.0f} steps/s" if look.rate >= 10 else f"{look.rate:.1f} steps/s",
    )
    counts = Text("   ").join(
        Text.assemble((f"{count}", f"bold {COLOURS[state]}"), f" {STATE_LABELS[state]}")
        for state, count in _shown(look)
    )
    parts: list[RenderableType] = [head, bar, counts]
    if look.complete < look.total:
        names = _names(look) or "-"
        parts.append(Text(f"running: {names}", "cyan", overflow="ellipsis", no_wrap=True))
    return Group(*parts)


def _shown(look: Look) -> list[tuple[StepState, int]]:
    return [(state, look.steps[state]) for state in STATE_LABELS if look.steps.get(state)]


def _names(look: Look) -> str:
    more = look.steps.get(StepState.IN_PROGRESS, 0) - len(look.running)
    return ", ".join(look.running) + (f" and {more} more" if more > 0 else "")
