"""Read models over the log: write one as a class; a host maintains its rows and its position."""

from __future__ import annotations

from flowledger.projections.projection import OnError, Projection, on, on_batch
from flowledger.projections.restricted_cursor import Cursor

__all__ = ["Cursor", "OnError", "Projection", "on", "on_batch"]
