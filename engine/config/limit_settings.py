"""The section `limits` of the configuration."""

from __future__ import annotations

from typing import get_args

from pydantic import Field, field_validator

from flowledger.engine.config.section import Section
from flowledger.engine.config.setting_value_types import Allotments, Count, Names, Seconds
from flowledger.engine.events.step import Category


class LimitSettings(Section):
    """How much may happen at once beside what templates say, and when a system is left alone."""

    namespace_concurrency: Allotments = Field(
        default={}, description="Most steps of a namespace queued or running at once."
    )
    fairness_weights: Allotments = Field(
        default={},
        description="Turns of a fairness key for each one of the others: by its value, or by"
        " `namespace/template:value`.",
    )
    circuit_failure_threshold: Count = Field(
        default=5,
        description="Failures in a row after which no step of a system is queued for a while.",
    )
    circuit_open_seconds: Seconds = Field(
        default=30.0,
        description="Seconds until it is tried whether the system works again; twice as many after"
        " each trial in vain.",
    )
    circuit_open_cap_seconds: Seconds = Field(
        default=600.0, description="Most seconds between two such trials."
    )
    circuit_half_open_probes: Count = Field(
        default=1, description="Steps of the system queued at once for such a trial."
    )
    circuit_categories: Names = Field(
        default=("timeout", "network", "unavailable", "rate_limit", "transient"),
        description="Categories of errors that count as the system's failures, as a step's"
        " timeout does.",
    )

    @field_validator("circuit_categories")
    @classmethod
    def _are_categories(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= set(get_args(Category)):
            raise ValueError("not a category of errors")
        return names
