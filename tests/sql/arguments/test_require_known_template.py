"""require_known_template: what no registered template fits is named."""

from __future__ import annotations

import psycopg
import pytest

from support.builders import diamond
from support.sql_calls import Connection, call
from support.stored_tasks import register


def test_any_part_may_be_left_out_and_what_fits_nothing_is_named(connection: Connection) -> None:
    register(connection, diamond())

    for parts in ((None, None, None), ("shop", None, None), ("shop", "order", "1")):
        call(connection, "require_known_template", *parts)
    with pytest.raises(psycopg.errors.NoDataFound, match=r"there is no template shop/order@2"):
        call(connection, "require_known_template", "shop", "order", "2")
    with pytest.raises(psycopg.errors.NoDataFound, match=r"there is no template \*/nope@\*"):
        call(connection, "require_known_template", None, "nope", None)
