"""What is given as configuration has bounds, and is refused beyond them: numbers, texts, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowledger.engine.config import SECTIONS, load_settings
from flowledger.engine.config.reference_page import expectation
from flowledger.engine.config.setting_value_types import GREATEST_COUNT, LONGEST_SECONDS
from flowledger.engine.errors import InvalidConfiguration

NUMBERS = [
    f"{name}.{key}"
    for name, section in SECTIONS.items()
    for key, field in section.model_fields.items()
    if "number" in expectation(field) and "=" not in expectation(field)
]
TEXTS = ["1e12", "1e300", "999999999999", "inf", "9" * 400]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_numbers_are_found() -> None:
    assert {"worker.lease_seconds", "cli.refresh_per_second", "coordinator.shards"} < set(NUMBERS)
    assert len(NUMBERS) > 50


@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_that_nobody_can_mean_is_refused(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "FLOWLEDGER_" + path.replace(".", "__").upper()
    for text in TEXTS:
        monkeypatch.setenv(variable, text)
        with pytest.raises(InvalidConfiguration, match=f"{variable} .*expected .* at most "):
            load_settings()


def test_a_namespace_cannot_be_given_more_than_the_database_counts() -> None:
    with pytest.raises(InvalidConfiguration, match=r"limits\.namespace_concurrency"):
        load_settings({"limits": {"namespace_concurrency": {"a": GREATEST_COUNT + 1}}})


def test_the_longest_time_is_what_postgres_takes_as_a_timeout() -> None:
    assert LONGEST_SECONDS * 1000 < 2**31


def test_a_file_that_is_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "long.yaml").write_text("#" * 1_000_001)
    monkeypatch.setenv("FLOWLEDGER_CONFIG", str(tmp_path / "long.yaml"))

    expected = r"long\.yaml cannot be read \(it has more than 1_000_000 characters\): expected a"
    with pytest.raises(InvalidConfiguration, match=expected):
        load_settings()


def test_a_variable_that_is_not_utf8_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__APPLICATION_NAME", "\udcff\udcfe")

    with pytest.raises(InvalidConfiguration, match="which is not UTF-8: expected a text, at"):
        load_settings()
