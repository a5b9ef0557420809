"""Fixtures of the running engine."""

from __future__ import annotations

from support.cli import command
from support.engines import harness, shared_harness
from support.tampered_database import standing, stood

__all__ = ["command", "harness", "shared_harness", "standing", "stood"]
