"""How fast the host applies events with the read models that come with the engine.

In a rebuild: a log of diamonds is made, all models are built anew from it, beside what serves, and
swapped; beside that a bare loop reads the same events, decodes them as JSON and executes the very
statements that the models executed, in batches of the same size, without anything else. Live: a
coordinator, workers and a projector, each a process of its own, under a full load; the lag is the
age of the oldest event that is not in a model's rows, asked for again and again. Prints one line of
JSON.

    python benchmarks/projection.py
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any, ClassVar
from uuid import uuid4

import harness
import orjson
import psycopg
import shapes
from ours import submit_all, workflow
from psycopg import sql
from shapes import BackgroundLoad

from flowledger.engine import Engine, Settings
from flowledger.engine.cli.commands.start_roles import tune_gc
from flowledger.engine.store.connection.pool import open_pool
from flowledger.engine.store.log.event_mapper import EventMapper
from flowledger.engine.store.log.eventsourcing_recorders import (
    LAST,
    LedgerDatastore,
    LedgerRecorder,
)
from flowledger.engine.store.log.payload_header import begins_with_header, read_header
from flowledger.engine.store.schema.migrate import migrate
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.dispatch import Dispatcher
from flowledger.projections.host.log_reader import LogEntry
from flowledger.projections.projection import PLACE, Projection
from flowledger.projections.restricted_cursor import Cursor, HostConnection

READ = """
select notification_id, originator_id, originator_version, topic, state, task_id, recorded_at
from flowledger.event where notification_id > %s order by notification_id limit %s
"""
BUILDING = "select from flowledger.projection where state = 'building' limit 1"
LOOK_SECONDS = 0.02
LAG = "select max(lag), max(behind) from flowledger.projection_status() where state = 'serving'"
Statement = tuple[Any, Any]


def settings_for(url: str, *, builtin: bool) -> Settings:
    """The defaults, with or without the read models."""
    return Settings.load(database={"url": url}, projections={"builtin": builtin})


def fill(url: str, tasks: int) -> int:
    """Run so many diamonds to their ends; how many events that made."""
    flow = workflow(shapes.named("diamond"))
    settings = settings_for(url, builtin=False)
    with Engine.open(workflows=[flow], settings=settings) as engine:
        for start in range(0, tasks, 250):
            count = min(250, tasks - start)
            handles = engine.submit_many(flow, [{"number": n} for n in range(count)])
            for handle in handles:
                handle.result(timeout=120)
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from flowledger.event").fetchone()
    return row[0] if row else 0


def rebuilt(url: str) -> tuple[float, float]:
    """Seconds to catch up from the beginning, and to build all models anew and swap them.

    In a process of its own, as `flowledger projector` is one.
    """
    names = [model.name for model in BUILTIN]
    began = time.perf_counter()
    settings = settings_for(url, builtin=True)
    with (
        Engine.open(roles=("projector",), settings=settings) as engine,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        tune_gc()
        for name in names:
            engine.projections.wait_for(name, timeout=600)
        caught_up = time.perf_counter() - began
        began = time.perf_counter()
        for name in names:
            engine.projections.rebuild(name, actor="ann", reason="a test")
        while connection.execute(BUILDING).fetchone() is not None:
            time.sleep(LOOK_SECONDS)  # whoever looks all the time takes the time that is measured
        return caught_up, time.perf_counter() - began


class NoteOptions(Cursor):
    """Notes the statements that pass through cursors of its kind."""

    noted: ClassVar[list[Statement]] = []

    def execute(self, query: Any, params: Any = None, **keywords: Any) -> NoteOptions:
        """As psycopg's."""
        NoteOptions.noted.append((query, params))
        super().execute(query, params, **keywords)
        return self


def batches_of(url: str, size: int) -> Iterator[list[LogEntry]]:
    """The whole log, in batches."""
    with open_pool(url, min_size=1, max_size=1, timeout_seconds=10) as pool:
        recorder, mapper, after = LedgerRecorder(LedgerDatastore(pool)), EventMapper(), 0
        while rows := recorder.rows(after, size, LAST):
            yield [LogEntry(row, mapper) for row in rows]
            after = rows[-1][0]


def statements_of(url: str, size: int) -> list[list[list[Statement]]]:
    """For each batch and model the statements that the model executes."""
    models = [(Dispatcher(kind()), f"note_{uuid4().hex[:8]}") for kind in BUILTIN]
    with HostConnection.connect(url) as connection:
        for applying, schema in models:
            make_tables(connection, applying.projection, schema)
        noted = [
            [noted_by(connection, applying, schema, entries) for applying, schema in models]
            for entries in batches_of(url, size)
        ]
        connection.rollback()
    return noted


def noted_by(
    connection: HostConnection, applying: Dispatcher, schema: str, entries: Sequence[LogEntry]
) -> list[Statement]:
    """The statements for one batch."""
    enter(connection, schema)
    wanted = [entry.read for entry in entries if entry.topic in applying.routes.topics]
    connection.cursor_factory = NoteOptions  # projections may make further ones
    with NoteOptions(connection) as cursor:
        NoteOptions.noted = []
        applying.apply(wanted, cursor, None)
        return NoteOptions.noted


def make_tables(connection: HostConnection, model: Projection, schema: str) -> None:
    """The tables of a model in a schema of their own."""
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    connection.execute(model.tables.replace(PLACE, schema).encode())


def enter(connection: psycopg.Connection, schema: str) -> None:
    """Work in that schema until the transaction ends."""
    connection.execute(
        sql.SQL("set local search_path = {}, pg_temp").format(sql.Identifier(schema))
    )


def _decode(payload: bytes) -> None:
    fields = payload[read_header(payload)[1] :] if begins_with_header(payload) else payload
    if fields:
        orjson.loads(fields)


def bare(url: str, size: int, statements: Sequence[Sequence[Sequence[Statement]]]) -> float:
    """Seconds of a loop that reads, decodes and executes these statements, and nothing else."""
    schemas = [f"bare_{uuid4().hex[:8]}" for _ in BUILTIN]
    with HostConnection.connect(url) as connection:
        for kind, schema in zip(BUILTIN, schemas, strict=True):
            make_tables(connection, kind(), schema)
        connection.execute("create table flowledger.bare_position (model text, at bigint)")
        connection.execute("set synchronous_commit = off; set enable_seqscan = off")  # as the host
        connection.commit()
        began, after = time.perf_counter(), 0
        for of_batch in statements:
            rows = connection.execute(READ, (after, size), binary=True).fetchall()
            for row in rows:
                _decode(row[4])
            after = rows[-1][0]
            for schema, some in zip(schemas, of_batch, strict=True):
                enter(connection, schema)
                with connection.pipeline():
                    for query, params in some:
                        connection.execute(query, params)
                place = "insert into flowledger.bare_position values (%s, %s)"
                connection.execute(place, (schema, after))
                connection.commit()
        return time.perf_counter() - began


def _process(
    child: harness.Child, url: str, load: BackgroundLoad, roles: Sequence[Sequence[Any]]
) -> None:
    os.environ["FLOWLEDGER_DATABASE__URL"] = url
    flow = workflow(load.dag)
    lags: list[float] = []
    with Engine.open(workflows=[flow], roles=roles[child.index]) as engine:
        child.stand_by()
        if child.index + 1 == child.count:
            submit_all(child, lambda contexts: engine.submit_many(flow, contexts), load, url, 10**9)
        elif child.index + 2 == child.count:
            lags = sampled_lags(child, url)
        child.halt.wait()
    child.report(lags)


def sampled_lags(child: harness.Child, url: str) -> list[float]:
    """Seconds that the slowest model was behind, asked for twenty times a second."""
    lags: list[float] = []
    with psycopg.connect(url, autocommit=True) as connection:
        while not child.halt.wait(0.05):
            row = connection.execute(LAG).fetchone()
            lags.append(float(row[0] or 0.0) if row else 0.0)
    return lags


def live(server_url: str, load: BackgroundLoad, *, projector: bool) -> harness.Figures:
    """The load with a coordinator, two workers, and perhaps a projector."""
    roles = [["coordinator"], ["worker"], ["worker"], ["projector"] if projector else [], []]
    with harness.database(server_url, "flowledger_bench_live") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        crew = harness.Crew(_process, len(roles), (url, load, roles))
        return harness.measure(url, crew, load, lambda _, __: [])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that such a share of all does not exceed."""
    ordered = sorted(values) or [0.0]
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


def run(server_url: str, tasks: int, rounds: int) -> dict[str, Any]:
    """All figures."""
    size = Settings.load().projections.batch_size
    with harness.database(server_url, "flowledger_bench_projection") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection)
        events = fill(url, tasks)
        statements = statements_of(url, size)
        tune_gc()
        bares, builds, catches = [], [], []
        for _ in range(rounds):
            bares.append(bare(url, size, statements))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("drop table flowledger.bare_position")
            with ProcessPoolExecutor(1, mp_context=harness.SPAWN) as apart:
                caught_up, built = apart.submit(rebuilt, url).result()
            catches.append(caught_up)
            builds.append(built)
    load = BackgroundLoad("diamond", tasks, 2)
    without = live(server_url, load, projector=False)
    with_models = live(server_url, load, projector=True)
    lags = with_models.reports[-2]
    return {
        "tasks": tasks,
        "events": events,
        "models": [model.name for model in BUILTIN],
        "batch_size": size,
        "catch_up_events_per_s": round(events / catches[0]),
        "rebuild_events_per_s": round(events / median(builds)),
        "bare_events_per_s": round(events / median(bares)),
        "ratio_to_bare": round(median(bares) / median(builds), 3),
        "live_steps_per_s": round(with_models.steps_per_s),
        "live_events_per_s": round(with_models.steps_per_s * events / (4 * tasks)),
        "without_models_steps_per_s": round(without.steps_per_s),
        "lag_p50_s": percentile(lags, 0.5),
        "lag_p95_s": percentile(lags, 0.95),
        "lag_max_s": percentile(lags, 1.0),
    }


def main() -> None:
    """One line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run at all")
    parser.add_argument("--database-url", help="default: an embedded Postgres, fsync on")
    args = parser.parse_args()
    tasks, rounds = (20, 1) if args.quick else (args.tasks, args.rounds)
    with harness.postgres(args.database_url) as url:
        print(json.dumps({**run(url, tasks, rounds), **harness.surroundings(url, {})}))


if __name__ == "__main__":
    main()
