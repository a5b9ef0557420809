"""Which projections a process has: given, configured, installed, and those of the engine."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from flowledger.engine.config import Settings
from flowledger.engine.errors import InvalidProjection
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.wiring import ENTRY_POINTS, registered
from support.engines import EngineHarness
from support.spend_projection import Spend, charged, record, rows, spending

MODEL = """
from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on


class Charges(Projection):
    name, version = "{name}", 1
    tables = "create table {{schema}}.spend (customer text, cents bigint)"

    @on(StepCompleted)
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        row = (event.result["customer"], event.result["cents"])
        cursor.execute("insert into spend values (%s, %s)", row)
"""


class Installed:
    """A package on the path, with a projection and an entry point for it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        patch.syspath_prepend(folder)
        importlib.invalidate_caches()

    def write(self, module: str, name: str) -> None:
        (self.folder / f"{module}.py").write_text(MODEL.format(name=name), "utf-8")

    def point(self, place: str) -> None:
        info = self.folder / "shop_models-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-models\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\ncharges = {place}\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(tmp_path, monkeypatch)


def settings(*modules: str, builtin: bool = False) -> Settings:
    return Settings.load(projections={"classes": modules, "builtin": builtin})


def test_those_of_installed_packages_run_without_being_named(
    harness: EngineHarness, installed: Installed
) -> None:
    installed.write("models_of_a_package", "charges")
    installed.point("models_of_a_package:Charges")
    record(harness, [charged("ann", 5)])

    engine = harness.open(roles=("projector",))
    engine.projections.wait_for("charges", timeout=30)

    assert rows(harness, "charges") == {"ann": 5}


def test_those_that_are_given_configured_and_the_engines_own_are_there_once(
    installed: Installed,
) -> None:
    installed.write("models_by_configuration", "configured")

    found = registered([Spend, Spend()], settings("models_by_configuration:Charges", builtin=True))

    assert [one.name for one in found] == ["money", "configured", *(one.name for one in BUILTIN)]


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidProjection, match="two projections are called 'money'"):
        registered([Spend, spending()], settings())


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("nowhere_at_all:Charges", "the entry point 'charges' of flowledger.projections cannot be"),
        ("json:Charges", "the entry point 'charges' of flowledger.projections cannot be loaded"),
        ("json:dumps", "is no projection with a name"),
    ],
)
def test_an_entry_point_that_is_no_projection_is_told(
    installed: Installed, place: str, sentence: str
) -> None:
    installed.point(place)

    with pytest.raises(InvalidProjection, match=sentence):
        registered([], settings())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("undefined", r"'broken_models:Charges' cannot be imported \(NameError: name 'undefined'"),
        ("def", r"'broken_models:Charges' cannot be imported \(SyntaxError: "),
        ("class Charges:\n    def __init__(self, bank): ...", "cannot be made: TypeError: "),
    ],
)
def test_a_module_that_is_broken_is_told_in_a_sentence(
    installed: Installed, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    (installed.folder / "broken_models.py").write_text(text, "utf-8")
    monkeypatch.delitem(sys.modules, "broken_models", raising=False)

    with pytest.raises(InvalidProjection, match=sentence):
        registered([], settings("broken_models:Charges"))


def test_a_process_needs_no_more_connections_for_more_projections(harness: EngineHarness) -> None:
    mine = harness.value(CONNECTIONS)
    many = [spending(name=f"money_{n}") for n in range(12)]
    record(harness, [charged("ann")])

    engine = harness.open(roles=("projector",), projections=many)
    for projection in many:
        engine.projections.wait_for(projection.name, timeout=30)

    pool = engine.settings.database.pool_max_size
    assert harness.value(CONNECTIONS) - mine <= pool + LISTENS + APPLIES


CONNECTIONS = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and backend_type = 'client backend'"
)
LISTENS, APPLIES = 1, 1
