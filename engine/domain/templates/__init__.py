"""Definitions of workflows: their parts, their checks and their policies."""
