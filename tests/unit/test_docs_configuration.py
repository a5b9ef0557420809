"""The configuration page is what the models say."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from flowledger.engine.cli.commands.config import config
from flowledger.engine.config import KNOWN, SECTIONS, reference
from flowledger.engine.config.sources import variable

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_the_reference() -> None:
    hint = "run: .venv/bin/flowledger config reference > docs/configuration.md"

    assert PAGE.read_text("utf-8") == reference(), hint


def test_the_command_prints_the_page() -> None:
    printed = CliRunner().invoke(config, ["reference"])

    assert printed.output == reference()


def test_the_page_names_every_setting_and_its_variable() -> None:
    page = PAGE.read_text("utf-8")
    paths = [f"{section}.{key}" for section, keys in KNOWN.items() for key in keys]

    assert [path for path in paths if f"| `{path}` | `{variable(path)}` |" not in page] == []


def test_every_setting_has_a_meaning_that_ends_as_a_sentence() -> None:
    meanings = {
        f"{name}.{key}": field.description or ""
        for name, section in SECTIONS.items()
        for key, field in section.model_fields.items()
    }

    assert [path for path, meaning in meanings.items() if not meaning.endswith(".")] == []
