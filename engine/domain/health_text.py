"""Health findings: what needs an operator, as a sentence with the command that mends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import isnan
from shlex import quote
from types import MappingProxyType

from flowledger.engine.display_text import duration, listed, moment, on_one_line
from flowledger.engine.domain.health_blocking_sessions import lock_held, not_seen, vacuum_held_back
from flowledger.engine.domain.health_rows_and_report import (
    Finding,
    FoundRow,
    HealthLook,
    HealthReport,
    HolderRow,
)
from flowledger.engine.domain.projector_command import projector_command, users_own

MOST_NAMES = 5
LONGEST_SECONDS = 1e13
"""More than Postgres has years for, and less than Python has."""


def report_on(look: HealthLook, others: Sequence[Finding] = ()) -> HealthReport:
    """The report of a look. What locks out the engine comes first: all else may follow from it."""
    report = report_of(look.now, look.found, look.holders, others)
    locks = [read_only(look.read_only)] if look.read_only is not None else []
    locks += [lock_held(row, look.now) for row in look.locks]
    unseen = (LOCKED, *report.unseen) if look.locked else report.unseen
    found = [_with_address(one, look.address) for one in (*locks, *report.findings)]
    return HealthReport(at=look.now, findings=tuple(found), unseen=unseen)


WHO_SAYS_READ_ONLY = (
    "select source, sourcefile from pg_settings where name = 'default_transaction_read_only'"
)


def read_only(source: str) -> Finding:
    """Nobody may write, for that reason."""
    why = "it is a standby" if source == "standby" else "default_transaction_read_only"
    return Finding(
        kind="read_only",
        sentence=f"the database is read-only ({why}): nothing is submitted, decided or run until it"
        " may be written again",
        about=source,
        command="flowledger db url (is it that of the primary?)"
        if source == "standby"
        else f'{PSQL}"{WHO_SAYS_READ_ONLY}"',
        details={"source": source},
    )


LOCKED = "what the tables of the engine tell: somebody has locked them"
PSQL = "psql -c "


def _with_address(finding: Finding, address: str | None) -> Finding:
    """With a command that works as it stands, also where no PGDATABASE is set."""
    if address is None or finding.command is None or not finding.command.startswith(PSQL):
        return finding
    return replace(finding, command=finding.command.replace("psql", f"psql {quote(address)}", 1))


def report_of(
    now: datetime,
    rows: Sequence[FoundRow],
    holders: Sequence[HolderRow],
    others: Sequence[Finding] = (),
) -> HealthReport:
    """The report of what was found in the database, and by this process beside it.

    `now` is the server's time, which sessions are told by.
    """
    unled = [row for row in rows if row.kind == "projection_unled"]
    found = [_found(row, now) for row in rows if row.kind != "projection_unled"]
    found += [_unled(unled)] if unled else []
    found += [vacuum_held_back(row, now) for row in holders if row.kind != "hidden"]
    ordered = sorted([*found, *others], key=lambda one: (one.since or now, one.kind))
    hidden = [row for row in holders if row.kind == "hidden"]
    return HealthReport(
        at=now, findings=tuple(ordered), unseen=tuple(not_seen(hidden)) if hidden else ()
    )


def ago(since: datetime | None, now: datetime) -> str:
    """Since when, as the end of a sentence; nothing where nobody knows."""
    return "" if since is None else f", for {duration(max(now - since, timedelta()))}"


def _found(row: FoundRow, now: datetime) -> Finding:
    sentence, command = WORDS[row.kind](row, now)
    return Finding(
        kind=row.kind,
        sentence=sentence,
        about=row.about,
        since=row.since,
        command=command,
        details=row.details,
    )


Told = tuple[str, str]


def _counted(number: int, what: str) -> str:
    more = " or more" if number >= 1000 else ""
    return f"{number}{more} {what}{'' if number == 1 else 's'}"


def _shard_unled(row: FoundRow, now: datetime) -> Told:
    behind = row.details["behind"]
    wait = f"; {_counted(behind, 'event')} wait{'s' * (behind == 1)} for it" if behind else ""
    return (
        f"nobody leads shard {row.about}{ago(row.since, now)}: nothing of its tasks goes on{wait}",
        "flowledger coordinator",
    )


def _shard_behind(row: FoundRow, now: datetime) -> Told:
    found = row.details
    who = f" (process {found['pid']} on {found['host']})" if found["pid"] is not None else ""
    return (
        f"the coordinator that leads shard {row.about}{who} does not come on: the first of"
        f" {_counted(found['behind'], 'event')} waits{ago(row.since, now)}",
        "flowledger db shards",
    )


def _shard_missing(row: FoundRow, now: datetime) -> Told:
    one = len(row.details["shards"]) == 1
    rows, them, their = (
        (f"row of shard {row.about} is", "it", "its")
        if one
        else (f"rows of shards {row.about} are", "them", "their")
    )
    return (
        f"the {rows} gone from flowledger.shard: nobody can lead {them}, and nothing of {their}"
        " tasks goes on",
        "flowledger repair --all --reason WHY (as the owner of the schema)",
    )


def _shard_odd(row: FoundRow, now: datetime) -> Told:
    found = row.details
    what = (
        f"says that there are {found['found']} shards, and there are {found['expected']}: nobody"
        " can lead it, and nothing of its tasks goes on"
        if found["field"] == "shards"
        else "is of no shard: nobody leads it"
    )
    return (
        f"the row of shard {row.about} in flowledger.shard {what}",
        "flowledger repair --all --reason WHY (as the owner of the schema)",
    )


def _shard_ahead(row: FoundRow, now: datetime) -> Told:
    found = row.details
    return (
        f"shard {row.about} stands at position {found['position']}, and the log ends at"
        f" {found['last']}: what happens to its tasks is passed over until the log is as long",
        "flowledger repair --all --reason WHY",
    )


def _queue_unserved(row: FoundRow, now: datetime) -> Told:
    steps = _counted(row.details["steps"], "step")
    if row.details["template"] is None:
        return (
            f"{steps} of a template that is not registered any more ({row.about})"
            f" cannot be run by anybody{ago(row.since, now)}",
            "flowledger verify --all",
        )
    return (
        f"no worker runs {row.about}, and {steps} of it {_are(row.details['steps'])}"
        f" queued{ago(row.since, now)}",
        "flowledger worker TARGET (a module:attribute or file with this version)",
    )


def _parked(row: FoundRow, now: datetime) -> Told:
    number = row.details["tasks"]
    what = "task" if row.kind == "tasks_parked" else "submission"
    why = on_one_line(row.details["reason"])
    first = "" if number == 1 else "; the first"
    return (
        f"{_counted(number, what)} {_are(number)} left alone{ago(row.since, now)}{first}: "
        f"task {row.about}: {why}",
        "flowledger parked retry --reason WHY"
        " (once the cause is mended; flowledger parked lists them)",
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _paused(row: FoundRow, now: datetime) -> Told:
    return (
        f"projection {row.about} is paused{_behind(row)}",
        f"flowledger projections resume {quote(str(row.about))} --reason WHY",
    )


def _failing(row: FoundRow, now: datetime) -> Told:
    found = row.details
    return (
        f"projection {row.about} fails at position {found['position']}{ago(row.since, now)}:"
        f" {on_one_line(found['error'] or '')}",
        f"flowledger projections resume {quote(str(row.about))} --reason WHY (once its method is"
        f" mended; or pass over the event: flowledger projections skip {quote(str(row.about))}"
        f" --position {found['position']} --reason WHY)",
    )


def _stalled(row: FoundRow, now: datetime) -> Told:
    return (
        f"projection {row.about} does not move{ago(row.since, now)}{_behind(row)}",
        f"flowledger projections status {quote(str(row.about))}",
    )


def _behind(row: FoundRow) -> str:
    behind = row.details["behind"]
    return f"; {behind} place{'' if behind == 1 else 's'} of the log behind" if behind else ""


def _events_parked(row: FoundRow, now: datetime) -> Told:
    found = row.details
    return (
        f"projection {row.about} put {_counted(found['parked'], 'event')} aside"
        f"{ago(row.since, now)}; the first, at position {found['position']}:"
        f" {on_one_line(found['error'] or '')}",
        f"flowledger projections parked retry {quote(str(row.about))} --all"
        " --reason WHY"
        " (once its method is mended)",
    )


def _code_changed(row: FoundRow, now: datetime) -> Told:
    name = quote(str(row.about))
    return (
        f"the code of projection {row.about} changed since it was built, and its version"
        f" {row.details['version']} did not: its rows may be of both",
        f"flowledger projections rebuild {name} --reason WHY (as the owner of the schema; or raise"
        " the version)",
    )


def _missing(row: FoundRow, now: datetime) -> Told:
    found = row.details
    return (
        f"projection {row.about}, which process {found['pid']} on {found['host']} was given, has no"
        f" tables and is not run{ago(row.since, now)}: the database refuses them, or it was removed"
        " meanwhile",
        "flowledger projector MODULE:CLASS (the log line projection.refused of it, or of that"
        " process, says why; what was removed meanwhile it makes anew)",
    )


def _shifted(row: FoundRow, now: datetime) -> Told:
    shift = _time(row)
    ahead, way = duration(shift), "ahead of" if shift > timedelta() else "behind"
    return (
        f"the engine's clock was moved, as tests do: it is {ahead} {way} the server's",
        """psql -c "update flowledger.clock_offset set shift = '0'" """.strip(),
    )


def _time(row: FoundRow) -> timedelta:
    """The seconds of a row, which JSON has as words where they are no number or have no end."""
    seconds = float(row.details["seconds"])
    known = LONGEST_SECONDS if isnan(seconds) else seconds
    return timedelta(seconds=min(max(known, -LONGEST_SECONDS), LONGEST_SECONDS))


def _leases_ahead(row: FoundRow, now: datetime) -> Told:
    leases: Mapping[str, int] = row.details["leases"]
    whose = listed([_counted(count, kind) for kind, count in leases.items()], len(leases))
    later = duration(_time(row))
    of_projections = not leases.keys() - {"projection", "projector"}
    return (
        f"leases of {whose} end up to {later} later than they can have been given for: the clock"
        " was ahead then, and they say nothing of who is there",
        f"flowledger {'projector' if of_projections else 'coordinator'} (one that runs shortens"
        " them)",
    )


def _put_back(row: FoundRow, now: datetime) -> Told:
    later, timers = duration(_time(row)), row.details["timers"]
    were = "was" if timers == 1 else "were"
    return (
        f"the engine's clock was ahead and was put back: {_counted(timers, 'timer')} that {were}"
        " set meanwhile (retries, timeouts, deadlines or starts) may come late, by as much as"
        f" {later}",
        "flowledger step reset TASK STEP --reason WHY (tries at once what waits for a retry)",
    )


def _short(row: FoundRow, now: datetime) -> Told:
    used, most = row.details["used"], row.details["most"]
    return (
        f"{used} of the {most} connections that the server gives to ordinary logins are in use:"
        " who needs one more may wait, or be refused",
        """psql -c "select application_name, count(*) from pg_stat_activity group by 1" """.strip(),
    )


WORDS: Mapping[str, Callable[[FoundRow, datetime], Told]] = MappingProxyType(
    {
        "shard_unled": _shard_unled,
        "shard_behind": _shard_behind,
        "shard_missing": _shard_missing,
        "shard_odd": _shard_odd,
        "shard_ahead": _shard_ahead,
        "queue_unserved": _queue_unserved,
        "tasks_parked": _parked,
        "submissions_parked": _parked,
        "projection_paused": _paused,
        "projection_failing": _failing,
        "projection_stalled": _stalled,
        "events_parked": _events_parked,
        "projection_code_changed": _code_changed,
        "projection_missing": _missing,
        "clock_shifted": _shifted,
        "leases_ahead": _leases_ahead,
        "clock_put_back": _put_back,
        "connections_short": _short,
    }
)
"""What is said of each kind of row, and the command that mends it."""


def _unled(rows: Sequence[FoundRow]) -> Finding:
    """All that no projector runs, in one sentence: it is one process that is missing."""
    names = sorted({str(row.about) for row in rows})
    known = [row.since for row in rows if row.since is not None]
    what = "projection" if len(names) == 1 else "projections"
    return Finding(
        kind="projection_unled",
        sentence=f"no projector runs the {what} {listed(names, MOST_NAMES)}:"
        f" what is read from {'it' if len(names) == 1 else 'them'} gets older",
        about=names[0] if len(names) == 1 else None,
        since=min(known, default=None),
        command=_runs(names),
        details={"projections": names},
    )


def _runs(names: Sequence[str]) -> str:
    command, known = projector_command(names)
    told = [known] if known else []
    told.append("as the owner of the schema")
    if own := users_own(names):
        told.append(
            f"or, if nobody shall run {'it' if len(own) == 1 else 'one'} any more,"
            " flowledger projections remove NAME --reason WHY"
        )
    return f"{command} ({'; '.join(told)})"


def sentence_of(finding: Finding) -> str:
    """A finding on one line, with its command."""
    since = f" (since {moment(finding.since)})" if finding.since is not None else ""
    mends = f" -> {finding.command}" if finding.command else ""
    return f"{finding.sentence}{since}{mends}"
