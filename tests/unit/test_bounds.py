"""Bounds are compared: asking a wide range for a subclass of int counts through all of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("engine", "handlers", "projections")
WIDEST = 1_000


def trees() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))


def is_range(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "range"


def is_narrow(node: ast.AST) -> bool:
    assert isinstance(node, ast.Call)
    bounds = [bound.value for bound in node.args if isinstance(bound, ast.Constant)]
    return len(bounds) == len(node.args) and all(0 <= int(str(b)) <= WIDEST for b in bounds)


def wide_ranges(tree: ast.Module) -> set[str]:
    """The names of a module that stand for wide ranges."""
    return {
        ast.unparse(target)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and is_range(node.value) and not is_narrow(node.value)
        for target in node.targets
    }


def memberships(tree: ast.Module) -> Iterator[ast.expr]:
    """What is asked by `in` and `not in`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for operator, asked in zip(node.ops, node.comparators, strict=True):
                if isinstance(operator, ast.In | ast.NotIn):
                    yield asked


def test_no_wide_range_is_asked_whether_it_contains_a_value() -> None:
    names = {name for _, tree in trees() for name in wide_ranges(tree)}
    found = [
        f"{path}:{asked.lineno}: {ast.unparse(asked)}"
        for path, tree in trees()
        for asked in memberships(tree)
        if (is_range(asked) and not is_narrow(asked)) or ast.unparse(asked) in names
    ]

    assert found == []
