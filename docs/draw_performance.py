"""Writes the tables and charts of docs/performance.md from the figures in docs/performance/*.jsonl.

`python docs/draw_performance.py`; `make performance` measures anew first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

DOCS = Path(__file__).parent
PAGE = DOCS / "performance.md"
DATA = DOCS / "performance"
SECTION = re.compile(r"(?<=<!-- made: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

OURS = "flowledger"
NAMES = MappingProxyType(
    {
        "flowledger": "flowledger",
        "absurd": "Absurd",
        "dbos": "DBOS",
        "pgqueuer": "PgQueuer",
        "restate": "Restate",
        "raw": "raw limit",
        "reference": "`select 1` once a second",
    }
)
SHAPES = MappingProxyType(
    {
        "single": "single steps",
        "linear": "chains of 8",
        "diamond": "diamonds",
        "fanout": "1 → 50 → 1",
    }
)
DASH = "\N{EN DASH}"
Line = dict[str, Any]
Lines = Mapping[str, Sequence[Line]]


def measured() -> dict[str, list[Line]]:
    """The lines that are kept, by benchmark."""
    found: dict[str, list[Line]] = {}
    for path in sorted(DATA.glob("*.jsonl")):
        for row in path.read_text("utf-8").splitlines():
            line = json.loads(row)
            found.setdefault(line["benchmark"], []).append(line)
    return found


def number(value: float | None, digits: int = 0) -> str:
    """With a narrow space at the thousands; a dash where there is none."""
    return DASH if value is None else f"{value:,.{digits}f}".replace(",", "\u202f")


def spread(values: Sequence[float], digits: int = 0) -> str:
    """From the least to the most."""
    return f"{number(min(values), digits)}{DASH}{number(max(values), digits)}"


def contestant(line: Line) -> str:
    """Who it is, with how its processes share the roles where it is ours."""
    name, processes = NAMES[line["engine"]], line["processes"]
    if line["engine"] != OURS:
        return name
    if processes in {"one", "1 with all roles"}:
        return f"{name}, one process"
    return f"{name}, roles {'together' if processes.endswith('all roles') else 'apart'}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, with figures on the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latency_table(lines: Lines) -> str:
    """A row for each contestant, the quickest first."""
    rows = [
        [
            contestant(line),
            number(line["p50_ms"], 2),
            number(line["p95_ms"], 2),
            spread(line["runs"], 2),
            number(line["task_p50_ms"], 1),
            number(line["task_p95_ms"], 1),
        ]
        for line in sorted(lines.get("latency", ()), key=lambda line: line["p50_ms"])
    ]
    head = ["", "ms a step", "95th percentile", "runs", "ms a task", "95th percentile"]
    return table(head, rows)


def by_shape(lines: Lines, show: Callable[[Line], str]) -> list[list[str]]:
    """A row for each contestant, a cell for each shape."""
    cells: dict[str, dict[str, str]] = {}
    for line in lines.get("throughput", ()):
        cells.setdefault(contestant(line), {})[line["shape"]] = show(line)
    return [[name, *(row.get(shape, DASH) for shape in SHAPES)] for name, row in cells.items()]


def throughput_table(lines: Lines) -> str:
    """Steps a second, with the slowest and the fastest run."""

    def show(line: Line) -> str:
        return f"**{number(line['steps_per_s'])}** ({spread(line['runs'])})"

    return table(["steps a second", *SHAPES.values()], by_shape(lines, show))


def cost_table(lines: Lines) -> str:
    """Commits and bytes of the write-ahead log."""

    def show(line: Line) -> str:
        if line["commits_per_step"] is None:
            return DASH
        return f"{number(line['commits_per_step'], 2)} · {number(line['wal_bytes_per_step'])}"

    return table(["commits · WAL bytes a step", *SHAPES.values()], by_shape(lines, show))


def idle_table(lines: Lines) -> str:
    """A row for each set of roles and each peer."""
    roles = {"all": "all roles", "all_twice": "two processes with all roles"}
    rows = [
        [
            f"{NAMES[line['engine']]}, {roles.get(line['roles'], line['roles'])}",
            number(line["commits_per_s"], 1),
            number(line["statements_per_s"], 1),
        ]
        for line in lines.get("idle", ())
    ]
    return table(["", "commits a second", "statements a second"], rows)


def burst_table(lines: Lines) -> str:
    """When a tenth, half and nine tenths of the tasks had ended."""
    rows = [
        [
            f"{number(line['tasks'])} tasks of the shape {line['shape']}",
            *(number(share, 2) for share in line["ended_at_share_of_run"].values()),
            spread(line["runs"], 2),
        ]
        for line in lines.get("burst", ())
    ]
    return table(["share of the run", "a tenth", "half", "nine tenths", "runs (half)"], rows)


def machine(lines: Lines) -> str:
    """Where the figures come from, and when."""
    every = sorted(
        (line for name in lines for line in lines[name] if "versions" in line),
        key=lambda line: str(line["at"]),
    )
    if not every:
        return ""
    last = every[-1]
    versions = {name: told for line in every for name, told in line["versions"].items() if told}
    memory = round(int(last["memory"].split()[0]) / 1024**2)
    parts = [
        f"- {last['cores']} cores of {last['processor']}, {memory} GiB of memory",
        f"- fsync {last['fsync']}, synchronous_commit {last['synchronous_commit']}",
        "- " + ", ".join(f"{name} {told}" for name, told in sorted(versions.items())),
        f"- begun between {every[0]['at']} and {last['at']}; load average at each begin "
        + spread([line["load_average"] for line in every], 2),
    ]
    return "\n".join([*parts, *busy(every)]) + "\n"


def busy(lines: Sequence[Line]) -> list[str]:
    """What is to be said where the machine had more to do than it has cores, as one began."""
    if max(line["load_average"] for line in lines) <= max(line["cores"] for line in lines):
        return []
    return [
        "- **something else ran meanwhile**: these figures tell the order of magnitude, no more"
    ]


def left_out(lines: Lines) -> str:
    """Who could not be measured, in the benchmarks' own words."""
    told = dict.fromkeys(line["why"] for line in lines.get("left_out", ()))
    return "".join(f"- {why}\n" for why in told) or "Nobody.\n"


TABLES: Mapping[str, Callable[[Lines], str]] = MappingProxyType(
    {
        "latency": latency_table,
        "throughput": throughput_table,
        "costs": cost_table,
        "idle": idle_table,
        "burst": burst_table,
        "machine": machine,
        "left_out": left_out,
    }
)


def page(text: str, lines: Lines) -> str:
    """The page with each of its sections made anew."""
    return SECTION.sub(lambda found: f"{found[1]}{found[2]}{TABLES[found[1]](lines)}", text)


# ---- Charts.


@dataclass(frozen=True, slots=True)
class Colours:
    """Of a chart, on a page that is light or dark."""

    ground: str
    text: str
    quiet: str
    ours: str
    others: str


COLOURS = MappingProxyType(
    {
        "light": Colours("#ffffff", "#1f2328", "#59636e", "#1f6feb", "#a8b3bf"),
        "dark": Colours("#0d1117", "#e6edf3", "#9198a1", "#4c94f7", "#545d68"),
    }
)
WIDTH, LABELS, MARGIN, ROW, BAR = 760, 224, 16, 26, 16
FIGURE = 74
"""Room for a figure at the end of the longest line."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with a thin line from one value to another, and a figure beside."""

    name: str
    value: float
    line: tuple[float, float]
    figure: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars on one scale."""

    title: str
    bars: Sequence[Bar]


def text(
    place: tuple[float, float], told: str, fill: str, *, size: int = 13, more: str = ""
) -> str:
    """One line of text, its middle at that height."""
    x, y = place
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size}"{more}'
        f' dominant-baseline="central">{escape(told)}</text>'
    )


def drawn_bar(bar: Bar, top: float, scale: float, colours: Colours) -> str:
    """A row of a panel."""
    left, middle = LABELS + MARGIN, top + ROW / 2
    low, high = (left + value * scale for value in bar.line)
    fill = colours.ours if bar.is_ours else colours.others
    weight = ' font-weight="600"' if bar.is_ours else ""
    end = max(left + bar.value * scale, high)
    return "\n".join(
        [
            text((LABELS, middle), bar.name, colours.text, more=f' text-anchor="end"{weight}'),
            f'<rect x="{left}" y="{top + (ROW - BAR) / 2:g}" width="{bar.value * scale:.1f}"'
            f' height="{BAR}" rx="2" fill="{fill}"/>',
            f'<path d="M{low:.1f} {middle:g}H{high:.1f}M{low:.1f} {middle - 4:g}v8'
            f'M{high:.1f} {middle - 4:g}v8" stroke="{colours.text}" stroke-width="1.2"/>',
            text((round(end + 8, 1), middle), bar.figure, colours.text, more=weight),
        ]
    )


def drawn_panel(panel: Panel, top: float, colours: Colours) -> str:
    """A panel's title and its rows."""
    longest = max(max(bar.value, *bar.line) for bar in panel.bars)
    scale = (WIDTH - LABELS - 2 * MARGIN - FIGURE) / longest
    rows = [text((MARGIN, top + ROW / 2), panel.title, colours.text, more=' font-weight="600"')]
    for place, bar in enumerate(panel.bars, start=1):
        rows.append(drawn_bar(bar, top + place * ROW, scale, colours))
    return "\n".join(rows)


def chart(title: str, meaning: str, panels: Sequence[Panel], colours: Colours) -> str:
    """An SVG of panels, one below the other."""
    top, parts = 64.0, []
    for panel in (one for one in panels if one.bars):
        parts.append(drawn_panel(panel, top, colours))
        top += ROW * (len(panel.bars) + 1) + MARGIN
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top:g}"'
        f' viewBox="0 0 {WIDTH} {top:g}" role="img" aria-label="{escape(title)}"'
        ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{top:g}" fill="{colours.ground}"/>',
        text((MARGIN, 24), title, colours.text, size=17, more=' font-weight="600"'),
        text((MARGIN, 46), meaning, colours.quiet),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def latency_chart(lines: Lines, colours: Colours) -> str:
    """Milliseconds a step."""
    bars = [
        Bar(
            contestant(line),
            line["p50_ms"],
            (line["p50_ms"], line["p95_ms"]),
            f"{number(line['p50_ms'], 2)} ms",
            line["engine"] == OURS,
        )
        for line in sorted(lines.get("latency", ()), key=lambda line: line["p50_ms"])
    ]
    meaning = (
        "Less is better. Bar: median, start to start of a chain; line: to the 95th percentile."
    )
    panels = [Panel("chain of 8, one task at a time", bars)]
    return chart("Milliseconds a step, on an idle engine", meaning, panels, colours)


def throughput_chart(lines: Lines, colours: Colours) -> str:
    """Steps a second, a panel for each shape, without the raw limit."""

    def bars(shape: str) -> list[Bar]:
        found = [
            Bar(
                contestant(line),
                line["steps_per_s"],
                (min(line["runs"]), max(line["runs"])),
                number(line["steps_per_s"]),
                line["engine"] == OURS,
            )
            for line in lines.get("throughput", ())
            if line["shape"] == shape and line["engine"] != "raw"
        ]
        return sorted(found, key=lambda bar: -bar.value)

    meaning = "More is better; each shape has its scale. Bar: median; line: slowest to fastest run."
    panels = [Panel(SHAPES[shape], bars(shape)) for shape in SHAPES]
    return chart("Steps a second", meaning, panels, colours)


CHARTS: Mapping[str, Callable[[Lines, Colours], str]] = MappingProxyType(
    {"latency": latency_chart, "throughput": throughput_chart}
)


def pictures(lines: Lines) -> dict[Path, str]:
    """Each chart, light and dark, and where it is kept."""
    return {
        DATA / f"{name}-{variant}.svg": draw(lines, colours)
        for name, draw in CHARTS.items()
        for variant, colours in COLOURS.items()
    }


def main() -> None:
    """The page and its pictures."""
    lines = measured()
    PAGE.write_text(page(PAGE.read_text("utf-8"), lines), "utf-8")
    for path, picture in pictures(lines).items():
        path.write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
