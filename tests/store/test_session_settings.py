"""What is said on each connection first holds, whatever the environment says."""

from __future__ import annotations

import psycopg
import pytest

from flowledger.engine.store.connection.open_connection import SPEECH, dial


def test_every_setting_is_as_the_engine_says(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=public -c statement_timeout=7")
    with dial(database, psycopg.Connection) as connection:
        rows = connection.execute("select name, setting from pg_settings").fetchall()

    found = {name.lower(): setting for name, setting in rows}
    assert {name: found[name] for name in SPEECH} == dict(SPEECH)
    assert found["client_encoding"] == "UTF8"
