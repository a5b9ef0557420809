"""Fixtures of the projections."""

from __future__ import annotations

from lab import lab, shared_lab
from models import models

__all__ = ["lab", "models", "shared_lab"]
