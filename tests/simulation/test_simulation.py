"""The production loops in one thread, on a store in memory, in a world where everything goes wrong.

A seed leads to the same run, instruction by instruction: `simulate(seed)` tells what happened.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from simulation.coordinator_store import MemoryCoordinatorStore
from simulation.simulate import Simulation, broken, simulate

from flowledger.engine.runtime.coordinator.run_cache import RunCache

RUNS = 150
LONG_RUNS = int(os.environ.get("SIMULATION_RUNS", "20000"))
CHUNK = 100


@settings(
    max_examples=RUNS,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a smaller seed is no simpler run
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
@example(seed=1435657364).via("the clock was moved while an exchange was cut off")
@example(seed=2077).via("a worker behind in time reports what followed a lifted checkpoint")
@example(seed=10886).via("everything stood still while an exchange was on its way")
def test_whatever_goes_wrong_every_task_ends_as_its_template_allows(seed: int) -> None:
    simulate(seed)


@settings(
    max_examples=RUNS,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_so_it_is_where_every_process_has_all_roles(seed: int) -> None:
    simulate(seed, together=True)


@pytest.mark.parametrize("told", [-5, 0, 1])
def test_creations_that_are_read_again_are_known_to_be_decided_on(
    told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has written into the shard's row, or a commit arrived late."""
    monkeypatch.setattr(MemoryCoordinatorStore, "created_from", lambda _: told)

    for seed in range(40):
        simulate(seed, together=True)


@pytest.mark.parametrize("first", range(0, 200, 100))
def test_the_steps_that_are_counted_are_those_that_are_queued(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only runs that may have changed are asked again."""
    kept, counted = RunCache.queued, 0

    def both(self: RunCache) -> Counter[UUID]:
        nonlocal counted
        found, all_of_it = kept(self), Counter[UUID]()
        for run in self._runs.values():
            all_of_it[run.plan.template_id] += run.queued
        assert +found == +all_of_it
        counted += bool(+found)
        return found

    monkeypatch.setattr(RunCache, "queued", both)
    for seed in range(first, first + 100):
        simulate(seed)
    assert counted


@pytest.mark.long
@pytest.mark.timeout(0)
def test_the_same_for_many_seeds() -> None:
    chunks = [range(first, first + CHUNK) for first in range(0, LONG_RUNS, CHUNK)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        found = [violation for part in processes.map(broken, chunks) for violation in part]

    assert found == []


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_reproduces_exactly(seed: int) -> None:
    first, second = Simulation(seed), Simulation(seed)

    first.run()
    second.run()

    assert first.world.told() == second.world.told()
    assert first.world.steps == second.world.steps
    assert first.cluster.database.log.rows == second.cluster.database.log.rows
