"""The loop of a host, cut into steps; the package has the essay on what can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from flowledger.engine.config.projection_section import ProjectionSettings
from flowledger.engine.domain.shard_assignment import assign_shards
from flowledger.engine.errors import (
    DatabaseBusy,
    LeadershipLost,
    ProjectionRefused,
    StatementRefused,
)
from flowledger.engine.ports.clock_and_wakeup import (
    NO_CRASH_POINTS,
    Clock,
    CrashPoints,
    PutBackWatch,
    Wakeup,
)
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Health
from flowledger.projections.code_fingerprint import fingerprint
from flowledger.projections.host.failure_from_exception import Failure
from flowledger.projections.host.generation_runner import Advance, GenerationRunner
from flowledger.projections.host.generation_types import (
    Attendance,
    Generation,
    GenerationLease,
    LeaseRow,
)
from flowledger.projections.host.host_store import READ_ONLY, HostStore
from flowledger.projections.host.log_looks import LogLooks
from flowledger.projections.host.log_reader import LogReader
from flowledger.projections.host.parallel_calls import attempted, run_parallel
from flowledger.projections.projection import Projection

PARTS_OF_LEASE = 3
"""So often a lease is renewed, and the others are looked at, before it runs out."""

SLEEPING = 2
"""By so much more seldom where nothing happens, as then nothing keeps a host from its time."""

CATCH_UP = 10
"""What is built waits for others while it is ahead of them by at most so many `cached_events`."""

REFUSED = (ProjectionRefused, StatementRefused)
"""What the database says no to of one projection, be it of its rows here, stops no other."""


class Host:
    """A loop cut into steps: `step` does one and says how long to wait for the next."""

    def __init__(  # noqa: PLR0913 - what a loop needs, each a port
        self,
        projections: Sequence[Projection],
        *,
        store: HostStore,
        log: LogReader,
        clock: Clock,
        identity: UUID,
        settings: ProjectionSettings,
        wakeup: Wakeup,
        moved: Callable[[], None],
        faults: CrashPoints = NO_CRASH_POINTS,
    ) -> None:
        self._projections = {projection.name: projection for projection in projections}
        self._codes = {projection.name: fingerprint(projection) for projection in projections}
        # Hosts of the same versions share them; what others run is theirs.
        self._runs = ",".join(sorted(f"{p.name}:{p.version}" for p in projections))
        self._store = store
        self._events = log
        self._clock = clock
        self._identity = identity
        self._settings = settings
        self._wakeup = wakeup
        self._moved = moved
        self._faults = faults
        self._led: dict[Generation, GenerationRunner] = {}
        self._waiting: dict[Generation, datetime | None] = {}  # when it was last begun anew
        self._told: set[tuple[str, str]] = set()
        self._refused: dict[str, str] = {}
        self._refused_since: datetime | None = None
        self._told_code: set[Generation] = set()
        self._watch = PutBackWatch(clock)
        self._look_at = self._tidy_at = clock.now()
        self._looks = LogLooks(settings, clock.now())
        self._fresh = True  # whether what it knew may be wrong
        self._asked = False  # whether an operator may have asked for something
        self._installed = False
        self._attends = False
        self._log = logger("projector")

    def step(self, woken_by: frozenset[str] = frozenset()) -> float:
        """Do what there is to do; the seconds that it may wait.

        Raises DatabaseUnavailable; the next step then starts from what is stored.
        """
        self._asked = self._asked or "projection" in woken_by
        if woken_by and not self._asked:
            self._linger()
        try:
            return self._work(woken=bool(woken_by))
        except BaseException:
            self._begin_anew()
            raise

    def _begin_anew(self) -> None:
        """Go on from what is stored, which may be less than was read and stored before.

        What waited goes on to wait: it may be what cost the others their connection.
        """
        self._waiting |= {place: led.retry_at for place, led in self._led.items()}
        self._led.clear()
        self._events.forget()
        self._look_at = self._tidy_at = self._clock.now()
        self._looks.anew(self._look_at)
        self._fresh = True

    def _linger(self) -> None:
        """Let events collect for a moment: more of them in a batch cost hardly more."""
        self._asked = "projection" in self._wakeup.wait(self._settings.linger_seconds)

    def _work(self, *, woken: bool) -> float:
        if self._store.connect() or self._watch.was_put_back():
            self._begin_anew()
        now = self._clock.now()
        if not self._installed:
            self.install()
        if self._asked or now >= self._look_at:
            self._look(now)
        if self._looks.is_due(now, woken=woken):
            before = self._events.head
            self._events.look()
            self._looks.looked(now, moved=self._events.head != before)
        if self._advance_all(self._events.head):
            self._looks.at = now
            return self._looks.rests(now, 0.0)
        retries = (led.retry_at for led in self._led.values() if led.retry_at)
        until = min([self._look_at, self._looks.at, *retries])
        # The clock may have been put back since these moments were reckoned.
        now = self._clock.now()
        return self._looks.rests(now, (until - now).total_seconds())

    def _advance_all(self, head: int) -> bool:
        """One batch of each projection, some at the same time; whether any has more."""
        by_name: dict[str, list[GenerationRunner]] = {}
        early = self._ahead_of_group()
        for led in self._led.values():
            if led not in early:
                by_name.setdefault(led.place.name, []).append(led)
        turns = [partial(self._advance_some, some, head) for some in by_name.values()]
        found = run_parallel(turns, self._settings.connections)
        busy = [self._advanced(*turn) for turns in found for turn in turns]
        return any(busy)

    def _ahead_of_group(self) -> list[GenerationRunner]:
        """Those that wait, so that others, a little behind, read and decode the same with them."""
        striding = [led for led in self._led.values() if led.strides]
        return [
            led
            for led in striding
            if any(
                self._should_wait(led, led.lead.position - other.lead.position)
                for other in striding
            )
        ]

    def _should_wait(self, led: GenerationRunner, ahead: int) -> bool:
        """What nobody reads yet waits longer than what serves."""
        kept = self._settings.cached_events
        return self._settings.batch_size < ahead <= (CATCH_UP * kept if led.lead.building else kept)

    def _advance_some(self, some: Sequence[GenerationRunner], head: int) -> list[Advance]:
        """A batch of each generation of one projection, one after the other."""
        return [
            Advance(
                led, led.lead.building, attempted(partial(self._advance_if_lease_fresh, led, head))
            )
            for led in some
        ]

    def _advance_if_lease_fresh(self, led: GenerationRunner, head: int) -> bool:
        return self._clock.now() >= self._look_at or led.advance(head)  # leases first

    def _advanced(self, led: GenerationRunner, built: bool, outcome: Future[bool]) -> bool:  # noqa: FBT001
        """What came of a batch of one projection; what stops it must not stop the others."""
        try:
            more = outcome.result()
        except (LeadershipLost, *REFUSED) as error:
            self._drop_generation(led, error)
            return False
        except DatabaseBusy as error:
            if error.sqlstate == READ_ONLY and not self._store.is_connected:
                raise  # the session was given up, as it is read-only
            self._tell(led.place.name, str(error))
            self._store.end_others(led.place, led.lead.epoch)
            led.put_off()
            return False
        if built and not led.lead.building:
            self._retire_others(led.place)
        return more

    def _drop_generation(
        self, led: GenerationRunner, error: LeadershipLost | ProjectionRefused | StatementRefused
    ) -> None:
        """The lease is asked for again: at once where it was lost, in its turn where refused."""
        self._led.pop(led.place, None)
        if not isinstance(error, LeadershipLost):
            self._tell(led.place.name, str(error))
            with suppress(StatementRefused):  # it may be that very row that cannot be written
                self._store.failed(
                    led.place, led.lead.epoch, led.lead.position, Failure(str(error))
                )
            return
        self._log.emit(Signal.PROJECTION_LOST, projection=str(led.place))
        self._look_at = self._clock.now()
        self._fresh = True

    def _retire_others(self, place: Generation) -> None:
        """What served before this generation is done with."""
        for other in [led for led in self._led if led.name == place.name and led != place]:
            del self._led[other]

    @property
    def refused(self) -> Health:
        """Well if all projections that are to run here can be, with tables and version."""
        refused = "; ".join(f"{name}: {why}" for name, why in list(self._refused.items()))
        return Health(self._refused_since, len(self._refused), refused) if refused else Health()

    @property
    def refusals(self) -> Mapping[str, str]:
        """Why projections that are to run here cannot be, by name."""
        return dict(self._refused)

    def install(self) -> None:
        """Make the tables of versions that are new. What is refused is told, and tried again."""
        self._installed = True
        refused: dict[str, str] = {}
        for projection in self._projections.values():
            try:
                made = self._store.create(
                    projection.name,
                    projection.version,
                    projection.tables,
                    own_role=not projection.builtin,
                    code=self._codes[projection.name],
                )
            except ProjectionRefused as error:
                self._installed = False
                refused[projection.name] = str(error)
                self._tell(projection.name, str(error))
                continue
            if made is None:
                sentence = (
                    f"its version is {projection.version}, and a later one is there already: its"
                    " rows go on with processes that have that one; or remove it with `flowledger"
                    " projections remove`, and it is built anew"
                )
                refused[projection.name] = sentence
                self._tell(projection.name, sentence)
        self._refused_since = (self._refused_since or self._clock.now()) if refused else None
        self._refused = refused

    def _tell(self, name: str, sentence: str) -> None:
        if (name, sentence) not in self._told:
            self._told.add((name, sentence))
            self._log.emit(Signal.PROJECTION_REFUSED, projection=name, error=sentence)

    def _look(self, now: datetime) -> None:
        """Renew the leases held, acquire free ones, and release what others lack."""
        tidies = now >= self._tidy_at
        patience = self._settings.lease_seconds / PARTS_OF_LEASE
        every = patience * (SLEEPING if self._looks.sleeps(now) else 1)
        fresh = self._asked or self._fresh or tidies
        found = self._store.attend(self._identity, self._runs, every, fresh=fresh)
        self._attends = True
        rows = [row for row in found.rows if self._knows(row)]
        asked = {row.place for row in rows if self._asked or (tidies and row.asked)}
        share = assign_shards(self._identity, found.members(rows), patience)
        wanted = {rows[number].place for number in share.lead}
        mine = {row.place for row in rows if row.leader == self._identity}
        for place in list(self._led.keys() | (mine - wanted)):
            if place not in wanted:
                self._give_up(place)
        kept = {place for place in wanted if self._keeps(place, found, asked=place in asked)}
        self._take(sorted(wanted - kept, key=str), asked=asked)
        for row in rows:
            if row.place not in self._led and self._code_differs(row):
                self._tell_code(row.place)
        self._looks.told(now, moved=found.head > self._events.head)
        self._asked = self._fresh = False
        self._look_at = now + timedelta(seconds=every - found.age)
        if tidies:
            self._tidy_at = now + timedelta(seconds=self._settings.idle_poll_seconds)

    def _keeps(self, place: Generation, found: Attendance, *, asked: bool) -> bool:
        """Whether the lease of what is led here was renewed.

        What else an answer that is not of now says of it is passed over: it may be done with.
        """
        led, lead = self._led.get(place), found.held.get(place)
        if led is None or lead is None or led.lead.epoch != lead.epoch:
            return False
        if not found.age:
            led.renewed(replace(lead, position=led.lead.position), asked=asked)
        return True

    def _knows(self, row: LeaseRow) -> bool:
        projection = self._projections.get(row.place.name)
        return projection is not None and projection.version == row.version

    def _code_differs(self, row: LeaseRow) -> bool:
        own = self._codes[row.place.name]
        return None not in {own, row.code} and own != row.code

    def _tell_code(self, place: Generation) -> None:
        """Once for each time that it is led here, or once of what others lead."""
        if place not in self._told_code:
            self._told_code.add(place)
            self._log.emit(
                Signal.PROJECTION_CODE_CHANGED,
                projection=str(place),
                version=self._projections[place.name].version,
            )

    def _take(self, places: Sequence[Generation], *, asked: Collection[Generation]) -> None:
        """Become or stay the leader of these; who is refused one of them still gets the others."""
        try:
            found = self._store.lead(places, self._identity, self._codes)
        except REFUSED as error:
            if len(places) > 1:
                for place in places:
                    self._take([place], asked=asked)
                return
            found = dict[Generation, GenerationLease]()
            self._tell(places[0].name, str(error))
        for place in places:
            led, lead = self._led.get(place), found.get(place)
            if lead is None:
                self._led.pop(place, None)
            elif led is not None and led.lead.epoch == lead.epoch:
                led.renewed(replace(lead, position=led.lead.position), asked=place in asked)
            else:
                self._took(place, lead)

    def _took(self, place: Generation, lead: GenerationLease) -> None:
        self._store.end_others(place, lead.epoch)
        self._log.emit(Signal.PROJECTION_ACQUIRED, projection=str(place), position=lead.position)
        if lead.code_changed:
            self._told_code.discard(place)
            self._tell_code(place)
        self._led[place] = GenerationRunner(
            place,
            lead,
            self._projections[place.name],
            store=self._store,
            events=self._events,
            clock=self._clock,
            settings=self._settings,
            serving=self._store.serving,
            moved=self._moved,
            faults=self._faults,
        )
        if lead.failures:  # and nobody has resumed it
            self._led[place].retry_at = self._waiting.pop(place, None)

    def _give_up(self, place: Generation) -> None:
        led = self._led.pop(place, None)
        if led is not None:
            try:
                self._store.resign(place, led.lead.epoch)
            except REFUSED as error:  # then its lease runs out
                self._tell(place.name, str(error))

    def resign(self) -> None:
        """Give up everything, so that others can go on at once."""
        try:
            if self._attends:
                self._store.deregister(self._identity)
                for place in list(self._led):
                    self._give_up(place)
        finally:
            self._led.clear()

    def close(self) -> None:
        """Commit nothing any more."""
        self._store.close()
