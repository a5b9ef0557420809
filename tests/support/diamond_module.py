"""A workflow as the text of a module, for tests whose programs run in processes of their own."""

from __future__ import annotations

DIAMOND = """
@flow.step
def start(context: dict[str, Any]) -> int:
    return context["number"]

@flow.step(after=[start])
def left(start: int) -> int:
    return start + 1

@flow.step(after=[start])
async def right(start: int) -> int:
    return start + 2

@flow.step(after=[left, right])
def join(left: int, right: int) -> int:
    return left * right
"""
"""The steps of a workflow called `flow`: left is n + 1, right n + 2, join their product."""
