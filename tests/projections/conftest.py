"""Fixtures of the projections."""

from __future__ import annotations

from lab import lab, shared_lab
from models import models
from spending import hosts

__all__ = ["hosts", "lab", "models", "shared_lab"]
