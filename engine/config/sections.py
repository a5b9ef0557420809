"""The sections of the configuration: every key with type, default, meaning and unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from flowledger.engine.config.section import Section
from flowledger.engine.config.setting_value_types import (
    Count,
    CountOrNone,
    Names,
    Seconds,
)

MOST_SHARDS = 1024


class DatabaseSettings(Section):
    """The Postgres that holds the log."""

    url: SecretStr | None = Field(
        default=None,
        description="The database to use. Without it, the embedded Postgres is started.",
    )
    pool_min_size: CountOrNone = Field(
        default=1, description="Connections kept open in each process."
    )
    pool_max_size: Count = Field(default=8, description="Most connections of each process's pool.")
    connect_timeout_seconds: Seconds = Field(
        default=10.0, description="Seconds to wait for a new or a free connection."
    )
    reconnect_initial_seconds: Seconds = Field(
        default=0.1,
        description="Seconds before the first attempt to reconnect; doubles with each failure.",
    )
    reconnect_cap_seconds: Seconds = Field(
        default=5.0, description="Most seconds between two attempts to reconnect."
    )
    statement_timeout_seconds: Seconds = Field(
        default=60.0,
        description="Seconds after which Postgres cancels one of the engine's statements;"
        " migrations and an application's own connections have no such limit.",
    )
    lock_timeout_seconds: Seconds = Field(
        default=10.0,
        description="Seconds that one of these statements waits for one lock, that of the log"
        " included.",
    )
    idle_transaction_timeout_seconds: Seconds = Field(
        default=10.0,
        description="Seconds after which Postgres ends a session of the engine whose process was"
        " stopped in the middle of a transaction, and frees its locks.",
    )
    answer_timeout_seconds: Seconds = Field(
        default=15.0,
        description="Seconds for which Postgres may say nothing to a question or a submission of an"
        " application or a command; to all else, 5 s longer than a statement may take.",
    )
    tcp_keepalive_seconds: Seconds = Field(
        default=10.0,
        description="Seconds of silence after which a TCP connection is probed; after twice as many"
        " it counts as lost.",
    )
    listener_silence_seconds: Seconds = Field(
        default=30.0,
        description="Seconds without a word after which the session that hears notifications is"
        " asked whether it is there.",
    )
    ping_seconds: Seconds = Field(
        default=2.0,
        description="Seconds between two looks of a process without a role whether the database is"
        " there.",
    )
    shutdown_timeout_seconds: Seconds = Field(
        default=2.0,
        description="Most seconds that a stopping process takes, beyond worker.grace_seconds, to"
        " hand back what runs and to resign, whatever the database does.",
    )
    migrate: Literal["auto", "check", "never"] = Field(
        default="auto",
        description="What opening does where the schema is not that of this release: auto brings it"
        " there, check refuses to open, never does not look.",
    )
    application_name: str = Field(
        default="flowledger",
        min_length=1,
        max_length=63,
        description="Name of the engine's sessions in pg_stat_activity.",
    )

    @field_validator("url")
    @classmethod
    def _is_connection_string(cls, url: SecretStr | None) -> SecretStr | None:
        text = url.get_secret_value() if url else ""
        if url is None or text.startswith(("postgresql://", "postgres://")):
            return url
        if "=" in text and "://" not in text:  # libpq's other form: host=… dbname=…
            return url
        raise ValueError("not a Postgres URL")


class EmbeddedSettings(Section):
    """The Postgres that the engine starts for itself where no database is configured."""

    home: Path | None = Field(
        default=None,
        description="Folder of its data; FLOWLEDGER_HOME for short. Without it, the platform's"
        " folder for user data, or /var/lib/flowledger for root.",
    )
    fsync: bool = Field(
        default=True,
        description="Whether a commit waits for the disk. Off, a power cut may destroy the data.",
    )
    start_timeout_seconds: Seconds = Field(
        default=30.0, description="Seconds that starting it may take, its first creation included."
    )

    @field_validator("home")
    @classmethod
    def _expand_user(cls, home: Path | None) -> Path | None:
        return home.expanduser() if home else None


class CoordinatorSettings(Section):
    """The one that follows the log and decides what runs next."""

    batch_size: Count = Field(
        default=512, description="Most events read and decided on in one commit."
    )
    pipeline_events: Count = Field(
        default=32,
        description="Events in a batch from which commits are pipelined: the next batch is decided"
        " while this one is stored.",
    )
    poll_seconds: Seconds = Field(
        default=30.0,
        description="Seconds after which it looks at the log although nobody woke it; one at most"
        " while nobody would.",
    )
    lease_seconds: Seconds = Field(
        default=3.0,
        description="Seconds after which another coordinator takes over from a silent one.",
    )
    shards: Annotated[Count | None, Field(le=MOST_SHARDS)] = Field(
        default=None,
        description="Shards into which tasks are spread, made so many where no coordinator has ever"
        " led; a database with another number is refused. Without it, what the database has, which"
        " is 1 where nobody changed it.",
    )
    timer_batch_size: Count = Field(
        default=500, description="Most due timers handled in one commit."
    )
    submission_batch_size: Count = Field(
        default=200, description="Most submissions turned into tasks in one commit."
    )
    priority_ageing_seconds: Seconds = Field(
        default=60.0,
        description="Seconds of a task's age that weigh as much as one point of priority, so that"
        " nothing starves.",
    )
    begin_ahead_steps: Count = Field(
        default=64,
        description="Steps of a template in the queue of each shard up to which its tasks begin,"
        " however slow its workers.",
    )
    begin_ahead_seconds: Seconds = Field(
        default=0.05,
        description="The same for fast ones: so many seconds of their work may be queued. Less has"
        " what was begun end sooner, more bridges a slow database.",
    )
    max_cached_tasks: Count = Field(
        default=20_000, description="Most open tasks of each shard kept in memory."
    )
    reconcile_seconds: Seconds = Field(
        default=30.0,
        description="Seconds between two searches for steps that should be queued and are not.",
    )
    vacuum_every_steps: Count = Field(
        default=20_000,
        description="Steps queued between two vacuums of the queue, whose dead rows slow claims.",
    )
    max_lost_leases: Count = Field(
        default=3,
        description="Workers that a step may lose before it counts as the step's own error.",
    )
    hand_back_limit: Count = Field(
        default=10,
        description="How often in a row a step is handed back before each time more counts as a"
        " failed attempt.",
    )


class WorkerSettings(Section):
    """The one that claims steps and runs their handlers."""

    concurrency: Count = Field(
        default=64, description="Most handlers running at once in each process."
    )
    claim_size: Count = Field(default=128, description="Most steps claimed in one commit.")
    locality_seconds: Seconds = Field(
        default=1.0,
        description="Where its process leads shards, it prefers their steps, which it need not hand"
        " to another process: those of others count as so many seconds younger.",
    )
    poll_seconds: Seconds = Field(
        default=30.0,
        description="Seconds after which it looks at the queue although nobody woke it; one at most"
        " while nobody would.",
    )
    lease_seconds: Seconds = Field(
        default=15.0,
        description="Seconds after which the steps of a silent worker are given to others.",
    )
    lease_margin_seconds: Seconds = Field(
        default=3.0,
        description="Seconds before a lease's end from which the worker no longer trusts it.",
    )
    grace_seconds: Seconds = Field(
        default=10.0,
        description="Seconds that running handlers get to finish when the worker stops.",
    )
    event_loop_block_seconds: Seconds = Field(
        default=5.0, description="Seconds that a coroutine may block the event loop that it is on."
    )
    result_cache_size: Count = Field(
        default=4096, description="Most results kept in memory for the steps that depend on them."
    )
    heartbeat_seconds: Seconds = Field(
        default=5.0,
        description="Seconds between two looks at the steps that run: heartbeats are noted then,"
        " and what was cancelled or taken away is learned at the latest.",
    )
    namespaces: Names = Field(
        default=(), description="Namespaces whose steps it claims; none named means all."
    )
    transactional_connections: Count = Field(
        default=4, description="Most transactional steps with an open transaction in each process."
    )
    transaction_lock_timeout_seconds: Seconds = Field(
        default=10.0,
        description="Seconds that a statement of a transactional step waits for a lock.",
    )
    transaction_statement_timeout_seconds: Seconds = Field(
        default=60.0,
        description="Seconds after which Postgres cancels a statement of a transactional step.",
    )
    max_checkpoint_bytes: Count = Field(
        default=100_000, description="Most bytes of a checkpoint or a heartbeat, as JSON."
    )
    max_result_bytes: Count = Field(
        default=1_000_000, description="Most bytes of one step's result, as JSON."
    )
    traceback_limit_bytes: CountOrNone = Field(
        default=8000,
        description="Most bytes of a traceback that are kept with a failure; 0 keeps none.",
    )


class TemplateSettings(Section):
    """Limits of a workflow's definition."""

    max_steps: Count = Field(default=10_000, description="Most steps of a template.")
    max_depth: Count = Field(
        default=2_000, description="Most steps on one path through a template."
    )
    development: bool = Field(
        default=False,
        description="Register a definition that changed under the same version as a version of its"
        " own, such as 1.0.0+dev.5e1f03ab, with a warning. Else it is refused.",
    )


class SubmitSettings(Section):
    """Submitting tasks and waiting for them."""

    max_context_bytes: Count = Field(
        default=1_000_000, description="Most bytes of a task's context, as JSON."
    )
    wait_poll_seconds: Seconds = Field(
        default=1.0,
        description="Seconds after which a waiting caller looks although nobody woke it.",
    )
    request_timeout_seconds: Seconds = Field(
        default=30.0,
        description="Seconds that a caller who asks something of a task waits for the answer.",
    )


class LoggingSettings(Section):
    """Log lines of the command; an application that embeds the engine configures its own."""

    level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info", description="The least level that is written."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="Form of a line; auto is console on a terminal, else json."
    )


class CliSettings(Section):
    """The command `flowledger`."""

    refresh_per_second: Annotated[Count, Field(le=60)] = Field(
        default=8, description="Repaints of the live progress a second."
    )
    shutdown_timeout_seconds: Seconds = Field(
        default=10.0,
        description="Seconds that an interrupted command takes at most to stop its processes.",
    )
