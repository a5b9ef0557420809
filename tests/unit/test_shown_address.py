from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from flowledger.engine.store.connection.redacted_address import shown_address, unknown_parameter

HIDDEN_TEXT = "s3cr3t"
FORMS = [
    f"host=h password='{HIDDEN_TEXT} b4d'",
    f"host=h password='{HIDDEN_TEXT}\\' b4d'",
    f"host=h password={HIDDEN_TEXT}\\ b4d",
    f"host=h password = '{HIDDEN_TEXT} b4d",
    f"host=h password={HIDDEN_TEXT}'b4d",
    f"host=h pass word='{HIDDEN_TEXT} b4d'",
    f"host=h sslpassword='{HIDDEN_TEXT} b4d'",
    f"postgresql://ada:{HIDDEN_TEXT} b4d@h/x",
    f'postgresql://ada:{HIDDEN_TEXT}"b4d@h/x',
    f"postgresql://ada:{HIDDEN_TEXT}'b4d@h/x",
    f"postgres://ada:{HIDDEN_TEXT}/b4d@h/x",
    f"postgresql://h/x?password={HIDDEN_TEXT}'b4d",
    f"postgresql://h/x?password={HIDDEN_TEXT}%20b4d",
    f"{HIDDEN_TEXT} b4d",
]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_a_password_is_shown_whatever_the_form(form: str) -> None:
    shown = shown_address(form)

    assert HIDDEN_TEXT not in shown
    assert "b4d" not in shown


def test_the_rest_of_an_address_is_shown() -> None:
    shown = shown_address("host=db port=5433 user=ada password='a b' dbname=flow")

    assert shown == "postgresql://ada:***@db:5433/flow"


def test_an_address_without_a_secret_stays() -> None:
    assert shown_address("postgresql:///flow?host=/run/pg") == "postgresql:///flow?host=/run/pg"


@given(TEXT)
def test_any_password_is_hidden(rest: str) -> None:
    assert HIDDEN_TEXT not in shown_address(
        make_conninfo("host=h dbname=d", password=HIDDEN_TEXT + rest)
    )


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("postgresql://ada:pw@h/x?autocommit=1", "autocommit"),
        ("postgresql://h/x?sslmode=require&autocommit=1", "autocommit"),
        ("postgresql://h/x?sslmode=require&ssl=true", None),
        ("postgresql://h/x?s3cr3t", None),
        ("postgresql://ada:b4?d=1@h/x", None),
        ("postgresql://h/x?password=s3cr3t&b4d=1", None),
        ("postgresql://[::1/x?autocommit=1", None),
        ("host=h autocommit=1", None),
        ("s3cr3t?b4d=1", None),
        ("host=h password=b4?d=1", None),
    ],
)
def test_an_unknown_parameter_is_named_where_it_is_no_part_of_a_password(
    address: str, parameter: str | None
) -> None:
    assert unknown_parameter(address) == parameter


@given(TEXT)
def test_no_part_of_a_password_is_taken_for_a_parameter(password: str) -> None:
    assert unknown_parameter(f"postgresql://a:{password}@h/x?auto=1") in {None, "auto"}
    assert unknown_parameter(f"postgresql://h/x?password={password}&auto=1") is None
