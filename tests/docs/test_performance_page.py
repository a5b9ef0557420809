"""The tables and charts of docs/performance.md are those that its script makes of the figures."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "docs" / "draw_performance.py"))
MEASURES = runpy.run_path(str(ROOT / "benchmarks" / "performance.py"))
PAGE = ROOT / "docs" / "performance.md"
LINES = SCRIPT["measured"]()
PICTURES = SCRIPT["pictures"](LINES)
HINT = "run: python docs/draw_performance.py"

OURS = {
    "benchmark": "latency",
    "engine": "flowledger",
    "processes": "apart",
    "p50_ms": 1.5,
    "p95_ms": 2.25,
    "task_p50_ms": 12.0,
    "task_p95_ms": 20.0,
    "runs": [1.25, 1.5, 1.75],
}
PEER = {**OURS, "engine": "restate", "processes": "one", "p50_ms": 1.0, "runs": [1.0]}


def test_the_tables_are_those_of_the_kept_figures() -> None:
    text = PAGE.read_text("utf-8")

    assert SCRIPT["page"](text, LINES) == text, HINT
    assert {name for name, _ in SCRIPT["SECTION"].findall(text)} == set(SCRIPT["TABLES"])


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_chart_is_that_of_the_kept_figures(path: Path) -> None:
    assert path.read_text("utf-8") == PICTURES[path], HINT


def test_no_chart_is_kept_that_nobody_draws_and_the_page_shows_each() -> None:
    text = PAGE.read_text("utf-8")

    assert set((ROOT / "docs" / "performance").glob("*.svg")) == set(PICTURES)
    shown = re.findall(r'performance/(.+?\.svg)"', text)
    assert sorted(shown) == sorted(path.name for path in PICTURES)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_no_bar_or_figure_of_a_chart_leaves_it(path: Path) -> None:
    """By eight units a letter at most, which is wider than what browsers take."""
    drawing = ElementTree.fromstring(PICTURES[path])  # noqa: S314 - our own
    width = float(drawing.attrib["width"])
    space = "{http://www.w3.org/2000/svg}"
    for bar in drawing.iter(f"{space}rect"):
        assert float(bar.get("x", "0")) + float(bar.attrib["width"]) <= width
    for told in drawing.iter(f"{space}text"):
        x, long = float(told.attrib["x"]), 8 * len(told.text or "")
        end = told.get("text-anchor") == "end"
        assert x - long >= 0 if end else x + long <= width, told.text


def test_a_row_has_the_figures_of_its_line_and_the_quickest_is_first() -> None:
    rows = SCRIPT["latency_table"]({"latency": [OURS, PEER]}).splitlines()

    apart = "flowledger, roles apart"
    assert rows[2:] == [
        "| Restate | 1.00 | 2.25 | 1.00\N{EN DASH}1.00 | 12.0 | 20.0 |",
        f"| {apart} | 1.50 | 2.25 | 1.25\N{EN DASH}1.75 | 12.0 | 20.0 |",
    ]


def test_a_shape_that_an_engine_has_not_is_a_dash() -> None:
    line: dict[str, Any] = {"engine": "pgqueuer", "processes": "2", "runs": [900, 12345]}
    lines = {"throughput": [{**line, "shape": "single", "steps_per_s": 9876.5}]}

    row = SCRIPT["throughput_table"](lines).splitlines()[-1]

    figures = "**9\u202f876** (900\N{EN DASH}12\u202f345)"
    assert row == f"| PgQueuer | {figures} | \N{EN DASH} | \N{EN DASH} | \N{EN DASH} |"


def test_figures_of_a_busy_machine_are_not_to_be_believed() -> None:
    calm, loaded = ({"cores": 2, "load_average": load} for load in (2.0, 2.01))

    assert SCRIPT["busy"]([calm]) == []
    (told,) = SCRIPT["busy"]([calm, loaded])
    assert "something else ran meanwhile" in told


def test_the_commands_of_the_page_are_those_that_measure_it() -> None:
    commands = MEASURES["commands"](MEASURES["options"]().parse_args([]))

    printed = [f"benchmarks/{name}.py {' '.join(given)}" for name, given in commands.items()]
    assert re.findall(r"^\.venv/bin/python (.+)$", PAGE.read_text("utf-8"), re.M) == printed


def test_who_was_left_out_is_told() -> None:
    why = "dbos is left out: dbos is not installed (make bench-setup)"
    (kept,) = MEASURES["left_out"](f"something else\n{why}\n")

    assert json.loads(kept) == {"benchmark": "left_out", "why": why}

    assert SCRIPT["left_out"]({"left_out": [{"why": why}, {"why": why}]}) == f"- {why}\n"
    assert SCRIPT["left_out"]({}) == "Nobody.\n"
