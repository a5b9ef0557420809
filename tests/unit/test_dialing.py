"""Connections are made in one place, so that what is said on each first is said on all."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = Path("engine/store/connection/open_connection.py")
MAKERS = frozenset({"psycopg", "Connection", "AsyncConnection"})


def makes_connections(file: Path) -> bool:
    """Whether it calls `connect` of psycopg, or of a class of connections."""
    called = (
        node.func
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    )
    return any(
        function.attr == "connect" and ast.unparse(function.value).endswith(tuple(MAKERS))
        for function in called
    )


def test_connections_are_made_in_one_place() -> None:
    files = [
        file
        for part in ("engine", "handlers", "projections")
        for file in ROOT.glob(f"{part}/**/*.py")
    ]

    assert len(files) > 100
    assert [file.relative_to(ROOT) for file in files if makes_connections(file)] == [PLACE]
