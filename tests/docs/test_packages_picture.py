"""The picture of the packages in docs/architecture.md is that of the code."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "draw_packages.py"))


def test_the_picture_is_up_to_date() -> None:
    hint = "run: python docs/draw_packages.py"

    assert SCRIPT["PICTURE"].findall(SCRIPT["PAGE"].read_text("utf-8")) == [SCRIPT["picture"]()], (
        hint
    )


def test_no_package_imports_itself_by_a_detour() -> None:
    graph = SCRIPT["boxes"]()

    assert [name for name in graph if name in SCRIPT["reached"](graph, name)] == []


def test_the_parts_that_people_look_for_are_drawn() -> None:
    parts = {"engine.client", "engine.runtime.coordinator", "engine.store", "handlers"}

    assert parts <= set(SCRIPT["boxes"]())
