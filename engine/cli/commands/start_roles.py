"""`flowledger start`, `coordinator`, `worker`, `projector`: roles as processes of their own."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from threading import Event
from time import monotonic
from typing import Any

import click

from flowledger.engine.bootstrap import handlers_of
from flowledger.engine.cli import CONTAINERS, INTERRUPTED
from flowledger.engine.cli.command_setup import program_settings, workflows_of
from flowledger.engine.cli.enough_shards import EnoughShards
from flowledger.engine.cli.options import dev_option, handlers_option, time_scale_option
from flowledger.engine.cli.process_control import StopRequest, waiting_for
from flowledger.engine.cli.supervisor import Supervisor
from flowledger.engine.client.engine import ALL_ROLES, Engine, Role
from flowledger.engine.config import Settings
from flowledger.engine.domain.failures.classification import classify
from flowledger.engine.domain.handler_protocol import WorkflowLike
from flowledger.engine.errors import DatabaseUnavailable, DatabaseUnfit
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff, Outages

wait_option = click.option(
    "--wait-for-database",
    is_flag=False,
    flag_value=60.0,
    default=0.0,
    type=click.FloatRange(0.0, 86_400.0),
    metavar="[SECONDS]",
    help="Wait for a database that is away, 60 s or so many. Default: end at once.",
)
while_input_option = click.option(
    "--while-input", is_flag=True, hidden=True, help="Stop when standard input ends."
)

MOST_PROCESSES = 256
AUTO = "auto"


def _processes(context: click.Context, option: click.Parameter, value: str) -> int:
    if value == AUTO:
        return min(usable_cores(), MOST_PROCESSES)
    with suppress(ValueError):
        if 1 <= int(value) <= MOST_PROCESSES:
            return int(value)
    expected = f"a number from 1 to {MOST_PROCESSES}, or {AUTO}"
    raise click.BadParameter(f"{value!r} is not {expected}", context, option)


def usable_cores() -> int:
    """The cores that this process may use, where the system says so; else those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@click.command("start")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@handlers_option
@time_scale_option
@wait_option
@dev_option
@click.option(
    "--projection",
    "modules",
    multiple=True,
    metavar="MODULE:ATTRIBUTE",
    help="A read model to keep up to date, beside those that are configured; may be given often.",
)
@click.option(
    "--processes",
    default="1",
    callback=_processes,
    metavar="N|auto",
    help="Play them in N processes, or in one for each core that may be used. Default: in this.",
)
@while_input_option
def start(  # noqa: PLR0913 - one parameter for each option
    targets: tuple[str, ...],
    handlers: str | None,
    time_scale: float,
    wait_for_database: float,
    *,
    modules: tuple[str, ...],
    processes: int,
    dev: bool,
    while_input: bool,
) -> None:
    """Play all roles in this process, until SIGTERM, SIGHUP or Ctrl-C.

    Each TARGET is a workflow whose steps are run here: `module:attribute`, or a file. Running steps
    get worker.grace_seconds to finish; what is left is handed back.

    With --processes there are more such processes, to use more cores. This one plays no role then:
    it starts another where one ends, has at least as many shards, and stops them all.

    \b
    Example: flowledger start shop.orders:orders --projection shop.models:CustomerSpend
    """
    settings = with_projections(program_settings(quiet=False, dev=dev), modules)
    workflows = workflows_of(targets, settings, handlers, time_scale)
    if processes == 1:
        wait = wait_for_database
        _serve(ALL_ROLES, workflows, settings, wait=wait, while_input=while_input)
        return
    arguments = [f"--time-scale={time_scale}", f"--wait-for-database={wait_for_database}"]
    arguments += [f"--handlers={handlers}"] if handlers else []
    arguments += [f"--projection={module}" for module in modules]
    arguments += ["--dev"] if dev else []
    supervisor = Supervisor(processes, [*arguments, "--", *targets], settings)
    stop = _stop_request(while_input=while_input)
    if _is_fit(workflows, settings, stop, wait_for_database):
        _supervise(supervisor, EnoughShards(processes, settings), stop)
    if stop.interrupted:
        sys.exit(INTERRUPTED)


@click.command("coordinator")
@wait_option
def coordinator(wait_for_database: float) -> None:
    """Follow the log and decide what runs next, until SIGTERM, SIGHUP or Ctrl-C.

    Of several coordinators one leads, and the others take over when it is gone.

    \b
    Example: flowledger coordinator
    """
    _serve(("coordinator",), (), program_settings(quiet=False), wait=wait_for_database)


@click.command("worker")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@handlers_option
@time_scale_option
@wait_option
@dev_option
@while_input_option
def worker(  # noqa: PLR0913 - one parameter for each option
    targets: tuple[str, ...],
    handlers: str | None,
    time_scale: float,
    wait_for_database: float,
    *,
    dev: bool,
    while_input: bool,
) -> None:
    """Run steps of the TARGETs' workflows, until SIGTERM, SIGHUP or Ctrl-C.

    Each TARGET is `module:attribute`, or a file. Running steps get worker.grace_seconds to finish;
    what is left is handed back.

    \b
    Example: flowledger worker shop.orders:orders returns.yaml --handlers shop.returns
    """
    settings = program_settings(quiet=False, dev=dev)
    workflows = workflows_of(targets, settings, handlers, time_scale)
    _serve(("worker",), workflows, settings, wait=wait_for_database, while_input=while_input)


@click.command("projector")
@click.argument("modules", nargs=-1, metavar="MODULE:ATTRIBUTE...")
@wait_option
def projector(modules: tuple[str, ...], wait_for_database: float) -> None:
    """Keep read models up to date, until SIGTERM, SIGHUP or Ctrl-C.

    Those that come with the engine, those of the configuration and of installed packages, and those
    that are named here. Of several processes one runs each, and the others take over.

    \b
    Example: flowledger projector shop.models:CustomerSpend
    """
    settings = with_projections(program_settings(quiet=False), modules)
    _serve(("projector",), (), settings, wait=wait_for_database)


def with_projections(settings: Settings, modules: Sequence[str]) -> Settings:
    """The settings, with these projections beside those that are configured."""
    classes = (*settings.projections.classes, *modules)
    named = settings.projections.model_copy(update={"classes": classes})
    return settings.model_copy(update={"projections": named})


def _serve(
    roles: Sequence[Role],
    workflows: Sequence[WorkflowLike[Any]],
    settings: Settings,
    *,
    wait: float,
    while_input: bool = False,
) -> None:
    stop = _stop_request(while_input=while_input)
    stuck = Event()

    def leave() -> None:
        stuck.set()
        stop.ask()

    opening = partial(Engine.open, workflows=workflows, roles=roles, settings=settings)
    engine = opened_within(wait, opening, stop, settings)
    if engine is not None:
        with engine:
            grace = settings.worker.grace_seconds
            stop.farewell = lambda: waiting_for(engine.running_steps, grace)
            engine.on_worker_stuck(leave)
            tune_gc()
            stop.wait()
    if stop.interrupted:
        sys.exit(INTERRUPTED)
    if stuck.is_set() and not stop.signalled:
        _start_anew()


def _stop_request(*, while_input: bool) -> StopRequest:
    stop = StopRequest()
    if while_input:
        stop.ask_at_end_of_input()
    return stop


def _is_fit(
    workflows: Sequence[WorkflowLike[Any]], settings: Settings, stop: StopRequest, wait: float
) -> bool:
    """Whether an engine with all roles can be opened; False: a stop was asked for.

    The database is as such an engine needs it, then. Raises what that would.
    """

    def opening() -> Engine:
        from flowledger.projections.wiring import registered  # noqa: PLC0415 - not for a worker

        handlers_of(workflows, ALL_ROLES, settings, classify)
        registered((), settings)
        return Engine.open(workflows=workflows, roles=(), settings=settings)

    engine = opened_within(wait, opening, stop, settings)
    if engine is not None:
        engine.close()
    return engine is not None


def _supervise(supervisor: Supervisor, shards: EnoughShards, stop: StopRequest) -> None:
    shards.see_to()
    with closing(supervisor):
        supervisor.keep_running(stop)
        shards.over()


def opened_within(
    seconds: float, opening: Callable[[], Engine], stop: StopRequest, settings: Settings
) -> Engine | None:
    """The engine, tried for so many seconds while the database is away; None: a stop was asked for.

    Raises what `Engine.open` raises, DatabaseUnavailable at the end of the time.
    """
    database = settings.database
    backoff = Backoff(database.reconnect_initial_seconds, database.reconnect_cap_seconds)
    outages, until = Outages("program"), monotonic() + seconds
    while True:
        try:
            engine = opening()
        except DatabaseUnfit:
            raise
        except DatabaseUnavailable as error:
            left = until - monotonic()
            if left <= 0:
                raise
            outages.failed(error)
            if stop.asked_within(min(left, backoff.pause())):
                return None
        else:
            outages.succeeded()
            return engine


def _start_anew() -> None:
    """Become the same program again: only that gets rid of handlers that never end."""
    logger("program").emit(Signal.PROGRAM_RESTARTED)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very program


def tune_gc() -> None:
    """Have the collector pass over what is there by now, and look at the rest more rarely.

    For the whole process, so it is for programs to call, when everything is imported and opened.
    """
    gc.collect()
    gc.set_threshold(CONTAINERS)  # also where this is not the program `flowledger`
    gc.freeze()
