"""Fixtures of the running engine."""

from __future__ import annotations

from support.cli import command
from support.engines import lab, shared_lab

__all__ = ["command", "lab", "shared_lab"]
