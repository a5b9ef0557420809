"""Fixtures of the projections."""

from __future__ import annotations

from support.engines import harness, shared_harness
from support.projection_hosts import hosts
from support.read_model_histories import models

__all__ = ["harness", "hosts", "models", "shared_harness"]
