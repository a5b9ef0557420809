"""The library's own cases for application and tracking recorders, on our recorder and tables."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    TrackingRecorderTestCase,
)

from flowledger.engine.store.pool import open_pool
from flowledger.engine.store.recorder import (
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
        self.optional_test_insert_subscribe()


class TestTrackingRecorder(OnOurTables, TrackingRecorderTestCase):
    def create_recorder(self) -> LedgerTrackingRecorder:
        return LedgerTrackingRecorder(self.datastore)


class TestNonInterleaving(OnOurTables, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.datastore)
