"""Fixtures of the running engine."""

from __future__ import annotations

from support.cli import command
from support.engines import harness, shared_harness

__all__ = ["command", "harness", "shared_harness"]
