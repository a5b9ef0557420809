"""YAML and JSON files as plain data; every fault names the file, the line and the column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flowledger.engine.errors import InvalidTemplate, MissingExtra

if TYPE_CHECKING:
    import yaml

LARGEST_DOCUMENT = 1_000_000
"""Values in one document once its aliases are written out."""


def read_document(path: Path) -> object:
    """The data in a file; raises InvalidTemplate."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidTemplate(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise InvalidTemplate(f"{path}: is not UTF-8: {error.reason}") from None
    except OSError as error:
        raise InvalidTemplate(f"{path}: cannot be read: {error.strerror}") from None
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> object:
    """The data in a text, JSON where it looks like it, else YAML; raises InvalidTemplate."""
    if not text.strip():
        raise InvalidTemplate(f"{source}: is empty, expected a template")
    try:
        return _parse_json(text, source) if _is_json(text, source) else _parse_yaml(text, source)
    except RecursionError:
        raise InvalidTemplate(f"{source}: is nested too deeply") from None


def _is_json(text: str, source: str) -> bool:
    """By its name; or where it parses, as YAML may begin with a brace too."""
    if source.endswith(".json") or not text.lstrip().startswith("{"):
        return source.endswith(".json")
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _parse_json(text: str, source: str) -> object:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise InvalidTemplate(f"{source}: duplicate key {key!r}")
            found[key] = value
        return found

    def no_number(name: str) -> float:
        raise InvalidTemplate(f"{source}: broken JSON: {name} is no JSON number")

    try:
        loaded: object = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidTemplate(f"{source}: {where}: broken JSON: {error.msg}") from None
    except ValueError as error:
        raise InvalidTemplate(f"{source}: broken JSON: {error}") from None
    return loaded


def _parse_yaml(text: str, source: str) -> object:
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra(f"{source}: YAML needs PyYAML: install flowledger[yaml]") from error
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise InvalidTemplate(f"{source}: is empty, expected a template")
        _check_node(node, source)
        return cast("object", cast("Any", loader).construct_document(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        fault = error.problem or error.context or "cannot be read"
        raise InvalidTemplate(f"{source}: {where}broken YAML: {fault}") from None
    except (yaml.YAMLError, ValueError) as error:
        fault = str(error).partition("\n")[0]
        raise InvalidTemplate(f"{source}: broken YAML: {fault}") from None


def _check_node(root: yaml.Node, source: str) -> None:
    """Refuse duplicate keys, and aliases that contain themselves or grow without measure."""
    import yaml  # noqa: PLC0415 - an extra

    sizes: dict[int, int] = {}
    under_way: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in under_way:
            raise _at(node, source, "an alias contains itself")
        under_way.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, source)
            total += sum(size(key) + size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(size(item) for item in node.value)
        if total > LARGEST_DOCUMENT:
            raise _at(node, source, f"holds more than {LARGEST_DOCUMENT} values")
        sizes[id(node)] = total
        return total

    size(root)


def _check_keys(node: yaml.MappingNode, source: str) -> None:
    import yaml  # noqa: PLC0415 - an extra

    seen: set[object] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at(key, source, "a key should be a word")
        if key.value in seen:
            raise _at(key, source, f"duplicate key {key.value!r}")
        seen.add(key.value)


def _at(node: yaml.Node, source: str, fault: str) -> InvalidTemplate:
    mark = node.start_mark
    return InvalidTemplate(f"{source}: line {mark.line + 1}, column {mark.column + 1}: {fault}")
