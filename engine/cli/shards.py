"""`flowledger db shards`: who leads which shard, how far it is, and how many there are."""

from __future__ import annotations

import click

from flowledger.engine.bootstrap import bring_up_to_date, database_url, engine_pool
from flowledger.engine.cli.options import json_option
from flowledger.engine.cli.output import tell_either
from flowledger.engine.cli.session import program_settings
from flowledger.engine.config.sections import MOST_SHARDS
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.shard_store import PostgresRoster, ShardRow

NOBODY_LEADS = 1


@click.command("shards")
@click.argument("number", type=click.IntRange(1, MOST_SHARDS), required=False)
@json_option("Print one JSON object a line.")
def shards(number: int | None, *, as_json: bool) -> None:
    """Show the shards: who leads, how far it has come, and the seconds left of its lease.

    With NUMBER, change how many there are, at any time when all facts are decided on; coordinators
    that run share them out anew by themselves. Without it the exit code is 1 where a shard is
    led by nobody.

    \b
    Example: flowledger db shards 4
    """
    settings = program_settings(quiet=True)
    url = database_url(settings)
    bring_up_to_date(url, settings)
    with engine_pool(url, settings) as pool:
        roster = PostgresRoster(pool, DatabaseClock())
        if number is not None:
            roster.resize(number)
        rows = roster.shards()
    for row in rows:
        tell_either(fields(row, len(rows)), sentence(row), as_json=as_json)
    if number is None and not all(is_led(row) for row in rows):
        raise SystemExit(NOBODY_LEADS)


def is_led(row: ShardRow) -> bool:
    """Whether somebody leads the shard, with a lease that stands."""
    return row.leader is not None and row.lease_left is not None and row.lease_left >= 0


def fields(row: ShardRow, shards: int) -> dict[str, object]:
    """A shard as JSON, of so many; seconds are rounded to tenths."""
    return {
        "shard": row.shard,
        "shards": shards,
        "leader": None if row.leader is None else str(row.leader),
        "host": row.host,
        "pid": row.pid,
        "epoch": row.epoch,
        "position": row.position,
        "behind": row.behind,
        "lease_left_seconds": None if row.lease_left is None else round(row.lease_left, 1),
    }


def sentence(row: ShardRow) -> str:
    """A shard in words."""
    facts = "1 fact" if row.behind == 1 else f"{row.behind} facts"
    behind = f"{facts} behind" if row.behind else "nothing behind"
    return f"shard {row.shard}: {_leader(row)}, at position {row.position}, {behind}"


def _leader(row: ShardRow) -> str:
    if row.leader is None or row.lease_left is None:
        return "nobody leads it"
    where = f"process {row.pid} on {row.host}" if row.pid is not None else f"{row.leader}"
    if row.lease_left < 0:
        return f"{where} led it, and its lease ran out {-row.lease_left:.1f} s ago"
    return f"{where} leads it in epoch {row.epoch}, for {row.lease_left:.1f} s more"
