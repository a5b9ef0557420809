"""seconds_ago: so many seconds before now, however many."""

from __future__ import annotations

import pytest

from support.sql_calls import Connection


@pytest.mark.parametrize(
    ("seconds", "ago"),
    [(0, "0"), (90, "90"), (1e12, "year 1000"), ("infinity", "year 1000"), ("nan", "year 1000")],
)
def test_it_is_so_many_seconds_before_now(
    connection: Connection, seconds: object, ago: str
) -> None:
    ((found,),) = connection.execute(
        "select case when ago < '1001-01-01Z' then 'year 1000'"
        " else round(extract(epoch from flowledger.clock() - ago))::text end"
        " from flowledger.seconds_ago(%s::float8) as ago",
        [seconds],
    )

    assert found == ago
