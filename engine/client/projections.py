"""The projections of an engine: status, waiting, pausing, rebuilds, parked events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Condition
from time import monotonic
from typing import Literal, Unpack
from uuid import UUID

from flowledger.engine.display_text import on_one_line, short
from flowledger.engine.domain.argument_checks import (
    check_position,
    check_seconds,
    check_whole,
    task_id_of,
)
from flowledger.engine.domain.storable_text_check import is_storable
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import (
    InvalidRequest,
    ProjectionBehind,
    UnknownProjection,
    UnknownRebuild,
)
from flowledger.engine.ports.patience import answered_within
from flowledger.engine.ports.projection_admin import (
    ParkedEvent,
    ProjectionStatus,
    ProjectionStore,
    Rebuild,
    RebuildStatus,
    SkippedEvent,
    Word,
)

MOST_GENERATIONS = 2**31 - 1
"""What Postgres's integer holds."""

LONGEST_NAME = 100
"""More characters than a projection's name may have; one of a million cannot even be notified."""

KINDS = ("generation", "tasks")


class Projections:
    """The projections of a database. Methods raise DatabaseUnavailable and UnknownProjection.

    What changes something takes `actor` and `reason`, who does it and why. They are recorded with
    it in the log, as events of the engine, and raise InvalidRequest where they say nothing.
    """

    def __init__(
        self,
        rows: ProjectionStore,
        patience_seconds: float,
        poll_seconds: float,
        notify: Callable[[], None],
        template_of: Callable[[str], UUID],
    ) -> None:
        """`notify` wakes the projector of this process, which does not hear its own process."""
        self._template_of = template_of
        self._rows = rows
        self._notify = notify
        self._patience = patience_seconds
        self._poll = poll_seconds
        self._moved = Condition()
        self._refusals: Callable[[], Mapping[str, str]] = dict[str, str]

    def tell_refusals(self, refusals: Callable[[], Mapping[str, str]]) -> None:
        """Say of what this process was given and cannot run, by name, why that is so."""
        self._refusals = refusals

    def moved(self) -> None:
        """A projection of this process has moved: who waits looks again."""
        with self._moved:
            self._moved.notify_all()

    def list(self) -> Sequence[ProjectionStatus]:
        """Every generation that serves or is built, by name; inline models have generation 0."""
        return self._rows.status(self._patience)

    def status(self, name: object) -> ProjectionStatus:
        """The generation that serves. Raises UnknownProjection."""
        storable = self._storable(name)
        for status in self.list():
            if status.name == storable and status.state != "building":
                return status
        raise self._unknown(name)

    def wait_for(self, name: str, position: int | None = None, timeout: float | None = None) -> int:
        """Wait until everything up to a position is in the projection's rows; where it is then.

        Without a position that is all that is in the log now, so what this process has stored is
        read by who asks next. `timeout` is in seconds (None: for ever). Raises ProjectionBehind;
        DatabaseSilent, a TimeoutError too, where the database does not answer for so long.
        """
        check_seconds("timeout", timeout)
        until = None if timeout is None else monotonic() + timeout
        with answered_within(timeout):
            wanted = self.wanted(position)
            while (reached := self.reached(name)) < wanted:
                if not self._wait(self._poll if until is None else until - monotonic()):
                    raise self.behind(name, reached, wanted)
        return reached

    def wanted(self, position: int | None) -> int:
        """The position to wait for: the one given, or that of the last event in the log."""
        if position is None:
            return self._rows.head()
        check_whole("position", position, 0)
        return position

    def reached(self, name: str) -> int:
        """The position up to which everything is in the rows."""
        return self._known(name, self._rows.reached(self._storable(name)), none=None)

    def behind(self, name: str, reached: int, wanted: int) -> ProjectionBehind:
        """The error of one that has not come as far as it was wanted in time."""
        status = self.status(name)
        return ProjectionBehind(name, reached, wanted, status.standing, status.failure)

    @property
    def look_seconds(self) -> float:
        """How long who waits sleeps before it looks again, where nothing tells it to."""
        return self._poll / 16

    def pause(self, name: str, **word: Unpack[Word]) -> None:
        """Let it stand still until it is resumed; what is built of it too."""
        self._known(name, self._rows.pause(self._storable(name), paused=True, word=word))
        self._notify()

    def resume(self, name: str, **word: Unpack[Word]) -> None:
        """Let it go on; one that waits at an event that failed tries it at once."""
        self._known(name, self._rows.pause(self._storable(name), paused=False, word=word))
        self._notify()

    def rebuild(
        self,
        name: str,
        *,
        task: UUID | None = None,
        template: str | None = None,
        key: str | None = None,
        **word: Unpack[Word],
    ) -> Rebuild:
        """Build it anew: all of it beside what serves, or the rows of some tasks in place.

        With a task or a template (given as `namespace/name@version`) it is their rows. What is
        returned says which rebuild it is, and `wait_for_rebuild` waits for it. A host carries it
        out. With the same `key` for the same rows, asking again is asking once, and the rebuild is
        that of the first time, also when that is built long since. Raises InvalidRequest,
        UnknownTemplate; MaybeStored, with the key to ask again with.
        """
        if task is not None or template is not None:
            its = _task(task)
            self.status(name)
            named = None if template is None else (template, self._template_of(template))
            number = self._rows.rebuild_tasks(name, its, named, word, key)
            made = Rebuild(name, "tasks", number)
        else:
            number = self._known(name, self._rows.rebuild(self._storable(name), word, key))
            made = Rebuild(name, "generation", number)
        self._notify()
        return made

    def wait_for_rebuild(self, rebuild: Rebuild, timeout: float | None = None) -> RebuildStatus:
        """Wait for what `rebuild` returned, at most `timeout` seconds (None: for ever).

        Its state is `asked` where it is not done by then. Raises InvalidRequest for what is no
        rebuild, such as a number alone, and UnknownRebuild; DatabaseSilent as `wait_for`.
        """
        check_seconds("timeout", timeout)
        until = None if timeout is None else monotonic() + timeout
        with answered_within(timeout):
            while (found := self.rebuild_state(rebuild)).state == "asked":
                if not self._wait(self._poll if until is None else until - monotonic()):
                    break
        return found

    def rebuild_state(self, rebuild: Rebuild) -> RebuildStatus:
        """How a rebuild stands. Raises InvalidRequest, UnknownRebuild."""
        _check_rebuild(rebuild)
        name = self._storable(rebuild.projection)
        found = self._rows.rebuild_state(rebuild)
        if found is None:
            self.status(name)
            what = "generation" if rebuild.kind == "generation" else "rebuild of tasks"
            raise UnknownRebuild(
                f"projection {name!r} has no {what} {rebuild.number} that was asked for"
            )
        return found

    def _wait(self, seconds: float) -> bool:
        """Wait for something to move, briefly; False where no time is left."""
        if seconds <= 0:
            return False
        with self._moved:
            self._moved.wait(min(seconds, self.look_seconds))
        return True

    def cancel_rebuild(self, name: str, **word: Unpack[Word]) -> int:
        """Give up what is being built of it, be it all or some tasks; how many that were."""
        self.status(name)
        cancelled = self._rows.cancel_rebuild(name, word)
        self._notify()
        return cancelled

    def remove(self, name: str, **word: Unpack[Word]) -> None:
        """Forget one that nobody runs any more, with its tables and views.

        A process that has its code makes it anew. Raises ProjectionRefused where one runs it, or
        where something depends on its views, and DatabaseBusy where somebody reads them.
        """
        self._known(name, int(self._rows.remove(self._storable(name), word)))

    def skip(self, name: str, *, position: int, **word: Unpack[Word]) -> SkippedEvent:
        """Have it pass over the event at which it stands, and go on behind it.

        The event stays among the `parked` ones, from where it can be retried; a rebuild of all of
        it tries the event again. Raises ProjectionRefused, which says where it stands, where that
        is not at this position.
        """
        check_position(position)
        skipped = self._rows.skip(self._storable(name), position, word)
        if skipped is None:
            raise self._unknown(name)
        self._notify()
        return skipped

    def parked(self, name: str) -> Sequence[ParkedEvent]:
        """The events that it put aside or was made to pass over, in the order of the log."""
        self.status(name)
        return self._rows.parked(name)

    def traceback(self, name: str, *, generation: int, position: int) -> str | None:
        """Where a generation raised on the event at which it stands, or which it put aside.

        Its last `projections.traceback_limit_bytes` bytes; None where nobody knows.
        """
        check_position(position)
        check_whole("generation", generation, highest=MOST_GENERATIONS)
        self.status(name)
        return self._rows.traceback(name, generation, position)

    def retry_parked(
        self,
        name: str,
        *,
        task: UUID | None = None,
        position: int | None = None,
        **word: Unpack[Word],
    ) -> int:
        """Have parked events applied: all, those of a task, or one. How many are to be.

        Of those that it was made to pass over only the one at `position` is meant.
        """
        return self._want(name, "retry", task, position, word)

    def drop_parked(
        self,
        name: str,
        *,
        task: UUID | None = None,
        position: int | None = None,
        **word: Unpack[Word],
    ) -> int:
        """Have parked events forgotten: all, those of a task, or one. How many are to be."""
        return self._want(name, "drop", task, position, word)

    def _want(
        self,
        name: str,
        wanted: Literal["retry", "drop"],
        task: UUID | None,
        position: int | None,
        word: Word,
    ) -> int:
        if position is not None:
            check_position(position)
        its = _task(task)
        self.status(name)
        asked = self._rows.want_parked(name, wanted, its, position, word)
        self._notify()
        return asked

    def _storable(self, name: object) -> str:
        """The name, where one of a projection can be that. Raises UnknownProjection."""
        if isinstance(name, str) and len(name) <= LONGEST_NAME and is_storable(name):
            return name
        raise self._unknown(name)

    def _known(self, name: str, found: int | None, none: int | None = 0) -> int:
        if found is None or found == none:
            raise self._unknown(name)
        return found

    def _unknown(self, name: object) -> UnknownProjection:
        why = self._refusals().get(name) if isinstance(name, str) else None
        if why is not None:
            return UnknownProjection(
                f"there is no projection {_shown(name)}: this process was given it, and the"
                f" database refuses it: {on_one_line(why)}"
            )
        names = sorted({status.name for status in self.list()})
        return UnknownProjection(
            f"there is no projection {_shown(name)}: {', '.join(names) or 'none'}"
        )


def _task(task: object) -> UUID | None:
    return None if task is None else task_id_of(task)


def _check_rebuild(rebuild: object) -> None:
    """Raises InvalidRequest: a generation and a rebuild of tasks may have one number."""
    if not isinstance(rebuild, Rebuild) or rebuild.kind not in KINDS:
        raise InvalidRequest(
            f"rebuild should be what projections.rebuild(…) returned, got {shown(rebuild)}"
            f" ({type(rebuild).__name__})"
        )
    check_whole("the number of a rebuild", rebuild.number)


def _shown(name: object) -> str:
    return repr(short(name)) if isinstance(name, str) else f"of a {type(name).__name__}"
