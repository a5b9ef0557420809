"""Slips in what an engine is opened with, or given to submit: each is told in its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowledger.engine import Engine, Settings
from flowledger.engine.client.engine_arguments import check_settings, check_submitted
from flowledger.engine.errors import InvalidConfiguration, InvalidSubmission
from flowledger.handlers import Workflow

flow = Workflow("shop", "flow", version="1")


@flow.step
def only() -> int:
    return 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"workflows": flow}, r"workflows should be a list, such as \[orders\], got one Workflow"),
        ({"workflows": "shop:flow"}, "workflows should be a list.* got one str"),
        ({"workflows": ["shop:flow"]}, r"workflows\[0\] should be a workflow, got str"),
        ({"workflows": [flow, only]}, r"workflows\[1\] should be a workflow, got function"),
        ({"roles": "worker"}, r'roles should be a list, such as \["worker"\], got one str'),
        ({"projections": 7}, "projections should be a list.* got one int"),
        (
            {"settings": {"worker": {}}},
            r"settings should be what Settings.load\(...\) returns, got dict",
        ),
        ({"dev": "no"}, r"dev should be True or False, got 'no' \(str\)"),
        ({"dev": None}, r"dev should be True or False, got None \(NoneType\)"),
        ({"classifier": "x"}, "classifier should be a function that takes an exception .* got str"),
        ({"classifier": {}}, "classifier should be a function that takes an exception .* got dict"),
    ],
)
def test_nothing_is_opened(given: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        Engine.open(**given)


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("FLOWLEDGER_DATABASE__URL", "nothing of database.url, which environment variable FLOW"),
        ("FLOWLEDGER_HOME", "nothing of embedded.home, which environment variable FLOWLEDGER_HOME"),
    ],
)
def test_no_other_database_than_the_configured_one_is_opened_in_silence(
    variable: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("FLOWLEDGER_HOME", raising=False)
    monkeypatch.setenv(variable, f"postgresql:///x?host={tmp_path}" if "URL" in variable else "x")

    with pytest.raises(InvalidConfiguration, match=f"settings says {told}.*use Settings.load"):
        Engine.open(settings=Settings(worker={"concurrency": 4}))

    check_settings(Settings.load(worker={"concurrency": 4}, embedded={"home": str(tmp_path)}))


@pytest.mark.parametrize(
    ("workflow", "contexts", "told"),
    [
        ("shop:flow", [{}], "workflow should be a workflow, got str"),
        (flow, {"id": 1}, "contexts should be a list of contexts, got one dict"),
        (flow, "text", "contexts should be a list of contexts, got one str"),
        (flow, iter([{}]), "contexts should be a list of contexts, got one list_iterator"),
    ],
)
def test_nothing_is_submitted(workflow: object, contexts: object, told: str) -> None:
    with pytest.raises(InvalidSubmission, match=told):
        check_submitted(workflow, contexts)


@pytest.mark.parametrize("keys", [[], ["one"], ["one", "two", "three"]])
def test_there_is_one_key_for_each_context(keys: list[str]) -> None:
    with pytest.raises(ValueError, match=f"one for each of the 2 contexts, got {len(keys)}"):
        check_submitted(flow, [{}, {}], idempotency_keys=keys)


def test_what_fits_is_taken() -> None:
    check_submitted(flow, [{}, {}], idempotency_keys=None, task_ids=("one", "two"))
