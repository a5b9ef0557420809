"""The section of projections in the configuration."""

from __future__ import annotations

from pydantic import Field

from flowledger.engine.config.section import Section
from flowledger.engine.config.setting_value_types import Count, CountOrNone, Names, Seconds


class ProjectionSettings(Section):
    """The host of projections: the role `projector`."""

    classes: Names = Field(
        default=(),
        description="Projections to run, as `module:attribute`, beside those that are registered.",
    )
    builtin: bool = Field(
        default=True, description="Whether the engine's own read models are kept up to date."
    )
    batch_size: Count = Field(default=500, description="Most events of one transaction.")
    connections: Count = Field(
        default=1,
        description="Projections that are applied at a time: more help where their methods wait.",
    )
    cached_events: Count = Field(
        default=2000, description="Events at the end of the log that a process keeps in memory."
    )
    linger_seconds: Seconds = Field(
        default=0.1, description="Seconds for which events collect before they are applied."
    )
    poll_seconds: Seconds = Field(
        default=1.0,
        description="Seconds after which it looks at the log although nobody woke it, while"
        " something happens: starts and decisions wake nobody then.",
    )
    idle_poll_seconds: Seconds = Field(
        default=30.0,
        description="The same where nothing has happened for 10 s; and seconds between two looks"
        " for what operators asked for although nobody told of it.",
    )
    lease_seconds: Seconds = Field(
        default=5.0, description="Seconds after which a silent host's projections go to others."
    )
    retry_initial_seconds: Seconds = Field(
        default=1.0, description="Seconds until an event that failed is tried again."
    )
    retry_cap_seconds: Seconds = Field(
        default=30.0, description="Most seconds between two such attempts."
    )
    lock_timeout_seconds: Seconds = Field(
        default=10.0, description="Seconds that a projection's statement waits for a lock."
    )
    statement_timeout_seconds: Seconds = Field(
        default=60.0, description="Seconds that a projection's statement may take."
    )
    rebuild_tasks: Count = Field(
        default=20, description="Tasks of one transaction when single tasks are rebuilt."
    )
    max_failure_chars: Count = Field(
        default=2000, description="Most characters that are stored of an error."
    )
    traceback_limit_bytes: CountOrNone = Field(
        default=8000,
        description="Most bytes of a traceback that are kept with a failure; 0 keeps none.",
    )
    unhealthy_after_seconds: Seconds = Field(
        default=60.0,
        description="Seconds behind without moving after which a projection is not healthy.",
    )
