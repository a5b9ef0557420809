"""Settings: which source wins, what is refused and in which words, and that secrets stay so."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from flowledger.engine.cli.commands.config import config
from flowledger.engine.config import RULES, Rule, Settings, load_settings, read_settings
from flowledger.engine.config.sections import WorkerSettings
from flowledger.engine.errors import InvalidConfiguration

FILE = """
worker: {concurrency: 1, claim_size: 1}
coordinator: {batch_size: 1, max_cached_tasks: 1}
environments:
  production:
    worker: {claim_size: 2}
    coordinator: {batch_size: 2, max_cached_tasks: 2}
"""
SECRET = "hunter2"  # noqa: S105
URL = f"postgresql://ada:{SECRET}@db.internal/flow"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("FLOWLEDGER_HOME", "FLOWLEDGER_ENV", "FLOWLEDGER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("FLOWLEDGER_DATABASE__URL", raising=False)
    return tmp_path


def write(text: str, name: str = "flowledger.yaml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def refusal(overrides: Mapping[str, object] | None = None) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        load_settings(overrides)
    return str(caught.value)


def test_without_sources_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_each_source_wins_over_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    write(FILE)
    monkeypatch.setenv("FLOWLEDGER_ENV", "production")
    monkeypatch.setenv("FLOWLEDGER_COORDINATOR__BATCH_SIZE", "3")
    monkeypatch.setenv("FLOWLEDGER_COORDINATOR__MAX_CACHED_TASKS", "3")

    settings = load_settings({"coordinator": {"max_cached_tasks": 4}})

    assert settings.worker.lease_seconds == 15.0
    assert settings.worker.concurrency == 1
    assert settings.worker.claim_size == 2
    assert settings.coordinator.batch_size == 3
    assert settings.coordinator.max_cached_tasks == 4


def test_an_environment_that_is_not_chosen_does_not_count() -> None:
    write(FILE)

    assert load_settings().worker.claim_size == 1


def test_a_named_file_is_read_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    write(FILE)
    write("worker: {concurrency: 7}", "other.yaml")
    monkeypatch.setenv("FLOWLEDGER_CONFIG", "other.yaml")

    settings = load_settings()

    assert (settings.worker.concurrency, settings.worker.claim_size) == (7, 128)


def test_every_value_knows_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    write(FILE)
    monkeypatch.setenv("FLOWLEDGER_ENV", "production")
    monkeypatch.setenv("FLOWLEDGER_WORKER__POLL_SECONDS", "2")

    places = read_settings({"templates": {"max_steps": 5}}).places

    assert places == {
        "worker.concurrency": "flowledger.yaml: worker.concurrency",
        "worker.claim_size": "flowledger.yaml: environments.production.worker.claim_size",
        "coordinator.batch_size": "flowledger.yaml: environments.production.coordinator.batch_size",
        "coordinator.max_cached_tasks": (
            "flowledger.yaml: environments.production.coordinator.max_cached_tasks"
        ),
        "worker.poll_seconds": "environment variable FLOWLEDGER_WORKER__POLL_SECONDS",
        "templates.max_steps": "option templates.max_steps",
    }


def test_an_empty_variable_or_section_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    write("worker:\n")
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", "")

    assert load_settings() == Settings()


def test_a_section_may_be_given_as_its_model() -> None:
    assert Settings.load(worker=WorkerSettings(concurrency=5)).worker.concurrency == 5


def test_the_short_name_of_the_home_is_the_same_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_HOME", "~/data")

    assert load_settings().embedded.home == Path.home() / "data"


def test_settings_cannot_be_changed() -> None:
    settings = Settings()

    with pytest.raises(ValidationError):
        settings.worker.concurrency = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.worker = WorkerSettings()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("wroker: {}", "flowledger.yaml: wroker is not a setting: the nearest one is worker"),
        (
            "worker: {pool_seconds: 3}",
            "flowledger.yaml: worker.pool_seconds is not a setting:"
            " the nearest one is worker.poll_seconds",
        ),
        (
            "pool_max_size: 3",
            "flowledger.yaml: pool_max_size is not a setting:"
            " the nearest one is database.pool_max_size",
        ),
        (
            "environments: {test: {worker: {concurency: 1}}}",
            "flowledger.yaml: environments.test.worker.concurency is not a setting:"
            " the nearest one is worker.concurrency",
        ),
        (
            "worker: 3",
            "flowledger.yaml: worker is a single value or a list: expected keys below it",
        ),
        (
            "- worker",
            "flowledger.yaml is a single value or a list: expected keys below it",
        ),
        (
            "worker: {concurrency: many}",
            "flowledger.yaml: worker.concurrency is 'many': expected a whole number,"
            " at least 1, at most 2147483647",
        ),
        (
            "worker: {concurrency: yes}",
            "flowledger.yaml: worker.concurrency is 'yes': expected a whole number,"
            " at least 1, at most 2147483647",
        ),
        (
            "worker: {lease_seconds: .inf}",
            "flowledger.yaml: worker.lease_seconds is inf: expected a number,"
            " more than 0, at most 2000000",
        ),
        (
            "logging: {level: loud}",
            "flowledger.yaml: logging.level is 'loud':"
            " expected one of debug, info, warning, error, critical",
        ),
        (
            "worker:\n  concurrency: 1\n  concurrency: 2",
            "flowledger.yaml: line 3, column 3: worker: duplicate key 'concurrency'",
        ),
        (
            "worker: [1, 2",
            "flowledger.yaml: line 1, column 14: broken YAML:"
            " expected ',' or ']', but got '<stream end>'",
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_place_and_what_was_expected(
    text: str, sentence: str
) -> None:
    write(text)

    assert refusal() == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\0", "flowledger.yaml: broken YAML: unacceptable character"),
        ("worker: {poll_seconds: !!timestamp 2026-01-01}", "worker.poll_seconds: unknown tag"),
        ("worker: {poll_seconds: 10:30}", "worker.poll_seconds is '10:30': expected a number"),
        ("[" * 5000, "flowledger.yaml: is nested too deeply"),
        (
            "a: &a [x, x]\n"
            + "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefgh")),
            "holds more than 1000000 values",
        ),
    ],
    ids=["null", "a tag", "a time", "nested", "a bomb"],
)
def test_text_that_is_no_setting_is_refused(text: str, sentence: str) -> None:
    write(text)

    assert sentence in refusal()


def test_a_file_that_is_not_utf8_is_refused() -> None:
    Path("flowledger.yaml").write_bytes(b"worker: \xff")

    assert refusal() == "flowledger.yaml is not UTF-8: expected a YAML file"


def test_a_named_file_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_CONFIG", "no.yaml")

    assert refusal() == "no.yaml cannot be read (No such file or directory): expected a YAML file"


def test_an_unknown_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_ENV", "prod")
    without_file = refusal()
    write(FILE)

    assert without_file.startswith("FLOWLEDGER_ENV is 'prod', but there is no flowledger.yaml in ")
    assert refusal() == (
        "FLOWLEDGER_ENV is 'prod', which is not under environments in flowledger.yaml:"
        " the nearest one is production"
    )


def test_a_file_without_pyyaml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    write(FILE)
    monkeypatch.setitem(sys.modules, "yaml", None)

    assert refusal() == ("flowledger.yaml is YAML, which needs PyYAML: install flowledger[yaml]")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "FLOWLEDGER_WORKER__CONCURENCY",
            "3",
            "environment variable FLOWLEDGER_WORKER__CONCURENCY is not a setting:"
            " the nearest one is FLOWLEDGER_WORKER__CONCURRENCY",
        ),
        (
            "FLOWLEDGER_HOEM",
            "/data",
            "environment variable FLOWLEDGER_HOEM is not a setting:"
            " the nearest one is FLOWLEDGER_HOME",
        ),
        (
            "FLOWLEDGER_WORKER__CONCURRENCY",
            "0",
            "environment variable FLOWLEDGER_WORKER__CONCURRENCY is '0':"
            " expected a whole number,"
            " at least 1, at most 2147483647",
        ),
        (
            "FLOWLEDGER_EMBEDDED__FSYNC",
            "maybe",
            "environment variable FLOWLEDGER_EMBEDDED__FSYNC is 'maybe': expected true or false",
        ),
    ],
)
def test_a_bad_variable_is_refused(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    assert refusal() == sentence


def test_two_different_homes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_HOME", "/a")
    monkeypatch.setenv("FLOWLEDGER_EMBEDDED__HOME", "/b")

    assert refusal() == (
        "FLOWLEDGER_HOME and FLOWLEDGER_EMBEDDED__HOME name different folders: set one of them"
    )


def test_settings_that_contradict_each_other_are_refused_with_both_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLOWLEDGER_WORKER__LEASE_MARGIN_SECONDS", "9")

    assert refusal() == (
        "worker.lease_margin_seconds is 9"
        " (environment variable FLOWLEDGER_WORKER__LEASE_MARGIN_SECONDS):"
        " expected less than half of worker.lease_seconds, which is 15.0 (default)"
    )


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_rule_is_kept(rule: Rule) -> None:
    section, key = rule.smaller.split(".")
    bound = Settings().value(rule.larger)
    assert isinstance(bound, int | float)

    assert f"expected {rule.demand} {rule.larger}" in refusal({section: {key: bound + 1}})


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_rule_is_strict_where_it_says_less_than(rule: Rule) -> None:
    bound = 5.0 if rule.part else 10.0

    assert rule.holds(bound, 10.0) is ("at most" in str(rule))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLOWLEDGER_DATABASE__URL", f"mysql://ada:{SECRET}@db/flow"),
        ("FLOWLEDGER_DATABASE__ULR", URL),
        ("FLOWLEDGER_DATABASE", URL),
    ],
)
def test_a_refusal_never_shows_a_password(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidConfiguration) as caught:
        load_settings()

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_pydantics_own_errors_and_representations_hide_the_password() -> None:
    settings = Settings.load(database={"url": URL})

    assert settings.database.url
    assert settings.database.url.get_secret_value() == URL
    assert SECRET not in repr(settings) + str(settings.redacted()) + settings.model_dump_json()
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"database": {"url": f"mysql://{SECRET}"}})
    assert SECRET not in str(caught.value)


def test_show_prints_values_and_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_DATABASE__URL", URL)

    lines = CliRunner().invoke(config, ["show"]).output.splitlines()

    assert "worker.concurrency = 64" in lines
    assert (
        'database.url = "postgresql://ada:***@db.internal/flow"'
        "  (environment variable FLOWLEDGER_DATABASE__URL)"
    ) in lines


def test_show_prints_one_json_object_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWLEDGER_WORKER__CONCURRENCY", "8")

    output = CliRunner().invoke(config, ["show", "--json"]).output
    shown = json.loads(output)

    assert output.count("\n") == 1
    assert shown["worker.claim_size"] == {"value": 128, "source": "default"}
    assert shown["worker.concurrency"] == {
        "value": 8,
        "source": "environment variable FLOWLEDGER_WORKER__CONCURRENCY",
    }


def test_every_key_is_read_by_the_engine() -> None:
    """A key that nothing reads promises what does not happen."""
    root = Path(__file__).parents[2]
    engine = root / "engine"
    code = "".join(
        path.read_text("utf-8")
        for path in (*engine.rglob("*.py"), *(root / "projections").rglob("*.py"))
        if not path.name.startswith("config_") and path != engine / "config.py"
    )
    unread = [
        f"{name}.{key}"
        for name, field in Settings.model_fields.items()
        for key in getattr(field.annotation, "model_fields", {})
        if not all(re.search(rf"\.{word}\b", code) for word in (name, key))
    ]
    assert unread == []
