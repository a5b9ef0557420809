"""The read models that come with the engine."""

from __future__ import annotations

from flowledger.projections.builtin.analytics import Analytics
from flowledger.projections.builtin.audit import Audit
from flowledger.projections.builtin.external_systems import Systems
from flowledger.projections.builtin.history import History
from flowledger.projections.builtin.notes import Notes
from flowledger.projections.projection import Projection

BUILTIN: tuple[type[Projection], ...] = (History, Analytics, Audit, Notes, Systems)

__all__ = ["BUILTIN", "Analytics", "Audit", "History", "Notes", "Systems"]
