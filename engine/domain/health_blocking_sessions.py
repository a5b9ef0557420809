"""Sessions that need an operator: who holds locks, and who holds back vacuum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from flowledger.engine.display_text import duration
from flowledger.engine.domain.health_rows_and_report import Finding, HolderRow, LockRow

Told = tuple[str, str]


def lock_held(row: LockRow, now: datetime) -> Finding:
    by = f" ({row.application})" if row.application else ""
    since = (
        ""
        if row.since is None
        else f", in a transaction that is open for {duration(now - row.since)}"
    )
    what = f"a lock on {row.relation}" if row.relation else "a lock on a row"
    mode = f" ({row.mode})" if row.mode else ""
    state = f", {row.state}" if row.state else ""
    waits = (
        f"; {row.waiting} session{'s' * (row.waiting != 1)} wait{'s' * (row.waiting == 1)} for it"
    )
    return Finding(
        kind="lock_held",
        sentence=f"a session of {row.login}{by}, process {row.pid}{state}, holds {what}{mode} that"
        f" the engine needs{since}{waits if row.waiting else ''}",
        about=str(row.pid),
        since=row.since,
        command=f'psql -c "select pg_terminate_backend({row.pid})"',
        details={
            "pid": row.pid,
            "login": row.login,
            "application": row.application,
            "state": row.state,
            "relation": row.relation,
            "mode": row.mode,
            "waiting": row.waiting,
            "waiting_since": row.waiting_since,
        },
    )


def vacuum_held_back(row: HolderRow, now: datetime) -> Finding:
    sentence, command = HOLDERS[row.kind](row, now)
    return Finding(
        kind="vacuum_held_back",
        sentence=sentence,
        about=row.name or (None if row.pid is None else str(row.pid)),
        since=row.since,
        command=command,
        details={
            "holder": row.kind,
            "pid": row.pid,
            "login": row.login,
            "application": row.application,
            "state": row.state,
            "transactions": row.transactions,
        },
    )


def _session(row: HolderRow, now: datetime) -> Told:
    by = f" ({row.application})" if row.application else ""
    open_for = "" if row.since is None else f", open for {duration(now - row.since)}"
    return (
        f"vacuum is held back by a session of {row.login}{by}, process {row.pid}, {row.state}"
        f"{open_for}",
        f'psql -c "select pg_terminate_backend({row.pid})"',
    )


def _prepared(row: HolderRow, now: datetime) -> Told:
    since = "" if row.since is None else f", prepared {duration(now - row.since)} ago"
    return (
        f"vacuum is held back by the prepared transaction {row.name} of {row.login}{since}",
        f'psql -c "rollback prepared {_literal(row.name)}"',
    )


def _slot(row: HolderRow, now: datetime) -> Told:
    used = "that nobody uses" if row.state == "unused" else "that is far behind"
    return (
        f"vacuum is held back by the replication slot {row.name}, {used}"
        f" ({row.transactions} transactions old)",
        f'psql -c "select pg_drop_replication_slot({_literal(row.name)})"',
    )


def _literal(name: str | None) -> str:
    doubled = (name or "").replace("'", "''")
    return f"'{doubled}'"


HOLDERS: Mapping[str, Callable[[HolderRow, datetime], Told]] = MappingProxyType(
    {"session": _session, "prepared": _prepared, "slot": _slot}
)


def not_seen(hidden: Iterable[HolderRow]) -> Iterable[str]:
    for row in hidden:
        sessions = f"{row.sessions} session{'' if row.sessions == 1 else 's'}"
        yield (
            f"whether vacuum is held back by {sessions} of {row.login}: this login may not see what"
            " they do (grant pg_read_all_stats to it)"
        )
