"""Projections in words and as JSON, for the terminal."""

from __future__ import annotations

from typing import Any

from flowledger.engine.ports.projections import ParkedEvent, ProjectionStatus


def status_fields(row: ProjectionStatus) -> dict[str, Any]:
    """A generation as JSON; times are in seconds, rounded to milliseconds."""
    fields = {name: getattr(row, name) for name in ProjectionStatus.__slots__}
    for name in ("lag_seconds", "rate", "seconds_left"):
        value = fields[name]
        fields[name] = None if value is None else round(value, 3)
    return fields


def status_sentence(row: ProjectionStatus) -> str:
    """A generation in a line."""
    kind = "inline" if row.state == "inline" else f"generation {row.generation}"
    built = ", being built" if row.state == "building" else ""
    well = "" if row.healthy else "  NOT WELL"
    return (
        f"{row.name} {row.version} ({kind}{built}): {row.standing.replace('_', ' ')},"
        f" at {row.position} of {row.head}{_behind(row)}{_parked(row)}{well}"
    )


def status_lines(row: ProjectionStatus) -> list[str]:
    """A generation in a line, and below it why it stands still and who runs it."""
    return [status_sentence(row), *_details(row)]


def _behind(row: ProjectionStatus) -> str:
    if not row.behind:
        return ""
    left = "" if row.seconds_left is None else f", about {row.seconds_left:.0f} s left"
    return f", {row.behind} behind ({row.lag_seconds:.1f} s){left}"


def _parked(row: ProjectionStatus) -> str:
    return f", {row.parked} parked" if row.parked else ""


def _details(row: ProjectionStatus) -> list[str]:
    lines: list[str] = []
    if row.failure is not None:
        tried = "once" if row.failures == 1 else f"{row.failures} times"
        lines.append(f"  it failed {tried} at position {row.failed_position}: {row.failure}")
    if row.host is not None:
        lines.append(f"  process {row.pid} on {row.host} runs it")
    if row.rate is not None:
        lines.append(f"  {row.rate:.0f} events/s since {row.created_at}")
    if row.moved_at is not None:
        lines.append(f"  it last moved at {row.moved_at}")
    return lines


def parked_fields(row: ParkedEvent) -> dict[str, Any]:
    """A parked event as JSON."""
    return {name: getattr(row, name) for name in ParkedEvent.__slots__}


def parked_sentence(row: ParkedEvent) -> str:
    """A parked event in a line."""
    wanted = f" (to be {'retried' if row.wanted == 'retry' else 'dropped'})" if row.wanted else ""
    task = f" of task {row.task_id}" if row.task_id else ""
    return f"{row.position}: {row.topic}{task}{wanted}: {row.error}"
