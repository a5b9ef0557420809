"""`flowledger start`, `coordinator`, `worker`, `projector`: roles as processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from threading import Event
from typing import Any

import click

from flowledger.engine.api import ALL_ROLES, Engine, Role
from flowledger.engine.cli.opening import program_settings
from flowledger.engine.cli.options import handlers_option, time_scale_option
from flowledger.engine.cli.stopping import StopRequest
from flowledger.engine.cli.targets import workflows_of
from flowledger.engine.config import Settings
from flowledger.engine.domain.work import WorkflowLike
from flowledger.engine.runtime.heap import settle
from flowledger.engine.telemetry import Signal, logger


@click.command("start")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@handlers_option
@time_scale_option
def start(targets: tuple[str, ...], handlers: str | None, time_scale: float) -> None:
    """Play all roles in this process, until SIGTERM or Ctrl-C.

    Each TARGET is a workflow whose steps are run here: `module:attribute`, or a file. Running steps
    get worker.grace_seconds to finish; what is left is handed back.

    \b
    Example: flowledger start shop.orders:orders
    """
    settings = program_settings(quiet=False)
    _serve(ALL_ROLES, workflows_of(targets, settings, handlers, time_scale), settings)


@click.command("coordinator")
def coordinator() -> None:
    """Follow the log and decide what runs next, until SIGTERM or Ctrl-C.

    Of several coordinators one leads, and the others take over when it is gone.

    \b
    Example: flowledger coordinator
    """
    _serve(("coordinator",), (), program_settings(quiet=False))


@click.command("worker")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@handlers_option
@time_scale_option
@click.option("--while-input", is_flag=True, hidden=True, help="Stop when standard input ends.")
def worker(
    targets: tuple[str, ...], handlers: str | None, time_scale: float, *, while_input: bool
) -> None:
    """Run steps of the TARGETs' workflows, until SIGTERM or Ctrl-C.

    Each TARGET is `module:attribute`, or a file. Running steps get worker.grace_seconds to finish;
    what is left is handed back.

    \b
    Example: flowledger worker shop.orders:orders returns.yaml --handlers shop.returns
    """
    settings = program_settings(quiet=False)
    workflows = workflows_of(targets, settings, handlers, time_scale)
    _serve(("worker",), workflows, settings, while_input=while_input)


@click.command("projector")
@click.argument("modules", nargs=-1, metavar="MODULE:ATTRIBUTE...")
def projector(modules: tuple[str, ...]) -> None:
    """Keep read models up to date, until SIGTERM or Ctrl-C.

    Those that come with the engine, those of the configuration and of installed packages, and those
    that are named here. Of several processes one runs each, and the others take over.

    \b
    Example: flowledger projector shop.models:CustomerSpend
    """
    settings = program_settings(quiet=False)
    named = settings.projections.model_copy(
        update={"modules": (*settings.projections.modules, *modules)}
    )
    _serve(("projector",), (), settings.model_copy(update={"projections": named}))


def _serve(
    roles: Sequence[Role],
    workflows: Sequence[WorkflowLike[Any]],
    settings: Settings,
    *,
    while_input: bool = False,
) -> None:
    stop = StopRequest()
    if while_input:
        stop.ask_at_end_of_input()
    worn_out = Event()

    def leave() -> None:
        worn_out.set()
        stop.ask()

    with Engine.open(workflows=workflows, roles=roles, settings=settings) as engine:
        engine.when_worn_out(leave)
        settle()
        stop.wait()
    if worn_out.is_set() and not stop.signalled:
        _start_anew()


def _start_anew() -> None:
    """Become the same program again: only that gets rid of handlers that never end."""
    logger("program").emit(Signal.PROGRAM_RESTARTED)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very program
