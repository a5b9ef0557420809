"""What a page of tasks names as its next leads to that place, and nothing else is taken for it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.task_query import TaskCursor, cursor_of
from flowledger.engine.errors import InvalidRequest

CURSORS = st.builds(
    TaskCursor,
    st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is given beside
    st.uuids(),
)


@given(CURSORS)
def test_a_place_is_found_again(cursor: TaskCursor) -> None:
    assert cursor_of(str(cursor)) == cursor


@given(CURSORS, st.data())
def test_a_place_that_was_mistyped_is_refused(cursor: TaskCursor, data: st.DataObject) -> None:
    text = str(cursor)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz019-_").filter(lambda one: one != text[place]))

    with pytest.raises(InvalidRequest):
        cursor_of(f"{text[:place]}{letter}{text[place + 1 :]}")


@given(st.text() | st.binary() | st.integers() | st.uuids())
def test_what_is_no_place_is_refused(odd: object) -> None:
    with pytest.raises(InvalidRequest):
        cursor_of(odd)
