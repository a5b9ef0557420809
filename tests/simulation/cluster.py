"""The roles of a simulation, played by the production loops, and who kills and starts them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from simulation.agenda import Crash, Violation, World
from simulation.commit_pipeline import AgendaPipeline
from simulation.coordinator_store import MemoryCoordinatorStore
from simulation.database import Database, Shard
from simulation.executor import AgendaExecutor
from simulation.local_clock import LocalClock
from simulation.process import Process, SteppedLoop
from simulation.task_store import MemoryTaskStore
from simulation.worker_store import MemoryWorkerStore
from simulation.workflows import Flow

from flowledger.engine.config.limit_settings import LimitSettings
from flowledger.engine.config.sections import CoordinatorSettings, WorkerSettings
from flowledger.engine.domain.shard_assignment import shard_of
from flowledger.engine.errors import DatabaseUnavailable, LeadershipLost
from flowledger.engine.events.base import StepEvent
from flowledger.engine.events.registry import FACTS
from flowledger.engine.ports.coordinator import Coordinators, NoCoordinators, WorkerPart
from flowledger.engine.ports.worker import Exchange
from flowledger.engine.runtime.coordinator.joint_rounds import JointCoordinator
from flowledger.engine.runtime.worker.handler_table import HandlerTable
from flowledger.engine.runtime.worker.step_attempt_state import Execution
from flowledger.engine.runtime.worker.worker import Worker

SOON_SECONDS = 0.1
LIMBO_SECONDS = 30.0
MOST_OFF = 0.5
LISTENED = ("fact", "submission", "clock", "shard", "room")


class Cluster:
    """A database, coordinators and workers, and what each of them did."""

    def __init__(self, world: World, flows: list[Flow]) -> None:
        self.world = world
        self.flows = flows
        shards = [Shard() for _ in range(world.random.choice((1, 1, 2, 3)))]
        self.database = Database(world.clock, self.notify, shards=shards)
        self.tasks = MemoryTaskStore(self.database, world.new_id)
        self.processes: list[Process] = []
        self.executions: Counter[tuple[UUID, int]] = Counter()
        self._numbers = count(1)
        random = world.random
        self._coordinator_settings = CoordinatorSettings(
            batch_size=random.choice((1, 3, 512)),
            pipeline_events=random.choice((1, 2, 1_000)),
            poll_seconds=4.0,
            lease_seconds=random.choice((10.0, 30.0)),
            timer_batch_size=random.choice((1, 500)),
            submission_batch_size=random.choice((1, 200)),
            max_cached_tasks=random.choice((1, 20_000)),
            reconcile_seconds=20.0,
            max_lost_leases=random.choice((1, 3)),
            begin_ahead_steps=random.choice((1, 2, 64)),
        )
        self._worker_settings = WorkerSettings(
            concurrency=random.choice((1, 3, 16)),
            claim_size=random.choice((1, 2, 128)),
            poll_seconds=4.0,
            lease_seconds=random.choice((8.0, 30.0)),
            result_cache_size=random.choice((1, 4_096)),
        )
        self.limits = LimitSettings(
            namespace_concurrency=random.choice(({}, {}, {"shop": 2})),
            circuit_failure_threshold=random.choice((1, 3)),
            circuit_categories=("transient", "timeout", "network"),
            circuit_open_cap_seconds=120.0,  # so that 20 attempts end within the time of peace
        )
        for flow in flows:
            self.tasks.register(flow.template)

    def notify(self, channel: str) -> None:
        """The database tells every process that listens, which some hear late, or never."""
        for process in self.processes:
            self.wake(process, channel)

    def wake(self, process: Process, channel: str) -> None:
        """A wake-up on its way to one process."""
        world = self.world
        if world.chance(world.troubles.drop):
            return
        late = world.random.random() * 5 if world.chance(world.troubles.late) else 0.0
        for loop in process.loops:
            if channel in loop.channels:
                world.after(late, lambda loop=loop: loop.notify(channel))

    def start_coordinator(self) -> Process:
        """A new process that coordinates every shard that it can get."""
        process = Process(self.world, f"coordinator {next(self._numbers)}")
        coordinators = [self._coordinator(process, n) for n in range(len(self.database.shards))]

        def leave() -> None:
            for coordinator in coordinators:
                coordinator.resign()

        process.leave = leave
        return self._joined(process, self.start_coordinator)

    def start_whole(self) -> Process:
        """A new process with both roles, whose worker joins in the coordinators' rounds."""
        process = Process(self.world, f"whole {next(self._numbers)}")
        coordinators = [self._coordinator(process, n) for n in range(len(self.database.shards))]

        hand_back = self._worker(process, SteppedCoordinators(coordinators)).hand_back

        def leave() -> None:
            hand_back()
            for coordinator in coordinators:
                coordinator.resign()

        process.leave = leave
        return self._joined(process, self.start_whole)

    def _coordinator(self, process: Process, shard: int) -> JointCoordinator:
        clock = self._clock_of(process)
        settings = self._coordinator_settings
        ledger = MemoryCoordinatorStore(
            self.database, clock, settings.lease_seconds, shard, self.world.new_id
        )
        coordinator = JointCoordinator(
            store=process.wired(ledger),
            clock=clock,
            notify=lambda channel: self.wake(process, channel),
            identity=self.world.new_id(),
            settings=settings,
            crash_points=process,
            limits=self.limits,
        )
        committer = AgendaPipeline(process, coordinator._send)
        coordinator._pipeline = committer
        committer.loop = SteppedLoop(process, coordinator.step, *LISTENED)
        return coordinator

    def _clock_of(self, process: Process) -> LocalClock:
        """The clock of a process, which is a little off."""
        chance = Random(f"{self.world.seed} {process.name}")  # noqa: S311 - to be reproduced
        error = timedelta(seconds=chance.choice((0.0, chance.uniform(-MOST_OFF, MOST_OFF))))
        return LocalClock(self.world.machine, error)

    def start_worker(self) -> Process:
        """A new worker process."""
        process = Process(self.world, f"worker {next(self._numbers)}")
        process.leave = self._worker(process, NoCoordinators()).hand_back
        return self._joined(process, self.start_worker)

    def _worker(self, process: Process, coordinators: Coordinators) -> Worker:
        world = self.world
        clock = self._clock_of(process)
        board = process.wired(HonestWorkerStore(self.database, clock, world.new_id))
        wakeup = AgendaWakeup()
        worker = Worker(
            store=board,
            handlers=HandlerTable(self.flows),
            executor=lambda outcomes, _, done: AgendaExecutor(process, outcomes, done, self._ran),
            clock=clock,
            new_id=world.new_id,
            wakeup=wakeup,
            notify=lambda channel: self.wake(process, channel),
            settings=self._worker_settings,
            crash_points=process,
            limbo_seconds=LIMBO_SECONDS,
            elapsed=lambda: world.elapsed,
            coordinators=coordinators,
        )
        SteppedLoop(process, lambda _: worker.renew())
        wakeup.loop = SteppedLoop(process, worker.step, "queue", "cancel", "outcome")
        return worker

    @property
    def rests(self) -> bool:
        """Whether everything has been met and nothing is claimed or left."""
        log = self.database.log
        last = log.rows[-1].position if log.rows else 0
        least = min(shard.position for shard in self.database.shards)
        met = not log.after(least, 1, FACTS)
        return bool(last and met and not self.database.queue and not self.database.submissions)

    def leave(self, process: Process) -> None:
        """A process is told to stop: it ends its step, does what it does last, and is gone."""
        if any(loop.busy for loop in process.loops):
            self.world.after(SOON_SECONDS, lambda: self.leave(process))
        elif process.alive:
            self.world.note(process.name, "leaves")
            with ExitStack() as stopped:
                for loop in process.loops:
                    stopped.enter_context(loop.held())
                with suppress(DatabaseUnavailable, LeadershipLost, Crash):
                    process.leave()
                process.die()

    def lose_queue_row(self) -> None:
        """Somebody deletes a row of the queue that nobody has claimed."""
        queue = self.database.queue
        free = sorted(step for step, row in queue.items() if row.worker_id is None)
        if free:
            self.world.note("lost from the queue:", queue.pop(self.world.random.choice(free)))

    def _joined(self, process: Process, again: Callable[[], Process]) -> Process:
        self.processes.append(process)
        process.buried = lambda: self._bury(process, again)
        return process

    def _bury(self, process: Process, again: Callable[[], Process]) -> None:
        """Somebody starts it again, some time later."""
        self.processes.remove(process)
        self.world.after(self.world.random.random() * 30, lambda: again() and None)

    def _ran(self, job: Execution) -> None:
        self.executions[job.claim.step_id, job.claim.version] += 1


class SteppedCoordinators:
    """The coordinators of a process, one for each shard."""

    def __init__(self, coordinators: Sequence[JointCoordinator]) -> None:
        self._of_shard = coordinators

    @property
    def leading(self) -> Sequence[int]:
        """Every shard that one of them leads."""
        return [n for n, coordinator in enumerate(self._of_shard) if coordinator.leads]

    def of_shards(self, facts: Sequence[StepEvent]) -> Sequence[Sequence[StepEvent]]:
        """The facts of each shard."""
        found = defaultdict[int, list[StepEvent]](list)
        for fact in facts:
            found[self._shard(fact.task_id)].append(fact)
        return [*found.values()]

    def join(self, part: WorkerPart) -> Exchange | None:
        """A worker's thread decides on its part, while the coordinator's own waits for its turn."""
        shard = self._shard(part.facts[0].task_id)
        coordinator = self._of_shard[shard]
        loop = coordinator._pipeline.loop
        if loop.busy:
            return None
        with loop.waiting():
            exchange = coordinator.join(part)
        tasks = (claim.task_id for claim in (exchange.claims if exchange is not None else ()))
        self.went_apart(task for task in tasks if self._shard(task) != shard)
        return exchange

    def went_apart(self, tasks: Iterable[UUID]) -> None:
        """As the shards of a real process."""
        for shard in {self._shard(task) for task in tasks}:
            self._of_shard[shard].went_apart()

    def _shard(self, task: UUID) -> int:
        return shard_of(task, len(self._of_shard))


class HonestWorkerStore(MemoryWorkerStore):
    """A board that is watched: it must not refuse what is stored."""

    def exchange(self, worker: UUID, facts: Sequence[StepEvent], *args: Any, **kw: Any) -> Exchange:
        """As the board does it. Raises Violation where it calls a fact lost that the log has.

        Not where the step was queued anew behind the fact: this worker may claim it in the same
        exchange, and then its report is of an attempt that no longer counts, be it stored or not.
        """
        rows = self._database.queue.items()
        queued = {step: row.version for step, row in rows if row.worker_id is None}
        found = super().exchange(worker, facts, *args, **kw)
        for fact in facts:
            step, version = fact.originator_id, fact.originator_version
            counts = queued.get(step, 0) < version
            if step in found.refused and counts and fact in self._database.log.stream(step):
                raise Violation(f"{fact} is stored, and the worker is told that it is not")
        return found


class AgendaWakeup:
    """A worker's wakeup, which is never late: it rings within the process."""

    loop: SteppedLoop

    def notify(self, channel: str) -> None:
        """Ring from within this process."""
        self.loop.notify(channel)

    def wait(self, seconds: float) -> frozenset[str]:
        """Only threads wait."""
        raise NotImplementedError
