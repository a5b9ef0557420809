"""Old shapes of events become today's, one version after the other."""

from __future__ import annotations

from typing import Any

import pytest

from flowledger.engine.events.registry import EVENTS, UPCASTS, upcast
from flowledger.engine.events.step import StepCompleted

TOPIC = "step.completed"


def renamed(fields: dict[str, Any]) -> dict[str, Any]:
    fields["result"] = fields.pop("outcome")
    return fields


def wrapped(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "result": [fields["result"]]}


CHAIN = {(TOPIC, 1): renamed, (TOPIC, 2): wrapped}


@pytest.fixture
def _third_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StepCompleted, "current_version", 3)


@pytest.mark.usefixtures("_third_version")
@pytest.mark.parametrize(
    "old",
    [
        pytest.param({"schema_version": 1, "outcome": 7}, id="through both"),
        pytest.param({"outcome": 7}, id="no version is the first"),
        pytest.param({"schema_version": 2, "result": 7}, id="through the last"),
        pytest.param({"schema_version": 3, "result": [7]}, id="through none"),
    ],
)
def test_an_old_shape_goes_through_every_upcast_behind_it(old: dict[str, Any]) -> None:
    today = {"schema_version": 3, "result": [7]}

    assert upcast(TOPIC, old, CHAIN) == today


@pytest.mark.usefixtures("_third_version")
def test_what_was_read_is_left_alone() -> None:
    old = {"schema_version": 1, "outcome": 7}

    upcast(TOPIC, old, CHAIN)

    assert old == {"schema_version": 1, "outcome": 7}


@pytest.mark.usefixtures("_third_version")
@pytest.mark.parametrize("version", [0, 4], ids=["before the first", "from a later release"])
def test_an_unknown_version_is_refused(version: int) -> None:
    with pytest.raises(ValueError, match=f"{version} of step.completed is not known; 3 is"):
        upcast(TOPIC, {"schema_version": version}, CHAIN)


@pytest.mark.usefixtures("_third_version")
def test_a_missing_link_is_refused() -> None:
    with pytest.raises(ValueError, match="schema version 2"):
        upcast(TOPIC, {"schema_version": 1, "outcome": 7}, {(TOPIC, 1): renamed})


def test_every_older_version_of_every_event_can_be_read() -> None:
    needed = {(t, v) for t, kind in EVENTS.items() for v in range(1, kind.current_version)}

    assert set(UPCASTS) == needed
