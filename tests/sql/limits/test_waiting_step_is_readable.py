"""waiting_step_is_readable: whether a row has the form that who admits steps reads."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import orjson
import pytest

from flowledger.engine.domain.deterministic_ids import uuid7
from support.limits import waiting_row
from support.sql_calls import Connection

QUERY = "select flowledger.waiting_step_is_readable(%s, (%s)::text::jsonb)"
TEMPLATE = str(uuid7(5, 5))
PLAIN: dict[str, Any] = {"template_id": TEMPLATE, "system": None, "slots": [], "rates": []}
TEMPLATE_IDS = [None, 1, "x", TEMPLATE + "0", [TEMPLATE]]
LISTS = [None, "x", {}, [1], [[]], [["k"]], [[1, 1]], [["k", "1"]], [["k", 0]], [["k", [1]]]]
RATES = [*LISTS, [["k", 1]], [["k", 1, 0]], [["k", 0, 1]], [["k", 10**16, 1]], [["k", 1, 2**31]]]
OTHERS = [
    *({**PLAIN, "template_id": value} for value in TEMPLATE_IDS),
    *({**PLAIN, "system": value} for value in (1, [], {})),
    *({**PLAIN, "slots": value} for value in LISTS),
    *({**PLAIN, "rates": value} for value in RATES),
    *({name: PLAIN[name] for name in PLAIN if name != gone} for gone in PLAIN),
    *([], {}, None, 1, "x"),
]


def is_readable(connection: Connection, sort_key: float, demand: str) -> bool:
    ((found,),) = connection.execute(QUERY.encode(), (sort_key, demand)).fetchall()
    return bool(found)


@pytest.mark.parametrize(
    "demand",
    [
        waiting_row(uuid7(5, 5))["demand"],
        PLAIN,
        {**PLAIN, "system": "s", "slots": [["k", 1], ["l", 2**31 - 1]]},
        {**PLAIN, "rates": [["k", 1, 1], ["l", 10 * 366 * 86_400_000_000, 2**31 - 1]]},
    ],
)
def test_a_demand_is(connection: Connection, demand: Any) -> None:
    text = orjson.dumps(demand, default=str).decode()

    assert is_readable(connection, 1.5, text)


@pytest.mark.parametrize("demand", OTHERS, ids=str)
def test_what_is_none_is_not(connection: Connection, demand: Any) -> None:
    assert not is_readable(connection, 1.5, orjson.dumps(demand).decode())


@pytest.mark.parametrize("number", ["1e5000", "-1e5000", "[" * 6000 + "]" * 6000])
def test_a_number_or_a_depth_that_cannot_be_is_not(connection: Connection, number: str) -> None:
    text = orjson.dumps({**PLAIN, "slots": [["k", 4711]]}).decode().replace("4711", number)

    assert not is_readable(connection, 1.5, text)
    assert not is_readable(connection, 1.5, number)


@pytest.mark.parametrize("sort_key", [inf, -inf, nan])
def test_a_place_that_is_none_is_not(connection: Connection, sort_key: float) -> None:
    assert not is_readable(connection, sort_key, orjson.dumps(PLAIN).decode())
