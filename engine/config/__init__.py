"""Every number and name that a user may tune: one typed, frozen tree, read from named sources.

Sources, each over the one before: the defaults, `flowledger.yaml` in the working directory (or the
file that FLOWLEDGER_CONFIG names), its `environments.$FLOWLEDGER_ENV`, the environment variables
`FLOWLEDGER_SECTION__KEY`, and what the caller passes to `load_settings`.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self, cast

from pydantic import BaseModel, JsonValue, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from flowledger.engine.config import reference_page as config_reference
from flowledger.engine.config.limit_settings import LimitSettings
from flowledger.engine.config.projection_section import ProjectionSettings
from flowledger.engine.config.reference_page import expectation, is_secret
from flowledger.engine.config.sections import (
    CliSettings,
    CoordinatorSettings,
    DatabaseSettings,
    EmbeddedSettings,
    LoggingSettings,
    SubmitSettings,
    TemplateSettings,
    WorkerSettings,
)
from flowledger.engine.config.sources import (
    PREFIX,
    Given,
    Layer,
    environment_layer,
    file_layers,
    is_utf8,
    option_layer,
)
from flowledger.engine.display_text import HIDDEN
from flowledger.engine.domain.templates.validation_message import plain_text, shown
from flowledger.engine.errors import InvalidConfiguration

__all__ = [
    "CliSettings",
    "CoordinatorSettings",
    "DatabaseSettings",
    "EmbeddedSettings",
    "LimitSettings",
    "Loaded",
    "LoggingSettings",
    "ProjectionSettings",
    "Settings",
    "SubmitSettings",
    "TemplateSettings",
    "WorkerSettings",
    "load_settings",
    "read_settings",
    "reference",
]

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Rule:
    """Two settings that must agree: the smaller is at most, or less than, a part of the larger."""

    smaller: str
    larger: str
    part: Literal["", "half of"] = ""
    strict: bool = False

    def __str__(self) -> str:
        """The rule as a line of the reference page."""
        return f"`{self.smaller}` is {self.demand} `{self.larger}`."

    @property
    def demand(self) -> str:
        """What the smaller must be; the name of the larger follows."""
        return f"{'less than' if self.strict else 'at most'} {self.part}".rstrip()

    def holds(self, smaller: float, larger: float) -> bool:
        """Whether these two values agree."""
        bound = larger / 2 if self.part else larger
        return smaller < bound if self.strict else smaller <= bound


RULES = (
    Rule("database.pool_min_size", "database.pool_max_size"),
    Rule("database.reconnect_initial_seconds", "database.reconnect_cap_seconds"),
    Rule("limits.circuit_open_seconds", "limits.circuit_open_cap_seconds"),
    Rule("projections.retry_initial_seconds", "projections.retry_cap_seconds"),
    Rule("projections.batch_size", "projections.cached_events"),
    Rule("worker.lease_margin_seconds", "worker.lease_seconds", "half of", strict=True),
)


class RuleBroken(ValueError):
    """Two settings contradict each other."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(f"{rule.smaller} must be {rule.demand} {rule.larger}")
        self.rule = rule


class Settings(BaseSettings):
    """All settings. `Settings.load(...)` reads the sources; `Settings(...)` has what it is given.

    What it is not given is the default, whatever a file or the environment says.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    database: DatabaseSettings = DatabaseSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    coordinator: CoordinatorSettings = CoordinatorSettings()
    worker: WorkerSettings = WorkerSettings()
    templates: TemplateSettings = TemplateSettings()
    limits: LimitSettings = LimitSettings()
    submit: SubmitSettings = SubmitSettings()
    projections: ProjectionSettings = ProjectionSettings()
    logging: LoggingSettings = LoggingSettings()
    cli: CliSettings = CliSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: `load_settings` reads the sources, to know each value's place."""
        return (init_settings,)

    @classmethod
    def load(cls, **overrides: object) -> Settings:
        """`load_settings`, with sections by keyword: `Settings.load(worker={"concurrency": 4})`."""
        return load_settings(overrides)

    def value(self, path: str) -> object:
        """The setting at a dotted path, such as `worker.concurrency`."""
        section, key = path.split(".")
        return getattr(getattr(self, section), key)

    def in_development(self) -> Settings:
        """The same, with `templates.development`."""
        templates = self.templates.model_copy(update={"development": True})
        return self.model_copy(update={"templates": templates})

    def redacted(self) -> dict[str, dict[str, JsonValue]]:
        """All values as JSON, by section and key, with passwords taken out."""
        return {
            section: {key: _shown(self.value(f"{section}.{key}")) for key in sorted(keys)}
            for section, keys in KNOWN.items()
        }

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in RULES:
            smaller, larger = self.value(rule.smaller), self.value(rule.larger)
            if not rule.holds(cast("float", smaller), cast("float", larger)):
                raise RuleBroken(rule)
        return self


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and the place of each that is not a default, by dotted path."""

    settings: Settings
    places: Mapping[str, str]


SECTIONS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {name: cast("type[BaseModel]", f.annotation) for name, f in Settings.model_fields.items()}
)
KNOWN: Mapping[str, frozenset[str]] = MappingProxyType(
    {name: frozenset(section.model_fields) for name, section in SECTIONS.items()}
)


def load_settings(
    overrides: Mapping[str, object] | None = None, *, directory: Path | None = None
) -> Settings:
    """The settings of all sources; `overrides` maps sections to keys to values, and wins.

    `directory` is where `flowledger.yaml` is looked for, else the working directory.
    Raises InvalidConfiguration, naming the place.
    """
    return read_settings(overrides, directory=directory).settings


def read_settings(
    overrides: Mapping[str, object] | None = None, *, directory: Path | None = None
) -> Loaded:
    """As `load_settings`, with the place of each value that is not a default."""
    layers = [
        *file_layers(directory or Path.cwd(), KNOWN),
        environment_layer(Settings, KNOWN),
        option_layer(overrides or {}, KNOWN),
    ]
    given: Layer = ChainMap(*(dict(layer) for layer in reversed(layers)))
    try:
        settings = Settings.model_validate(_tree(given))
    except ValidationError as error:
        # Not chained: pydantic's own error would show the values, and one may be a password.
        raise _refusal(error, given) from None
    except Exception:  # noqa: BLE001 - pydantic asks a value of the caller's to compare itself
        raise _unfit(given) from None
    return Loaded(settings, {path: entry.place for path, entry in given.items()})


def reference() -> str:
    """The page docs/configuration.md, made from the models."""
    return config_reference.reference(SECTIONS, RULES)


def _tree(given: Layer) -> dict[str, dict[str, object]]:
    tree: dict[str, dict[str, object]] = {}
    for path, entry in given.items():
        section, key = path.split(".")
        tree.setdefault(section, {})[key] = entry.value
    return tree


def _refusal(error: ValidationError, given: Layer) -> InvalidConfiguration:
    first = error.errors(include_url=False)[0]
    broken = first.get("ctx", {}).get("error")
    if isinstance(broken, RuleBroken):
        return InvalidConfiguration(_contradiction(broken.rule, given))
    path = ".".join(str(part) for part in first["loc"][:2])
    return _unusable(path, given[path])


def _unfit(given: Layer) -> InvalidConfiguration:
    """Of the first value that cannot even be checked: an enumeration's, an object of one's own."""
    for path, entry in given.items():
        section, key = path.split(".")
        try:
            SECTIONS[section].model_validate({key: entry.value})
        except ValidationError:
            pass
        except Exception:  # noqa: BLE001 - this is the one
            return _unusable(path, entry)
    return _unusable(*next(iter(given.items())))


def _unusable(path: str, entry: Given) -> InvalidConfiguration:
    field = _field(path)
    found = "not usable" if is_secret(field) else shown(entry.value)
    if not is_utf8(entry.value):
        found += ", which is not UTF-8"
    return InvalidConfiguration(f"{entry.place} is {found}: expected {expectation(field)}")


def _contradiction(rule: Rule, given: Layer) -> str:
    def said(path: str) -> str:
        entry = given.get(path, Given(_field(path).default, DEFAULT))
        return f"{plain_text(entry.value)} ({entry.place})"

    expected = f"expected {rule.demand} {rule.larger}, which is {said(rule.larger)}"
    return f"{rule.smaller} is {said(rule.smaller)}: {expected}"


def _field(path: str) -> FieldInfo:
    section, key = path.split(".")
    return SECTIONS[section].model_fields[key]


def _shown(value: object) -> JsonValue:
    if isinstance(value, SecretStr):
        return HIDDEN
    return str(value) if isinstance(value, Path) else cast("JsonValue", value)
