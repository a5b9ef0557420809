"""How far a task is: repainted on a terminal, as lines elsewhere, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Protocol, Self
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from flowledger.engine.cli.output import tell
from flowledger.engine.cli.step_lines import StepLine, middle, most_telling
from flowledger.engine.display_text import visible
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
"""Of states in a list of steps that is not repainted."""

FAILED: Mapping[StepState, str] = MappingProxyType(
    {StepState.ERROR: "red", StepState.WAITING_FOR_RETRY: "yellow"}
)
"""While a task is watched, colour tells of failures and of nothing else."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a running task. `running` names some of the running steps.

    `lines` are of all steps, where these are few.
    """

    template: str
    task: UUID
    total: int
    steps: Mapping[StepState, int]
    running: tuple[str, ...]
    seconds: float
    lines: tuple[StepLine, ...] = ()

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
    """A line whenever the numbers changed, and one for each failure of a step."""

    def __init__(self) -> None:
        self._last: Mapping[StepState, int] = {}
        self._failures: dict[str, int] = {}

    def show(self, look: Look) -> None:
        """Print a line, unless it would say what the last one said."""
        if look.steps != self._last:
            self._last = look.steps
            counts = ", ".join(f"{count} {STATE_LABELS[state]}" for state, count in _shown(look))
            names = f" ({_names(look)})" if look.running else ""
            tell(f"{look.seconds:7.1f} s  {look.complete}/{look.total}: {counts}{names}")
        for line in look.lines:
            if line.failures > self._failures.get(line.name, 0):
                said = line.words if line.state in FAILED else f"{line.retry}: {line.reason}"
                tell(f"{look.seconds:7.1f} s  {line.name}: {said}")
            self._failures[line.name] = line.failures


class Repainted:
    """A bar, the numbers and a line for each step, repainted in place."""

    def __init__(self, console: Console, refresh_per_second: int) -> None:
        self._console = console
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
        self._live.update(painted(look, self._console.width), refresh=True)


def view_for(console: Console, refresh_per_second: int, *, as_json: bool) -> View:
    """The way to show progress that suits who looks."""
    if as_json:
        return Silent()
    return Repainted(console, refresh_per_second) if console.is_terminal else Lines()


def painted(look: Look, width: int) -> RenderableType:
    """A look as rich shows it, in so many columns."""
    task = f"task {look.task}"
    head = Text.assemble(
        (middle(look.template, max(10, width - len(task) - 3)), "bold"), "   ", task
    )
    colour = "red" if look.steps.get(StepState.ERROR) else "bold"
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(
            total=max(1, look.total),
            completed=look.complete,
            width=max(10, min(40, width - 40)),
            complete_style=colour,
            finished_style=colour,
        ),
        f"{look.complete}/{look.total} steps",
        f"{look.seconds:.1f} s",
        f"{look.rate:,.0f} steps/s" if look.rate >= 10 else f"{look.rate:.1f} steps/s",
    )
    counts = Text("   ").join(
        Text.assemble((f"{count}", f"bold {FAILED.get(state, '')}"), f" {STATE_LABELS[state]}")
        for state, count in _shown(look)
    )
    return Group(_cut(head), bar, _cut(counts), *map(_cut, _steps(look, width)))


def _steps(look: Look, width: int) -> list[Text]:
    """The steps by name: a line for each, or where they are many, those that run on one line."""
    lines = most_telling(look.lines)
    if not lines:
        named = f"running: {_names(look, width - 9)}" if look.running else ""
        return [Text(named)] if named else []
    room = min(max(len(visible(line.name)) for line in lines), width // 3)
    shown = [
        Text(f"  {middle(visible(line.name), room):{room}}  {visible(line.words)}", _style(line))
        for line in lines
    ]
    more = len(look.lines) - len(lines)
    return [*shown, Text(f"  and {more} more steps")] if more else shown


def _style(line: StepLine) -> str:
    return FAILED.get(line.state, "")


def _cut(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _shown(look: Look) -> list[tuple[StepState, int]]:
    return [(state, look.steps[state]) for state in STATE_LABELS if look.steps.get(state)]


def _names(look: Look, width: int | None = None) -> str:
    """The names of steps that run, and how many more there are; in so many columns, where given."""
    names = [visible(name) for name in look.running]
    while True:
        more = look.steps.get(StepState.IN_PROGRESS, 0) - len(names)
        others = f" and {more} more" if more > 0 else ""
        said = ", ".join(names) + others
        if width is None or len(said) <= width:
            return said
        if len(names) == 1:
            return middle(names[0], max(1, width - len(others))) + others
        names.pop()
