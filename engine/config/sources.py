"""The sources of settings: file, environment, caller. Every value knows where it stands."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource

from flowledger.engine.display_text import short
from flowledger.engine.domain.strict_yaml_reader import BrokenYaml, read_yaml
from flowledger.engine.domain.templates.validation_message import plain_text
from flowledger.engine.errors import InvalidConfiguration
from flowledger.engine.file_reading import read_text_file

PREFIX = "FLOWLEDGER_"
TEST_PREFIX = "FLOWLEDGER_TEST_"
ENVIRONMENT = "FLOWLEDGER_ENV"
FILE = "FLOWLEDGER_CONFIG"
HOME = "FLOWLEDGER_HOME"
DEFAULT_FILE = "flowledger.yaml"
HOME_PATH = "embedded.home"
MOST_CHARACTERS = 1_000_000
"""So many a file may have."""


PROTOCOL = r"(?:tcp|udp|sctp)"
SERVICES = (
    (r"SERVICE_HOST", r"\S+"),
    (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", r"\d+"),
    (r"PORT", PROTOCOL + r"://\S+"),
    (r"PORT_\d+_(?:TCP|UDP|SCTP)", PROTOCOL + r"://\S+"),
    (r"PORT_\d+_(?:TCP|UDP|SCTP)_PROTO", PROTOCOL),
    (r"PORT_\d+_(?:TCP|UDP|SCTP)_PORT", r"\d+"),
    (r"PORT_\d+_(?:TCP|UDP|SCTP)_ADDR", r"\S+"),
)
"""What Kubernetes tells every container of services whose names begin with `flowledger`: the end of
the variable's name, and its value. https://kubernetes.io/docs/concepts/services-networking/service/
(environment variables)"""
OF_SERVICES = re.compile(
    "|".join(rf"{PREFIX}(?:[A-Z0-9]+_)*{name}=(?:{value})" for name, value in SERVICES)
)


@dataclass(frozen=True, slots=True)
class Given:
    """A value as its source wrote it, and the place where it stands."""

    value: object
    place: str


Layer = Mapping[str, Given]  # what one source says, by dotted path: worker.concurrency
Known = Mapping[str, frozenset[str]]  # the keys of each section
Place = Callable[[str], str]  # where a dotted path stands in a source


def variable(path: str) -> str:
    """The environment variable of a setting or section, from its dotted path."""
    return PREFIX + path.replace(".", "__").upper()


def is_utf8(value: object) -> bool:
    """Whether a value, where it is a text, could be written as UTF-8: Python lets others through,
    with surrogates in the place of their bytes."""
    try:
        _ = value.encode() if isinstance(value, str) else b""
    except UnicodeEncodeError:
        return False
    return True


def paths(known: Known) -> list[str]:
    """The dotted path of every setting."""
    return [f"{section}.{key}" for section, keys in known.items() for key in sorted(keys)]


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate that looks most like the name, however little that is."""
    return get_close_matches(name, list(candidates), n=1, cutoff=0.0)[0]


def option_layer(overrides: Mapping[str, object], known: Known) -> Layer:
    """What the caller says: nested mappings, or section models with the fields that were set."""
    plain = {
        plain_text(section): body.model_dump(exclude_unset=True)
        if isinstance(body, BaseModel)
        else body
        for section, body in overrides.items()
    }
    return dict(_leaves(plain, lambda path: f"option {path}", known))


def environment_layer(settings: type[BaseSettings], known: Known) -> Layer:
    """What FLOWLEDGER_SECTION__KEY variables say; an empty one counts as not set.

    Raises InvalidConfiguration for a variable with the prefix that is no setting; those that
    Kubernetes sets for services are passed over.
    """
    _refuse_unknown_variables(known)
    layer = dict(_leaves(EnvSettingsSource(settings)(), _variable_place, known))
    home = os.environ.get(HOME)
    if not home:
        return layer
    if HOME_PATH in layer and layer[HOME_PATH].value != home:
        raise InvalidConfiguration(
            f"{HOME} and {variable(HOME_PATH)} name different folders: set one of them"
        )
    return {**layer, HOME_PATH: Given(home, f"environment variable {HOME}")}


def file_layers(directory: Path, known: Known) -> list[Layer]:
    """What the file says, then what its chosen environment says.

    Raises InvalidConfiguration for a file that cannot be read, is not what it should be, or lacks
    the environment that FLOWLEDGER_ENV names.
    """
    file, chosen = _file(directory), os.environ.get(ENVIRONMENT)
    if file is None:
        if chosen:
            raise InvalidConfiguration(
                f"{ENVIRONMENT} is {chosen!r}, but there is no {DEFAULT_FILE} in {directory}:"
                f" expected one with environments.{short(chosen)}"
            )
        return []
    tree = dict(_mapping(_parse(file), str(file)))
    environments = _environments(tree.pop("environments", None), str(file), known)
    base = dict(_leaves(tree, _file_place(file), known, extra=("environments",)))
    return [base] if not chosen else [base, _chosen(environments, chosen, file)]


def _refuse_unknown_variables(known: Known) -> None:
    accepted = {variable(path) for path in paths(known)} | {ENVIRONMENT, FILE, HOME}
    for name in sorted(os.environ):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(TEST_PREFIX) or upper in accepted:
            continue
        if OF_SERVICES.fullmatch(f"{name}={os.environ[name]}"):
            continue
        raise InvalidConfiguration(
            f"environment variable {short(name)} is not a setting:"
            f" the nearest one is {nearest(upper, sorted(accepted))}"
        )


def _variable_place(path: str) -> str:
    return f"environment variable {variable(path)}"


def _file_place(file: Path, prefix: str = "") -> Place:
    return lambda path: f"{file}: {prefix}{path}"


def _leaves(
    tree: Mapping[str, object], place: Place, known: Known, extra: tuple[str, ...] = ()
) -> Iterator[tuple[str, Given]]:
    """The tree's values by dotted path. Values are never shown here: they may be secrets."""
    for name, body in tree.items():
        section = plain_text(name)
        if section not in known:
            raise _unknown(place(section), section, [*known, *paths(known), *extra])
        for key, value in _mapping(body, place(section)).items():
            path = f"{section}.{key}"
            if key not in known[section]:
                raise _unknown(place(path), path, paths(known))
            yield path, Given(value, place(path))


def _unknown(place: str, name: str, candidates: Iterable[str]) -> InvalidConfiguration:
    return InvalidConfiguration(
        f"{place} is not a setting: the nearest one is {nearest(name, candidates)}"
    )


def _mapping(value: object, place: str) -> Mapping[str, object]:
    """The value as a mapping; nothing at all (a section whose keys are commented out) is empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidConfiguration(f"{place} is a single value or a list: expected keys below it")
    return {plain_text(key): item for key, item in cast("Mapping[object, object]", value).items()}


def _environments(value: object, file: str, known: Known) -> Mapping[str, Layer]:
    """Every environment's layer: one that is not chosen today is checked for its keys as well."""
    trees = _mapping(value, f"{file}: environments")
    layers: dict[str, Layer] = {}
    for name, tree in trees.items():
        place = _file_place(Path(file), f"environments.{name}.")
        layers[name] = dict(_leaves(_mapping(tree, place("")[:-1]), place, known))
    return layers


def _chosen(environments: Mapping[str, Layer], chosen: str, file: Path) -> Layer:
    if chosen in environments:
        return environments[chosen]
    named = f"the nearest one is {nearest(chosen, environments)}" if environments else "it has none"
    raise InvalidConfiguration(
        f"{ENVIRONMENT} is {chosen!r}, which is not under environments in {file}: {named}"
    )


def _file(directory: Path) -> Path | None:
    named = os.environ.get(FILE)
    if named:
        return Path(named)
    # Shown in messages as the user knows it: by name where it lies in the working directory.
    here = Path(DEFAULT_FILE) if directory == Path.cwd() else directory / DEFAULT_FILE
    # A link to nothing is there: who made it meant a file.
    return here if os.path.lexists(here) else None


def _parse(file: Path) -> object:
    try:
        text = read_text_file(file, MOST_CHARACTERS)
    except OSError as error:
        link = f", a link to {file.readlink()}," if file.is_symlink() else ""
        raise InvalidConfiguration(
            f"{file}{link} cannot be read ({error.strerror}): expected a YAML file"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(f"{file} is not UTF-8: expected a YAML file") from error
    return _parse_yaml(text, file)


def _parse_yaml(text: str, file: Path) -> object:
    try:
        return read_yaml(text)
    except ImportError as error:  # an extra: only those who have a file need it
        raise InvalidConfiguration(
            f"{file} is YAML, which needs PyYAML: install flowledger[yaml]"
        ) from error
    except BrokenYaml as error:
        raise InvalidConfiguration(f"{file}: {error}") from None
    except RecursionError:
        raise InvalidConfiguration(f"{file}: is nested too deeply") from None
