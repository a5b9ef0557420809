from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from flowledger.engine.store.connection.redacted_address import shown_address

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
