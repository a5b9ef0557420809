"""Fixtures of the running engine."""

from __future__ import annotations

from command import command
from lab import lab, shared_lab

__all__ = ["command", "lab", "shared_lab"]
