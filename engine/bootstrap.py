"""The composition root: settings in, a started engine out. Nothing else knows all the parts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from flowledger.engine.client.engine import ALL_ROLES, Engine, Role
from flowledger.engine.client.operator_requests import template_named
from flowledger.engine.client.projections import Projections
from flowledger.engine.client.repair_rows_from_log import Repairer
from flowledger.engine.client.verification import built_in
from flowledger.engine.client.waiters import Waiters
from flowledger.engine.client.workflow_registration import Definitions
from flowledger.engine.config import Settings, load_settings
from flowledger.engine.domain.failures.classification import Classifier, classify
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.ports.clock_and_wakeup import NO_CRASH_POINTS, CrashPoints, Wakeup
from flowledger.engine.ports.coordinator import ALONE, Coordinators
from flowledger.engine.ports.verification import Check, Finding
from flowledger.engine.runtime.coordinator.joint_rounds import JointCoordinator
from flowledger.engine.runtime.coordinator.shards import Shards
from flowledger.engine.runtime.coordinator.should_lead_shard import WantedShard
from flowledger.engine.runtime.loop import Loop
from flowledger.engine.runtime.role_supervisor import Projecting, Service
from flowledger.engine.runtime.unserved_templates import UnservedTemplates
from flowledger.engine.runtime.worker.executor import HandlerExecutor
from flowledger.engine.runtime.worker.handler_table import HandlerTable
from flowledger.engine.runtime.worker.worker import Worker
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.errors import translate_errors
from flowledger.engine.store.connection.hurried import HurriedPool, Sessions
from flowledger.engine.store.connection.pool import Pool, open_pool
from flowledger.engine.store.coordinator_store import PostgresCoordinatorStore
from flowledger.engine.store.embedded import server as embedded
from flowledger.engine.store.engine_action_log import EngineLog
from flowledger.engine.store.health import PostgresHealth
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.notifications import Notifications, ProcessWakeup
from flowledger.engine.store.projection_admin_store import PostgresProjectionStore
from flowledger.engine.store.repairs import PostgresRepairs
from flowledger.engine.store.schema.internal_schema_check import InternalSchemaCheck
from flowledger.engine.store.schema.public_schema_check import PublicSchemaCheck
from flowledger.engine.store.schema.startup_migration import bring_up_to_date
from flowledger.engine.store.shard_membership_store import PostgresShardStore
from flowledger.engine.store.task_list import PostgresTaskList
from flowledger.engine.store.task_store import PostgresTaskStore
from flowledger.engine.store.transactional_steps import PostgresTransactions
from flowledger.engine.store.uuid_generator import Identifiers
from flowledger.engine.store.verification_store import PostgresVerificationStore
from flowledger.engine.store.worker_store import PostgresWorkerStore
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff, OutageLog

T = TypeVar("T")


def open_engine(  # noqa: PLR0913 - what an engine is made of
    workflows: Sequence[WorkflowLike[Any]],
    roles: Sequence[Role],
    settings: Settings | None = None,
    faults: CrashPoints = NO_CRASH_POINTS,
    *,
    classifier: Classifier = classify,
    projections: Sequence[object] = (),
    dev: bool = False,
) -> Engine:
    """An engine with its roles started. Raises what `Engine.open` says."""
    unknown = [role for role in roles if role not in ALL_ROLES]
    if unknown:
        raise ValueError(f"there is no role {unknown[0]!r}: expected {' or '.join(ALL_ROLES)}")
    settings = settings or load_settings()
    if dev:
        settings = settings.in_development()
    catalogue = handlers_of(workflows, roles, settings, classifier)
    url = database_url(settings)
    bring_up_to_date(url, settings)
    with ExitStack() as opened:
        wakeups = engine_wakeups(url, settings)
        pool = opened.enter_context(engine_pool(url, settings, wakeups.own.add))
        parts = Parts(url, pool, wakeups, settings, faults)
        opened.callback(parts.close)
        parts.tasks.now()  # before anything is done by a host's clock that may be wrong
        if settings.templates.development:
            definitions = Definitions(parts.tasks, settings.templates)
            workflows = [definitions.register(workflow) for workflow in workflows]
            catalogue = handlers_of(workflows, roles, settings, classifier)
        engine = parts.engine(catalogue, roles, projections)
        if roles:
            wakeups.start()
        for workflow in workflows:
            engine.register(workflow)
        parts.start()
        opened.pop_all()
    return engine


def handlers_of(
    workflows: Sequence[WorkflowLike[Any]],
    roles: Sequence[Role],
    settings: Settings,
    classifier: Classifier,
) -> HandlerTable:
    """What a worker here runs. Raises UnknownHandler, InvalidConfiguration."""
    catalogue = HandlerTable(workflows, classifier)
    return catalogue.within(settings.worker.namespaces) if "worker" in roles else catalogue


def database_url(settings: Settings) -> str:
    """The configured database, or the embedded one, started where it is not running.

    Raises DatabaseUnavailable.
    """
    configured = settings.database.url
    if configured is not None:
        return configured.get_secret_value()
    return _told(_asked(embedded.start, settings))


def _revive(settings: Settings) -> None:
    """Start the embedded database again where it died, and no other. Raises DatabaseUnavailable."""
    if settings.database.url is None and (server := _asked(embedded.restart, settings)):
        _told(server)


def _asked(ask: Callable[..., T], settings: Settings) -> T:
    chosen = settings.embedded
    home, patience = embedded.home_of(chosen.home), chosen.start_timeout_seconds
    return ask(home, fsync=chosen.fsync, timeout_seconds=patience)


def _told(server: embedded.EmbeddedServer) -> str:
    signal = Signal.EMBEDDED_STARTED if server.started else Signal.EMBEDDED_FOUND
    logger("embedded").emit(signal, data=str(server.data))
    return server.url


def engine_wakeups(url: str, settings: Settings) -> Notifications:
    """What listens for this process; it does not listen yet."""
    database = settings.database
    return Notifications(
        url,
        application_name=database.application_name,
        connect_timeout_seconds=database.connect_timeout_seconds,
        reconnect_initial_seconds=database.reconnect_initial_seconds,
        reconnect_cap_seconds=database.reconnect_cap_seconds,
        tcp_keepalive_seconds=database.tcp_keepalive_seconds,
        silent_seconds=database.listener_silence_seconds,
        revive=partial(_revive, settings),
    )


def engine_pool(
    url: str, settings: Settings, connected: Callable[[int], None] = lambda _: None
) -> Pool:
    """The pool of this process. Raises DatabaseUnavailable."""
    database = settings.database
    return open_pool(
        url,
        min_size=database.pool_min_size,
        max_size=database.pool_max_size,
        timeout_seconds=database.connect_timeout_seconds,
        application_name=database.application_name,
        connect_timeout_seconds=database.connect_timeout_seconds,
        statement_timeout_seconds=database.statement_timeout_seconds,
        lock_timeout_seconds=database.lock_timeout_seconds,
        idle_transaction_timeout_seconds=database.idle_transaction_timeout_seconds,
        tcp_keepalive_seconds=database.tcp_keepalive_seconds,
        connected=connected,
    )


@contextmanager
def command_sessions(url: str, settings: Settings) -> Generator[Sessions]:
    """Within the block, sessions for a command that asks. Raises DatabaseUnavailable."""
    with engine_pool(url, settings) as pool:
        yield HurriedPool(pool, settings.database.answer_timeout_seconds)


class Parts:
    """The adapters of one process, and the roles made of them."""

    def __init__(
        self, url: str, pool: Pool, wakeups: Notifications, settings: Settings, faults: CrashPoints
    ) -> None:
        self.url = url
        self.settings = settings
        self.faults = faults
        self.pool = pool
        self.mapper = EventMapper()
        self.clock = DatabaseClock()
        self.identifiers = Identifiers()
        self.asking = HurriedPool(pool, settings.database.answer_timeout_seconds)
        self.tasks = PostgresTaskStore(self.asking, self.mapper, self.clock, self.identifiers)
        self.evidences = PostgresVerificationStore(pool, self.mapper)
        self.wakeups = wakeups
        self.transactions: PostgresTransactions | None = None
        self.service: Service | None = None

    def engine(
        self, catalogue: HandlerTable, roles: Sequence[Role], projections: Sequence[object] = ()
    ) -> Engine:
        """The facade, with the roles not yet started. Raises InvalidProjection."""
        poll = self.settings.submit.wait_poll_seconds
        standing = Projections(
            PostgresProjectionStore(self.asking, EngineLog(self.mapper, self.identifiers.new)),
            self.settings.projections.unhealthy_after_seconds,
            poll,
            partial(self.wakeups.notify, "projection"),
            partial(template_named, self.tasks),
        )
        others = (
            InternalSchemaCheck(self.pool),
            PublicSchemaCheck(self.pool),
            ProjectionChecks(self, projections),
        )
        endings = Waiters(self.wakeups.subscribe("ended"), poll, self.wakeups.start)
        shards = self._shards() if "coordinator" in roles else None
        self.service = Service(
            self.settings,
            shards,
            self._worker(catalogue, shards[0] if shards else ALONE) if "worker" in roles else None,
            ProcessWakeup,
            {
                "wakeups": self.wakeups.outages,
                "endings": endings.outages,
                "clock": self.clock,
                "connections": self.pool,
            },
            projector=self._projector(projections, standing) if "projector" in roles else None,
            ping=self._ping,
            unserved=self._unserved() if "coordinator" in roles else None,
        )
        return Engine(
            settings=self.settings,
            tasks=self.tasks,
            clock=self.clock,
            new_id=self.identifiers.new,
            notify=self.wakeups.notify,
            endings=endings,
            service=self.service,
            projections=standing,
            resources=(self, self.pool),
            checks=[*built_in(self.evidences), *others],
            repairer=self._repairer(others),
            health_rows=PostgresHealth(self.asking),
            task_list=PostgresTaskList(self.asking),
        )

    def _repairer(self, others: Sequence[Check]) -> Repairer:
        return Repairer(
            stored=self.evidences,
            repairs=PostgresRepairs(self.pool, self.mapper, self.evidences),
            clock=self.clock,
            new_id=self.identifiers.new,
            priority_ageing_seconds=self.settings.coordinator.priority_ageing_seconds,
            others=others,
        )

    def start(self) -> None:
        """Start the roles. Raises DatabaseUnavailable where a worker cannot be registered."""
        if self.service is not None:
            self.service.start()
            logger("engine").emit(Signal.ENGINE_OPENED, roles=self.service.roles)

    def close(self) -> None:
        """Stop listening, and roll back what handlers still have open."""
        self.wakeups.stop(self.settings.database.shutdown_timeout_seconds)
        if self.transactions is not None:
            self.transactions.close()

    def _ping(self) -> None:
        """Raises DatabaseUnavailable where the database does not answer."""
        with translate_errors(), self.asking.connection() as connection:
            connection.execute("select")

    def _unserved(self) -> UnservedTemplates:
        tasks = PostgresTaskStore(self.pool, self.mapper, self.clock, self.identifiers)
        return UnservedTemplates(tasks.unserved, self.settings.coordinator.reconcile_seconds)

    def _shards(self) -> tuple[Shards, ProcessWakeup]:
        """What leads shards in this process. Raises ShardsDiffer."""
        roster = PostgresShardStore(self.pool, self.clock)
        roster.ensure_count(self.settings.coordinator.shards)
        identity = self.identifiers.new()
        channels = ("fact", "submission", "clock", "shard", "room")
        # One for the first shard at once: only channels that have a wakeup by then are listened to.
        wakeups = {0: self.wakeups.subscribe(*channels)}

        def coordinator_of(
            seat: WantedShard, shards: int
        ) -> tuple[JointCoordinator, ProcessWakeup]:
            if seat.shard not in wakeups:
                wakeups[seat.shard] = self.wakeups.subscribe(*channels)
            return self._coordinator(identity, seat, shards), wakeups[seat.shard]

        shards = Shards(
            roster=roster, identity=identity, settings=self.settings.coordinator,
            new=coordinator_of, new_loop=self._new_loop,
        )  # fmt: skip
        return shards, self.wakeups.subscribe("shard", "clock")

    def _coordinator(self, identity: UUID, seat: WantedShard, shards: int) -> JointCoordinator:
        settings = self.settings.coordinator
        ledger = PostgresCoordinatorStore(
            self.pool, self.mapper, self.clock, settings.lease_seconds, seat.shard, shards
        )
        return JointCoordinator(
            store=ledger,
            clock=self.clock,
            notify=self.wakeups.notify,
            identity=identity,
            settings=settings,
            limits=self.settings.limits,
            crash_points=self.faults,
            assignment=seat,
        )

    def _projector(
        self, projections: Sequence[object], standing: Projections
    ) -> tuple[Projecting, ProcessWakeup] | None:
        """What runs projections in this process; None where there are none."""
        # Projections stand on the engine: only who puts the parts together knows both.
        from flowledger.projections.wiring import projector  # noqa: PLC0415

        wakeup = self.wakeups.subscribe("fact", "stored", "ended", "projection", "clock")
        host = projector(
            projections,
            url=self.url,
            pool=self.pool,
            mapper=self.mapper,
            clock=self.clock,
            identity=self.identifiers.new(),
            settings=self.settings,
            wakeup=wakeup,
            moved=standing.moved,
            faults=self.faults,
        )
        if host is None:
            return None
        standing.tell_refusals(lambda: host.refusals)
        host.install()  # so that whoever opened the engine can ask for them at once
        return host, wakeup

    def _new_loop(
        self, name: str, step: Callable[[frozenset[str]], float], wakeup: Wakeup, telling: OutageLog
    ) -> Loop:
        database = self.settings.database
        backoff = Backoff(database.reconnect_initial_seconds, database.reconnect_cap_seconds)
        return Loop(name, step, wakeup, backoff, telling)

    def _worker(self, catalogue: HandlerTable, near: Coordinators) -> tuple[Worker, ProcessWakeup]:
        wakeup = self.wakeups.subscribe("queue", "cancel")
        transactions = PostgresTransactions(
            self.url, self.pool, self.mapper, self.settings, self.faults
        )
        self.transactions = transactions
        worker = Worker(
            store=PostgresWorkerStore(
                *(self.pool, self.mapper, self.clock, catalogue.templates),
                self.settings.worker.concurrency,
                excluded=catalogue.excluded,
            ),
            handlers=catalogue,
            executor=partial(HandlerExecutor, transactions=transactions),
            clock=self.clock,
            new_id=self.identifiers.new,
            wakeup=wakeup,
            notify=self.wakeups.notify,
            settings=self.settings.worker,
            crash_points=self.faults,
            limbo_seconds=self.settings.database.statement_timeout_seconds,
            coordinators=near,
        )
        return worker, wakeup


class ProjectionChecks:
    """The check of the projections, which are looked for when somebody verifies."""

    name = "projections"

    def __init__(self, parts: Parts, projections: Sequence[object]) -> None:
        self._parts = parts
        self._projections = projections

    def check(self, task: UUID | None) -> Iterator[Finding]:
        """As `Check.check`. Raises InvalidProjection."""
        from flowledger.projections.wiring import projection_check  # noqa: PLC0415

        parts = self._parts
        found = projection_check(
            self._projections, parts.settings, parts.url, parts.pool, parts.mapper
        )
        yield from found.check(task)
