"""What verification says of the versions of a stream, whatever they are."""

from __future__ import annotations

import pytest

from flowledger.engine.domain.verify.log import MOST_MISSING, contiguous


def said(*versions: int) -> list[tuple[str, str]]:
    return [(found.field, found.row) for found in contiguous("step 'a'", versions)]


def test_of_a_whole_stream_nothing() -> None:
    assert said(1, 2, 3) == []


def test_holes_are_named() -> None:
    assert said(1, 3, 5) == [("version 2", "missing"), ("version 4", "missing")]


def test_of_a_version_far_away_the_first_holes_are_named_without_counting_to_it() -> None:
    assert said(1, 2**63 - 1) == [
        (f"version {version}", "missing") for version in range(2, 2 + MOST_MISSING)
    ]


@pytest.mark.parametrize("version", [0, -1, -(2**63)])
def test_a_version_below_the_first_is_named(version: int) -> None:
    assert said(version, 1) == [(f"version {version}", "stored")]
