"""The statements of a coordinator, and the arguments that both of its commits take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from flowledger.engine.ports.coordinator import Commit
from flowledger.engine.store.limit_json import changes_text

COMMIT = (
    "select flowledger.commit_decisions("
    "%s::int, %s::bigint, %s::bigint, %s::bigint, %s::float8,"
    " %s, %s, %s, %s, %s, %s,"
    " %s::uuid[], %s::uuid[], %s::json, %s::json, %s::json, %s::uuid[], %s::json, %s::bigint[],"
    " %s::boolean, %s::json, false, %s::bigint)"
)
COMMIT_JOINTLY = (
    "select r.*, flowledger.clock() from flowledger.commit_joint_round("
    "%s::int, %s::int, %s::bigint, %s::bigint, %s::bigint, %s::float8, %s::int, %s::int, %s::int,"
    " %s, %s, %s, %s, %s, %s,"
    " %s::uuid[], %s::uuid[], %s::json, %s::json, %s::json, %s::uuid[], %s::json,"
    " %s::boolean, %s::json, %s, %b, %s::int, %s, %s::boolean, %s::int[], %s::float8) as r"
)


AGENDA = "select * from flowledger.shard_agenda(%s, %s)"
TIMERS = "select * from flowledger.due_timers(%s, %s, %s)"
LOST = "select * from flowledger.steps_of_dead_workers(%s, %s, %s, %s)"
MISSING = "select * from flowledger.missing_queue_rows(%s, %s, %s)"
TIDY = (
    "select flowledger.delete_dead_workers(), flowledger.forget_rates(),"
    " flowledger.relist_queue_lanes(%s)"
)
LIMITS = "select flowledger.load_limit_state(%s, %s)::text"


def rows_of(commit: Commit) -> tuple[Any, ...]:
    """What stands in tables, in the order of the arguments; None where there is nothing."""
    return (
        commit.dropped or None,
        commit.signalled or None,
        _json(commit.queued),
        _json(commit.steps),
        _json(commit.tasks),
        commit.untimed or None,
        _json(commit.timers),
    )


def others_of(commit: Commit) -> tuple[bool, str | None]:
    """Whether somebody waits for an answer, and the changes of limits."""
    return commit.answers, changes_text(commit.limits) if commit.limits else None


def _json(rows: Sequence[dict[str, Any]]) -> str | None:
    return orjson.dumps(rows).decode() if rows else None
