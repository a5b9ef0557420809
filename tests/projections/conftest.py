"""Fixtures of the projections."""

from __future__ import annotations

from support.engines import lab, shared_lab
from support.projection_hosts import hosts
from support.read_model_histories import models

__all__ = ["hosts", "lab", "models", "shared_lab"]
