"""Fixtures of the running program."""

from __future__ import annotations

from support.cli import command

__all__ = ["command"]
