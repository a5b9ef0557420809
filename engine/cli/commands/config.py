"""`flowledger config`: the settings in effect, and the reference of all settings."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from pydantic import JsonValue

from flowledger.engine.cli.output import tell, tell_document, tell_json
from flowledger.engine.config import DEFAULT, Loaded, read_settings, reference
from flowledger.engine.store.connection.redacted_address import shown_address


@click.group()
def config() -> None:
    """Show the settings and what they mean.

    \b
    Example: FLOWLEDGER_WORKER__CONCURRENCY=8 flowledger config show
    """


@config.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(*, as_json: bool) -> None:
    """Print the values in effect, and where each that is not a default comes from.

    Passwords are shown as ***.

    \b
    Example: flowledger config show --json
    """
    rows = list(_rows(read_settings()))
    if as_json:
        tell_json({path: {"value": value, "source": place} for path, value, place in rows})
    else:
        for row in rows:
            tell(_line(*row))


@config.command("reference")
def print_reference() -> None:
    """Print every setting with its variable, type, default and meaning, as Markdown.

    \b
    Example: flowledger config reference > configuration.md
    """
    tell_document(reference())


def _rows(loaded: Loaded) -> Iterator[tuple[str, JsonValue, str]]:
    """Each setting's path, value and place."""
    url = loaded.settings.database.url
    for section, body in loaded.settings.redacted().items():
        for key, value in body.items():
            path = f"{section}.{key}"
            if path == "database.url" and url is not None:
                value = shown_address(url.get_secret_value())  # noqa: PLW2901
            yield path, value, loaded.places.get(path, DEFAULT)


def _line(path: str, value: JsonValue, place: str) -> str:
    line = f"{path} = {json.dumps(value, ensure_ascii=False)}"
    return line if place == DEFAULT else f"{line}  ({place})"
