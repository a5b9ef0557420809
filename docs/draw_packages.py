"""Draws which package imports which, for docs/architecture.md: `python docs/draw_packages.py`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = re.compile(r"(?<=```mermaid\n)flowchart TD\n.*?(?=```)", re.DOTALL)
FOLDERS = ("engine", "handlers", "projections")
PARTS = ("engine.runtime", "engine.domain", "projections")
"""These are drawn with what is in them, everything else as a whole."""

LEFT_OUT = frozenset(
    {
        "engine",
        *PARTS,
        "engine.errors",
        "engine.display_text",
        "engine.domain.max_duration",
        "engine.domain.deterministic_ids",
    }
)
"""What nearly everything imports, and lists of names that are imported from elsewhere."""

Graph = dict[str, set[str]]


def box_of(module: str) -> str:
    """The box of the picture that a module is in."""
    parts = module.split(".")
    for whole in PARTS:
        if module.startswith(f"{whole}."):
            return ".".join(parts[: whole.count(".") + 2])
    return ".".join(parts[: 2 if parts[0] == "engine" else 1])


def imported(path: Path) -> Iterator[str]:
    """The project's modules that a file imports as it is loaded, `a.b` for `flowledger.a.b`."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("flowledger.")
        ):
            for alias in node.names:
                name = f"{node.module}.{alias.name}".removeprefix("flowledger.")
                is_module = (ROOT / f"{name.replace('.', '/')}.py").exists()
                yield name if is_module else name.rpartition(".")[0]


def boxes() -> Graph:
    """Every box with those that it imports."""
    graph: Graph = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            this = box_of(module.removesuffix(".__init__"))
            if this not in LEFT_OUT:
                graph.setdefault(this, set()).update(map(box_of, imported(path)))
    for name in graph:
        graph[name] -= LEFT_OUT | {name}
    return graph


def reached(graph: Graph, start: str) -> set[str]:
    """Everything that can be reached from a box."""
    found, left = set[str](), [start]
    while left:
        for other in graph[left.pop()] - found:
            found.add(other)
            left.append(other)
    return found


def picture() -> str:
    """The boxes and arrows as Mermaid. An arrow that follows from others is left out."""
    graph = boxes()
    lines = ["flowchart TD"]
    for name, others in sorted(graph.items()):
        implied = set[str]().union(*(reached(graph, other) for other in others))
        lines += [f"    {name} --> {other}" for other in sorted(others - implied)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(PICTURE.sub(lambda _: picture(), PAGE.read_text("utf-8")), "utf-8")
