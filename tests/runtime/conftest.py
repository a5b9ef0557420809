"""Fixtures of the running engine."""

from __future__ import annotations

from support.engines import harness, shared_harness

__all__ = ["harness", "shared_harness"]
