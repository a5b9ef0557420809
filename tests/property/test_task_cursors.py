"""What a page of tasks names as its next leads to that place, and nothing else is taken for it."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowledger.engine.domain.task_query import cursor_to, place_of
from flowledger.engine.errors import InvalidRequest


@given(st.uuids())
def test_a_place_is_found_again(task: UUID) -> None:
    assert place_of(cursor_to(task)) == task


@given(st.uuids(), st.data())
def test_a_place_that_was_mistyped_is_refused(task: UUID, data: st.DataObject) -> None:
    text = cursor_to(task)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz019-_").filter(lambda one: one != text[place]))

    with pytest.raises(InvalidRequest):
        place_of(f"{text[:place]}{letter}{text[place + 1 :]}")


@given(st.text() | st.binary() | st.integers() | st.uuids())
def test_what_is_no_place_is_refused(odd: object) -> None:
    with pytest.raises(InvalidRequest):
        place_of(odd)
