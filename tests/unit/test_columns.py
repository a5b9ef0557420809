"""Rows of a list fit a terminal, and are whole for a program."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from flowledger.engine.cli.columns import Column, rows_that_fit, wrapped

COLUMNS = (Column("name"), Column("state"), Column("hash", second=True), Column("n", second=True))
LONG = "0123456789" * 8


def shown(rows: list[tuple[str, ...]], width: int | None) -> list[str]:
    return [line.plain for line in rows_that_fit(COLUMNS, rows, width)]


def test_for_a_program_rows_are_whole() -> None:
    assert shown([("a", "well", LONG, "7")], None) == [
        f"name  state  {'hash':80}  n",
        f"a     well   {LONG}  7",
    ]


def test_what_is_too_wide_loses_its_middle() -> None:
    assert shown([("a", "well", LONG, "7")], 40) == [
        "name  state  hash                      n",
        "a     well   012345678901…90123456789  7",
    ]


def test_where_that_is_not_enough_a_row_has_two_lines() -> None:
    name = "a" * 30

    assert shown([(name, "well", LONG, "7")], 40) == [
        f"{'name':30}  state",
        f"    {'hash':33}  n",
        f"{name}  well",
        "    0123456789012345…4567890123456789  7",
    ]


def test_heads_that_are_empty_are_left_out() -> None:
    (line,) = rows_that_fit((Column(), Column(second=True)), [("a", "b")], 80)

    assert line.plain == "a  b"


@given(
    st.lists(
        st.tuples(st.text(max_size=20), st.sampled_from(["well", "ill"]), st.text(), st.text()),
        max_size=5,
    ),
    st.integers(40, 120),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    names = [name for name, *_ in rows]

    lines = shown(rows, width)

    if all(cell_len(ascii(name)) <= 30 for name in names):
        assert max(map(cell_len, lines), default=0) <= width


def test_a_sentence_is_wrapped_between_words_and_no_word_is_cut() -> None:
    assert wrapped("it is parked", None) == ["it is parked"]
    assert wrapped("it is parked", 80) == ["it is parked"]
    assert wrapped(f"it is {LONG} parked", 20) == ["it is", f"    {LONG}", "    parked"]
