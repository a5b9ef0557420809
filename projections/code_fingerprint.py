"""The fingerprint of a projection's code: what its rows depend on, as far as it can be seen.

It is taken of the text of the methods as it is parsed, so comments, docstrings, blank lines and the
version of Python do not matter, and of `tables` and the class's constants (texts, numbers, and
tuples of them, such as SQL). Methods of base classes count; functions that methods call elsewhere,
and what an instance was made with, do not.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from hashlib import sha256
from types import FunctionType
from typing import Any, cast

from flowledger.projections.projection import Projection

NO_CODE = frozenset({"name", "version", "on_error", "builtin"})
CONSTANTS = (str, bytes, int, float, bool, type(None))


def fingerprint(projection: Projection) -> str | None:
    """The fingerprint of a projection; None where the text of a method cannot be had.

    None, too, of those that come with the engine: their versions are kept with their code.
    """
    if projection.builtin:
        return None
    try:
        parts = sorted(_parts(type(projection)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _parts(cls: type[Projection]) -> Iterator[str]:
    """What each member of the class is, by its name; the nearest of a name counts."""
    members: dict[str, object] = {}
    for base in cls.__mro__[: cls.__mro__.index(Projection)]:
        members = {**vars(base), **members}
    for name, member in members.items():
        functions = list(_functions(member))
        if functions:
            yield f"{name} = {' '.join(map(_text_of, functions))}"
        elif _is_constant(member) and name not in NO_CODE and not name.startswith("__"):
            yield f"{name} = {member!r}"


def _functions(member: object) -> Iterator[FunctionType]:
    if isinstance(member, property):
        found: tuple[object, ...] = (member.fget, member.fset, member.fdel)
    else:
        found = (inspect.unwrap(cast("Any", getattr(member, "__func__", member))),)
    yield from (one for one in found if isinstance(one, FunctionType))


def _is_constant(member: object) -> bool:
    if isinstance(member, tuple):
        return all(map(_is_constant, cast("tuple[object, ...]", member)))
    return isinstance(member, CONSTANTS)


def _text_of(function: FunctionType) -> str:
    """Raises ValueError where what is found is not the function, as of a file that has changed."""
    source = inspect.getsource(function)
    indented = source[:1].isspace()
    (found,) = ast.parse(f"if True:\n{source}" if indented else source).body
    if isinstance(found, ast.If):
        (found,) = found.body
    if getattr(found, "name", None) != function.__name__:
        raise ValueError(function.__qualname__)
    return _shape(found)


def _shape(node: object) -> str:
    """A node without its place in the file, its docstring, and what Python versions add to it."""
    match node:
        case ast.AST():
            fields = ((name, _shape(value)) for name, value in ast.iter_fields(_bare(node)))
            told = ",".join(f"{name}={said}" for name, said in fields if said not in {"None", "[]"})
            return f"{type(node).__name__}({told})"
        case list():
            return f"[{','.join(map(_shape, cast('list[object]', node)))}]"
        case _:
            return repr(node)


def _bare(node: ast.AST) -> ast.AST:
    if isinstance(node, ast.JoinedStr):  # of which 3.12 makes more parts, some of them empty
        return ast.JoinedStr([part for part in node.values if not _is_empty(part)])
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node
    if ast.get_docstring(node, clean=False) is None:
        return node
    fields = {name: value for name, value in ast.iter_fields(node) if name != "body"}
    return type(node)(**fields, body=node.body[1:])


def _is_empty(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and part.value == ""
