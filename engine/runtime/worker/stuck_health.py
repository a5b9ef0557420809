"""What a worker says of itself when abandoned handlers take its places."""

from __future__ import annotations

from datetime import datetime

from flowledger.engine.telemetry.outages import Health


def stuck_health(since: datetime, abandoned: int, places: int) -> Health:
    """The health of a worker that abandoned handlers keep from claiming."""
    error = (
        f"{abandoned} abandoned handlers take half or more of the worker's {places} places:"
        " it claims nothing until they end or the process is started anew"
    )
    return Health(since, abandoned, error)
