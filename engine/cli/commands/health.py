"""`flowledger health`: what needs somebody, with the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from flowledger.engine.bootstrap import command_sessions, database_url
from flowledger.engine.cli.command_setup import program_settings
from flowledger.engine.cli.options import json_option
from flowledger.engine.cli.output import tell_json, tell_sentence
from flowledger.engine.client.health import health_report
from flowledger.engine.domain.health_rows_and_report import HealthReport
from flowledger.engine.domain.health_text import sentence_of
from flowledger.engine.store.health import PostgresHealth
from flowledger.engine.store.schema.startup_migration import require_schema

UNHEALTHY = 1


@click.command("health")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="So long may something wait, or a session be open.",
)
@json_option("Print one JSON object.")
def health(patience: float, *, as_json: bool) -> None:
    """Say what needs somebody: shards, queued steps and projections that nobody sees to, what is
    parked, who holds back vacuum, a clock that was moved.

    Each line ends with the command that mends it. Exit code 1 where there is one. It changes
    nothing, and needs no more than the rights of flowledger_reader; what the login cannot see is
    said.

    \b
    Example: flowledger health --json
    """
    settings = program_settings(quiet=True)
    url = database_url(settings)
    require_schema(url, settings)
    with command_sessions(url, settings) as pool:
        report = health_report(PostgresHealth(pool), {}, patience)
    if as_json:
        tell_json(report.as_json())
    else:
        for line in lines(report):
            tell_sentence(line)
    if not report.well:
        raise SystemExit(UNHEALTHY)


def lines(report: HealthReport) -> Iterator[str]:
    """The report for people."""
    for finding in report.findings:
        yield sentence_of(finding)
    if report.well:
        yield "nothing needs anybody"
    for unseen in report.unseen:
        yield f"not seen: {unseen}"
