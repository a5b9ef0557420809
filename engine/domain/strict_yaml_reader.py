"""Reads YAML by the core schema of YAML 1.2.

PyYAML reads YAML 1.1, in which `no` is false, `10:30` is 630 and `010` is 8. Here these are two
texts and the number 10. Anything that has two readings, or that expands without bound, is refused
with its place: duplicate keys, keys that are no words, merge keys, tags, aliases that contain
themselves.
"""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from flowledger.engine.display_text import place

if TYPE_CHECKING:
    import yaml

LARGEST_DOCUMENT = 1_000_000
"""Values in one document once its aliases are written out."""

MOST_DIGITS = 400
"""Of a number; a double has no more than 309 before its point."""

TAG = "tag:yaml.org,2002:"
SCALARS = MappingProxyType(
    {
        "null": (re.compile(r"null|Null|NULL|~|"), "nN~"),
        "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
        "int": (re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), "-+0123456789"),
        "float": (
            re.compile(
                r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
                r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
            ),
            "-+0123456789.",
        ),
    }
)
KNOWN_TAGS = frozenset(TAG + name for name in (*SCALARS, "str", "map", "seq"))
Location = tuple[int | str, ...]


class BrokenYaml(ValueError):
    """A text is not YAML, or not such as is taken here; it says the line, the column, the path."""


def read_yaml(text: str) -> object:
    """The data of the one document in a text; None where there is none.

    Raises BrokenYaml, RecursionError for a text that is nested too deeply, and ImportError where
    PyYAML is not installed.
    """
    import yaml  # noqa: PLC0415 - an extra

    try:
        loader = _loader()(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Check().size_of(node, ())
        return cast("object", loader.construct_document(node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        fault = error.problem or error.context or "cannot be read"
        raise BrokenYaml(f"{where}broken YAML: {fault}") from None
    except yaml.YAMLError as error:
        raise BrokenYaml(f"broken YAML: {str(error).partition(chr(10))[0]}") from None


def write_yaml(document: object) -> str:
    """A document that is read as it was by YAML 1.1 and 1.2. Raises ImportError as `read_yaml`."""
    import yaml  # noqa: PLC0415 - an extra

    return yaml.dump(document, Dumper=_dumper(), sort_keys=False, allow_unicode=True)


@cache
def _loader() -> Any:
    """A loader of the core schema; made late, since PyYAML is an extra."""
    import yaml  # noqa: PLC0415

    class CoreLoader(yaml.SafeLoader):
        yaml_implicit_resolvers = {}  # noqa: RUF012 - as its base class has it
        yaml_constructors = {  # noqa: RUF012
            tag: constructor
            for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
            if tag in KNOWN_TAGS
        }

    _resolve_core(CoreLoader)
    CoreLoader.add_constructor(f"{TAG}bool", _bool)
    CoreLoader.add_constructor(f"{TAG}int", _int)
    CoreLoader.add_constructor(f"{TAG}float", _float)
    return CoreLoader


@cache
def _dumper() -> Any:
    """A dumper that puts quotes around what either version would read as something else."""
    import yaml  # noqa: PLC0415

    class CoreDumper(yaml.SafeDumper):
        pass

    _resolve_core(CoreDumper)
    return CoreDumper


def _resolve_core(kind: Any) -> None:
    for name, (pattern, first) in SCALARS.items():
        whole = re.compile(rf"(?:{pattern.pattern})\Z")
        kind.add_implicit_resolver(TAG + name, whole, [*first, *([""] if name == "null" else [])])


def _bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return _text(loader, node, "bool").lower() == "true"


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = _text(loader, node, "int")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    text = _text(loader, node, "float").lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode, kind: str) -> str:
    """The text of a scalar, which a tag in the file may call what it is not."""
    text = str(loader.construct_scalar(node))
    if not SCALARS[kind][0].fullmatch(text):
        raise _at(node, (), f"{text!r} is no {kind}")
    return text


class _Check:
    """Looks through a document before anything is made of it."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._under_way: set[int] = set()

    def size_of(self, node: yaml.Node, location: Location) -> int:
        """How many values it has with its aliases written out. Raises BrokenYaml."""
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self._under_way:
            raise _at(node, location, "an alias contains itself")
        self._under_way.add(id(node))
        total = 1 + self._parts_of(node, location)
        if total > LARGEST_DOCUMENT:
            raise _at(node, location, f"holds more than {LARGEST_DOCUMENT} values")
        self._sizes[id(node)] = total
        return total

    def _parts_of(self, node: Any, location: Location) -> int:
        if node.tag not in KNOWN_TAGS:
            shown = node.tag.replace(TAG, "!!")
            raise _at(node, location, f"unknown tag {shown!r}")
        if node.id == "scalar":
            _check_scalar(node, location)
            return 0
        if node.id == "sequence":
            return sum(
                self.size_of(item, (*location, index)) for index, item in enumerate(node.value)
            )
        _check_keys(node, location)
        return sum(1 + self.size_of(value, (*location, key.value)) for key, value in node.value)


def _check_scalar(node: yaml.Node, location: Location) -> None:
    if node.tag in {f"{TAG}int", f"{TAG}float"} and len(node.value) > MOST_DIGITS:
        raise _at(node, location, f"a number of more than {MOST_DIGITS} digits")


def _check_keys(node: yaml.Node, location: Location) -> None:
    seen: set[object] = set()
    for key, _ in node.value:
        if key.id != "scalar":
            raise _at(key, location, "a key should be a word")
        if key.tag != f"{TAG}str":
            raise _at(key, location, f"the key {key.value} should be a word; put it in quotes")
        if key.value == "<<" and key.style is None:
            raise _at(key, location, "YAML 1.2 has no merge keys; write the keys out")
        if key.value in seen:
            raise _at(key, location, f"duplicate key {key.value!r}")
        seen.add(key.value)


def _at(node: yaml.Node, location: Location, fault: str) -> BrokenYaml:
    mark, path = node.start_mark, place(location)
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    return BrokenYaml(f"{where}: {path}{': ' if path else ''}{fault}")
