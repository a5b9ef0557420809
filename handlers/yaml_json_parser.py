"""YAML 1.2 and JSON files as plain data; every fault names the file and the place in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flowledger.engine.domain.strict_yaml_reader import BrokenYaml, read_yaml
from flowledger.engine.domain.templates.validation_message import shown
from flowledger.engine.errors import InvalidTemplate, MissingExtra
from flowledger.engine.file_reading import read_text_file


def read_document(path: Path) -> object:
    """The data in a file; raises InvalidTemplate."""
    try:
        text = read_text_file(path)
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
                raise InvalidTemplate(f"{source}: duplicate key {shown(key)}")
            found[key] = value
        return found

    def no_number(name: str) -> float:
        raise InvalidTemplate(f"{source}: broken JSON: {name} is no JSON number")

    try:
        loaded: object = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidTemplate(f"{source}: {where}: broken JSON: {error.msg}") from None
    except InvalidTemplate:
        raise
    except ValueError as error:
        raise InvalidTemplate(f"{source}: broken JSON: {error}") from None
    return loaded


def _parse_yaml(text: str, source: str) -> object:
    try:
        found = read_yaml(text)
    except ImportError as error:
        raise MissingExtra(f"{source}: YAML needs PyYAML: install flowledger[yaml]") from error
    except BrokenYaml as error:
        raise InvalidTemplate(f"{source}: {error}") from None
    if found is None:
        raise InvalidTemplate(f"{source}: is empty, expected a template")
    return found
