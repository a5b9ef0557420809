"""Connections are made in one place, so that what is said on each first is said on all."""

from __future__ import annotations

import ast
from pathlib import Path

import psycopg
import pytest

from flowledger.engine.store.connection.dial import SPEECH, dial

ROOT = Path(__file__).parents[2]
PLACE = Path("engine/store/connection/dial.py")
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


def test_every_setting_is_as_the_engine_says(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=public -c statement_timeout=7")
    with dial(database, psycopg.Connection) as connection:
        rows = connection.execute("select name, setting from pg_settings").fetchall()

    found = {name.lower(): setting for name, setting in rows}
    assert {name: found[name] for name in SPEECH} == dict(SPEECH)
    assert found["client_encoding"] == "UTF8"
