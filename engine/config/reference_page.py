"""Descriptions of what the configuration accepts, for the reference page and for refusals."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from flowledger.engine.config.sources import ENVIRONMENT, FILE, HOME, variable

NOUNS: Mapping[Any, str] = types.MappingProxyType(
    {
        bool: "true or false",
        float: "a number",
        int: "a whole number",
        Path: "a folder",
        SecretStr: "a Postgres URL (postgresql://…)",
        str: "a text",
        tuple[str, ...]: "texts between commas, or a list",
        dict[str, int]: "name=number between commas, or a mapping",
    }
)

INTRODUCTION = f"""\
# Configuration

Sources, each over the one before:

1. the defaults below;
2. `flowledger.yaml` in the working directory, or the file that `{FILE}` names;
3. in that file, what stands under `environments.${ENVIRONMENT}`, where that variable is set;
4. environment variables, named in the tables (an empty one counts as not set);
5. what a program passes to `Settings.load(...)`, or a user as an option of a command.

A key that is not listed here is refused, in the file and in the environment.
`{HOME}` is short for `{variable("embedded.home")}`.
Times are seconds, sizes bytes. `flowledger config show` prints the values in effect and where each
comes from; passwords are shown as `***`. A file needs the extra `flowledger[yaml]`:

```yaml
worker:
  concurrency: 16
environments:
  production:
    database:
      url: postgresql://flow@db.internal/flow
    worker:
      concurrency: 128
```

This page is printed by `flowledger config reference`.
"""


def is_secret(field: FieldInfo) -> bool:
    """Whether the value must never be shown."""
    return _kind(field) is SecretStr


def expectation(field: FieldInfo) -> str:
    """What the setting accepts: `a whole number, at least 1`."""
    kind = _kind(field)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    return ", ".join([NOUNS[kind], *_bounds(field)])


def reference(sections: Mapping[str, type[BaseModel]], rules: Iterable[object]) -> str:
    """The reference page in Markdown: a table for each section, then the rules."""
    pages = [INTRODUCTION, *(_table(name, section) for name, section in sections.items())]
    agreed = "\n".join(f"- {rule}" for rule in rules)
    return "\n".join([*pages, f"## What must agree\n\n{agreed}\n"])


def _table(name: str, section: type[BaseModel]) -> str:
    rows = "\n".join(_row(name, key, field) for key, field in section.model_fields.items())
    return (
        f"## {name}\n\n{section.__doc__}\n\n"
        "| key | environment variable | type | default | meaning |\n"
        "| --- | --- | --- | --- | --- |\n"
        f"{rows}\n"
    )


def _row(section: str, key: str, field: FieldInfo) -> str:
    path = f"{section}.{key}"
    cells = [f"`{path}`", f"`{variable(path)}`", expectation(field), _default(field)]
    return f"| {' | '.join(cells)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    if field.default is None or field.default in ((), {}):
        return "none"
    default: object = field.default
    if isinstance(default, tuple):
        return f"`{', '.join(cast('tuple[str, ...]', default))}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _kind(field: FieldInfo) -> Any:
    """The field's type, without the `None` that stands for not set."""
    kind = _declared(field)
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _declared(field: FieldInfo) -> Any:
    if get_origin(field.annotation) in {Union, types.UnionType}:
        return next(kind for kind in get_args(field.annotation) if kind is not types.NoneType)
    return field.annotation


def _bounds(field: FieldInfo) -> list[str]:
    """Those of the type, and the field's own: of two upper ones the lower."""
    declared = _declared(field)
    inner = get_args(declared)[1:] if get_origin(declared) is Annotated else ()
    of_type = [bound for one in inner if isinstance(one, FieldInfo) for bound in one.metadata]
    found = [*of_type, *field.metadata]
    upper = [constraint for constraint in found if isinstance(constraint, Le)]
    lowest = min(upper, key=lambda constraint: cast("float", constraint.le), default=None)
    texts = (_bound(one) for one in found if not isinstance(one, Le) or one is lowest)
    return [text for text in texts if text]


def _bound(constraint: object) -> str:
    match constraint:
        case Ge():
            return f"at least {constraint.ge}"
        case Gt():
            return f"more than {constraint.gt}"
        case Le():
            return f"at most {constraint.le}"
        case MinLen():
            return f"at least {constraint.min_length} character"
        case MaxLen():
            return f"at most {constraint.max_length} characters"
        case _:
            return ""
