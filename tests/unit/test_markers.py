"""Tests that need no database can be run without one: `pytest -m "not postgres"`."""

from __future__ import annotations

import pytest


def test_nothing_among_the_unit_tests_needs_a_database(request: pytest.FixtureRequest) -> None:
    found = [
        item.nodeid
        for item in request.session.items
        if item.path.parent.name == "unit" and item.get_closest_marker("postgres")
    ]

    assert found == []


def test_a_test_that_asks_for_a_database_is_marked(request: pytest.FixtureRequest) -> None:
    marked = {
        item.nodeid
        for item in request.session.items
        if "server" in getattr(item, "fixturenames", ())
    }

    assert marked <= {
        item.nodeid for item in request.session.items if item.get_closest_marker("postgres")
    }
