"""The library's own cases for application and tracking recorders, on our recorder and tables."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    TrackingRecorderTestCase,
)

from flowledger.engine.store.connection.pool import open_pool
from flowledger.engine.store.log.eventsourcing_recorders import (
    LedgerDatastore,
    LedgerRecorder,
    LedgerTrackingRecorder,
)


class OnOurTables:
    """Gives each case a database of its own."""

    @pytest.fixture(autouse=True)
    def _datastore(self, database: str) -> Generator[None]:
        with open_pool(database, min_size=1, max_size=12, timeout_seconds=30) as pool:
            self.datastore = LedgerDatastore(pool)
            yield


class TestApplicationRecorder(OnOurTables, ApplicationRecorderTestCase[Any]):
    def create_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.datastore)

    def test_insert_subscribe(self) -> None:
        """The library's subscription reads before it listens, and waits without a limit.

        What is appended between the two would never wake it, so it is woken again and again.
        """
        with self.woken():
            self.optional_test_insert_subscribe()

    @contextmanager
    def woken(self) -> Generator[None]:
        """Whoever listens to the log is notified every tenth of a second."""
        over = Event()
        waking = Thread(target=self.wake, args=(over,))
        waking.start()
        try:
            yield
        finally:
            over.set()
            waking.join()

    def wake(self, over: Event) -> None:
        with self.datastore.get_connection() as connection:
            while not over.wait(0.1):
                connection.execute("select pg_notify('flowledger.log', '')")


class TestTrackingRecorder(OnOurTables, TrackingRecorderTestCase):
    def create_recorder(self) -> LedgerTrackingRecorder:
        return LedgerTrackingRecorder(self.datastore)


class TestNonInterleaving(OnOurTables, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.datastore)
