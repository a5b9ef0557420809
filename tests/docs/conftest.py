"""Fixtures of the running program."""

from __future__ import annotations

from command import command

__all__ = ["command"]
