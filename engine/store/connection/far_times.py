"""Reads times that Python has no words for as the nearest that it has.

Postgres knows times from 4714 BC to the year 294276, and `infinity`; Python those of the years 1 to
9999. psycopg refuses the others, and with them the whole answer: one row that a login of few rights
may write would end everybody's list. No time of the engine itself is that far away.
"""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg import DataError
from psycopg.abc import AdaptContext, Buffer
from psycopg.types.datetime import TimestamptzBinaryLoader, TimestamptzLoader

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


class NearestTextLoader(TimestamptzLoader):
    """Of a time in text."""

    def load(self, data: Buffer) -> datetime:
        """The time, or the nearest to it."""
        try:
            return super().load(data)
        except DataError:
            return nearest(bytes(data).decode())


class NearestBinaryLoader(TimestamptzBinaryLoader):
    """Of a time in binary, microseconds from the year 2000."""

    def load(self, data: Buffer) -> datetime:
        """The time, or the nearest to it."""
        try:
            return super().load(data)
        except DataError:
            return FIRST if bytes(data)[0] & 0x80 else LAST


def time_in_json(text: str) -> datetime:
    """A time as Postgres writes it in JSON in such a session, in UTC, or the nearest to it."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return nearest(text)


def nearest(text: str) -> datetime:
    """The nearest time to one that is too far away, as Postgres writes it."""
    return FIRST if text.startswith("-") or text.endswith("BC") else LAST


def read_far_times(connection: AdaptContext) -> None:
    """Have a connection whose session is in UTC read each time as the nearest that there is."""
    connection.adapters.register_loader("timestamptz", NearestTextLoader)
    connection.adapters.register_loader("timestamptz", NearestBinaryLoader)
