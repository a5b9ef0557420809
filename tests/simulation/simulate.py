"""One seeded run: trouble for a while, then peace, then everything must have come to its end."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from simulation.agenda import PEACE, Violation, World, brief
from simulation.cluster import Cluster
from simulation.invariants import check
from simulation.operators import Operators
from simulation.workflows import flows

TROUBLED_SECONDS = (5.0, 120.0)
PEACE_SECONDS = 4_000.0


class Simulation:
    """Everything that one seed leads to.

    `together`: all roles in each of two processes, and tasks are submitted while they are at it.
    """

    def __init__(self, seed: int, *, together: bool = False) -> None:
        self.seed = seed
        self._together = together
        self.world = World(seed)
        self.cluster = Cluster(self.world, flows(self.world.random))
        self.operators = Operators(self.cluster)

    def run(self) -> None:
        """Raises Violation, which names the seed and tells what happened last."""
        try:
            self._run()
        except Violation as violation:
            raise Violation(f"seed {self.seed}: {violation}\n{self.world.told()}") from violation

    def _run(self) -> None:
        world, cluster = self.world, self.cluster
        whole = world.random.choice((0, 0, 1, 2))
        least = 0 if whole else 1
        coordinators, workers = (world.random.randint(least, 3) for _ in range(2))
        if self._together:
            coordinators, workers, whole = 0, 0, 2
            cluster.database.meanwhile = self.operators.submit_meanwhile
        for _ in range(coordinators):
            cluster.start_coordinator()
        for _ in range(workers):
            cluster.start_worker()
        for _ in range(whole):
            cluster.start_whole()
        self.operators.begin()
        world.run(lambda: False, longest=world.random.uniform(*TROUBLED_SECONDS))
        world.note("peace")
        world.troubles = PEACE
        self.operators.settle()
        if not world.run(self._rests, longest=PEACE_SECONDS):
            raise Violation(self._unended())
        check(cluster, self._tasks(), self.operators.requested)

    def _open(self) -> list[UUID]:
        tasks = self._tasks()
        ended = set(self.cluster.tasks.ended(tasks))
        return [task for task in tasks if task not in ended]

    def _tasks(self) -> list[UUID]:
        """Every task of the log, and all that somebody was told are stored."""
        return list(dict.fromkeys([*self.cluster.database.log.tasks, *self.operators.submitted]))

    def _unended(self) -> str:
        """What keeps the simulation from its end."""
        database, lines = self.cluster.database, list[str]()
        for task in self._open():
            history = (f"{one.position}:{brief(one.event)}" for one in database.log.of_task(task))
            rows = [brief(row) for row in database.queue.values() if row.task_id == task]
            lines += [f"task {brief(task)} does not end: {' '.join(history)}", *rows]
        here = [*database.workers, *(process.name for process in self.cluster.processes)]
        return "\n".join([*lines, brief(database.shards), brief(here)])

    def _rests(self) -> bool:
        return self.operators.idle and not self._open() and self.cluster.rests


def simulate(seed: int, *, together: bool = False) -> Simulation:
    """Run the simulation of a seed. Raises Violation."""
    simulation = Simulation(seed, together=together)
    simulation.run()
    return simulation


def broken(seeds: Iterable[int]) -> list[str]:
    """What was broken in the runs of these seeds, in a process of its own."""
    logging.disable(logging.CRITICAL)
    found: list[str] = []
    for seed in seeds:
        try:
            simulate(seed, together=seed % 3 == 0)
        except Violation as violation:
            found.append(str(violation))
    return found
