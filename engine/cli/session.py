"""How commands come to their settings, their log lines and the database."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from flowledger.engine.bootstrap import bring_up_to_date, database_url, engine_pool
from flowledger.engine.cli.logging import configure_program_logging
from flowledger.engine.client.engine import Engine
from flowledger.engine.config import Settings, read_settings
from flowledger.engine.config.sections import Logging
from flowledger.engine.domain.limits.admission import GateRules
from flowledger.engine.runtime.coordinator.admission import gate_rules
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.connection.identifiers import Identifiers
from flowledger.engine.store.log.event_mapper import LedgerMapper
from flowledger.engine.store.task_store import PostgresTasks

LEVEL = "logging.level"


def see_working_directory() -> None:
    """Let users import their own modules, as `python -m` does."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def program_settings(*, quiet: bool) -> Settings:
    """The settings; log lines go to standard error from now on, and users' modules are found.

    A quiet command writes only errors, unless a level is configured: what it prints says the rest.
    Raises InvalidConfiguration.
    """
    see_working_directory()
    loaded = read_settings()
    settings = loaded.settings
    if quiet and LEVEL not in loaded.places:
        section = Logging(level="error", format=settings.logging.format)
        settings = settings.model_copy(update={"logging": section})
    configure_program_logging(settings.logging)
    return settings


def rules_of(settings: Settings) -> GateRules:
    """What the settings say of limits."""
    return gate_rules(settings.limits, settings.coordinator.ageing_seconds)


@contextmanager
def client() -> Generator[Engine]:
    """An engine that plays no role: it asks, and waits for answers.

    Raises DatabaseUnavailable, InvalidConfiguration.
    """
    with Engine.open(roles=(), settings=program_settings(quiet=True)) as engine:
        yield engine


@contextmanager
def stored_tasks(settings: Settings) -> Generator[PostgresTasks]:
    """What is stored, for reading: no role runs, nothing is listened to.

    Raises DatabaseUnavailable.
    """
    url = database_url(settings)
    bring_up_to_date(url, settings)
    with engine_pool(url, settings) as pool:
        yield PostgresTasks(pool, LedgerMapper(), DatabaseClock(), Identifiers())
