"""Connections that do not wait for ever for a server that says nothing and does not hang up.

A stopped server, or a firewall that drops what is sent, looks like one that takes its time, and the
system notices neither: the kernel of a stopped server goes on acknowledging. So the client counts
how long nothing came. A session that was given up is closed, as its answer may still come, and
nobody knows whether what was asked is stored.
"""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from flowledger.engine.ports.patience import patience

T = TypeVar("T")


class Unanswered(psycopg.OperationalError):
    """The server said nothing for as long as it may."""


SILENCES = (Unanswered, psycopg.errors.ConnectionTimeout)
"""What psycopg raises where nothing came."""


class Session(psycopg.Connection[TupleRow]):
    """A connection on which the server may say nothing for `answer_seconds`, while it is asked.

    Where the caller has less time (`ports.patience`), for so long. Raises Unanswered then, and is
    closed. An answer that comes in pieces, or one that is sent so, may take any time.
    """

    answer_seconds: float = inf

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """As psycopg's, through which all statements go."""
        if patience(self.answer_seconds) == inf:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_heard(gen, self.answer_seconds), *args, **options)
        except BaseException as error:
            # Ctrl-C within the exchange ends it, where psycopg would read on after it.
            active = self.pgconn.transaction_status == TransactionStatus.ACTIVE
            if isinstance(error, Unanswered) or (active and not isinstance(error, Exception)):
                self.pgconn.finish()
            raise


def _heard(exchange: PQGen[T], limit: float) -> PQGen[T]:
    """The same exchange, which ends where nothing could be read or sent for so long.

    psycopg resumes it several times a second, also where nothing could.
    """
    allowed = patience(limit)
    until = monotonic() + allowed
    try:
        wanted = next(exchange)
        while True:
            ready = yield wanted
            if ready:
                allowed = patience(limit)
                until = monotonic() + allowed
            elif monotonic() >= until:
                raise Unanswered(f"the database has not answered for {allowed:.3g} s")
            wanted = exchange.send(ready)
    except StopIteration as ended:
        answer: T = ended.value
        return answer
