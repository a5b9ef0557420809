"""Builds the host of a process from its settings: which projections it runs, and their ports."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from uuid import UUID

from flowledger.engine.config import Settings
from flowledger.engine.errors import InvalidProjection
from flowledger.engine.ports.clock_and_wakeup import NO_CRASH_POINTS, Clock, CrashPoints, Wakeup
from flowledger.engine.store.connection.pool import Pool
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.eventsourcing_recorders import LedgerDatastore, LedgerRecorder
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.host.host import Host
from flowledger.projections.host.host_store import HostStore
from flowledger.projections.host.log_reader import LogReader
from flowledger.projections.projection import Projection, instance_of
from flowledger.projections.verification import ProjectionCheck

ENTRY_POINTS = "flowledger.projections"


def projector(  # noqa: PLR0913 - what a host stands on
    given: Sequence[object],
    *,
    url: str,
    pool: Pool,
    mapper: EventMapper,
    clock: Clock,
    identity: UUID,
    settings: Settings,
    wakeup: Wakeup,
    moved: Callable[[], None],
    faults: CrashPoints = NO_CRASH_POINTS,
) -> Host | None:
    """A host of the projections that are given, configured and installed; None: there are none.

    Raises InvalidProjection.
    """
    projections = registered(given, settings)
    if not projections:
        return None
    keys = settings.projections
    recorder = LedgerRecorder(LedgerDatastore(pool))
    return Host(
        projections,
        store=HostStore(url, pool, settings),
        log=LogReader(recorder, mapper, keys.cached_events),
        clock=clock,
        identity=identity,
        settings=keys,
        wakeup=wakeup,
        moved=moved,
        faults=faults,
    )


def projection_check(
    given: Sequence[object], settings: Settings, url: str, pool: Pool, mapper: EventMapper
) -> ProjectionCheck:
    """What verifies the projections that are given, configured, installed and built in.

    Raises InvalidProjection.
    """
    return ProjectionCheck(registered(given, settings), url, pool, mapper)


def registered(given: Iterable[object], settings: Settings) -> list[Projection]:
    """Projections in code, by configuration, of installed packages, and built in.

    Raises InvalidProjection for two of one name, and for what is no projection.
    """
    found: dict[str, Projection] = {}
    for one in (*given, *_configured(settings), *_installed(), *_builtin(settings)):
        projection = instance_of(one)
        known = found.setdefault(projection.name, projection)
        if type(known) is not type(projection):
            raise InvalidProjection(
                f"two projections are called {projection.name!r}:"
                f" {_place(known)} and {_place(projection)}"
            )
    return list(found.values())


def _configured(settings: Settings) -> Iterable[object]:
    for place in settings.projections.classes:
        module, _, attribute = place.partition(":")
        try:
            yield getattr(import_module(module), attribute)
        except (Exception, SystemExit) as error:
            raise InvalidProjection(
                f"projections.classes: {place!r} cannot be imported"
                f" ({type(error).__name__}: {error}); expected module:attribute"
            ) from error


def _installed() -> Iterable[object]:
    for entry in _entry_points(tuple(sys.path)):
        try:
            yield entry.load()
        except (Exception, SystemExit) as error:
            raise InvalidProjection(
                f"the entry point {entry.name!r} of {ENTRY_POINTS} cannot be loaded: {error}"
            ) from error


@cache
def _entry_points(_path: tuple[str, ...]) -> EntryPoints:
    """Each file of what is installed is read for them, so this is done once for a search path."""
    return entry_points(group=ENTRY_POINTS)


def _builtin(settings: Settings) -> Iterable[object]:
    return BUILTIN if settings.projections.builtin else ()


def _place(projection: Projection) -> str:
    kind = type(projection)
    return f"{kind.__module__}.{kind.__qualname__}"
