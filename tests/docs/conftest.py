"""Fixtures of the running program."""

from __future__ import annotations

from support.cli import command
from support.engines import harness

__all__ = ["command", "harness"]
