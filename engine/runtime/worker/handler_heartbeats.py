"""Sends the heartbeats of running steps, and learns what became of their claims.

The details of a heartbeat are checked when the handler records them. If the database refuses them
anyway, each heartbeat is sent alone; the one that is refused is dropped and logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from flowledger.engine.errors import StatementRefused
from flowledger.engine.ports.worker import ClaimStatus, WorkerStore
from flowledger.engine.telemetry.log import Log
from flowledger.engine.telemetry.log_messages import Signal


def watched(
    board: WorkerStore, worker: UUID, beats: Mapping[UUID, bytes | None], log: Log
) -> Mapping[UUID, ClaimStatus]:
    """Those of the steps that the worker still holds. Raises DatabaseUnavailable."""
    if not beats:
        return {}
    try:
        return board.claim_statuses(worker, beats)
    except StatementRefused:
        for step, beat in beats.items():
            if beat is not None:
                _bring(board, worker, step, beat, log)
        return board.claim_statuses(worker, dict.fromkeys(beats))


def _bring(board: WorkerStore, worker: UUID, step: UUID, beat: bytes, log: Log) -> None:
    try:
        board.claim_statuses(worker, {step: beat})
    except StatementRefused as error:
        log.emit(Signal.WORKER_HEARTBEAT_REFUSED, step_id=str(step), error=str(error))
