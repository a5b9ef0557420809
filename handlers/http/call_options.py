"""An HTTP request as configuration: what a template says of it, filled in for one step."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, Literal, cast
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)

from flowledger.engine.domain.max_duration import LONGEST_SECONDS
from flowledger.engine.domain.templates.validation_message import first_problem
from flowledger.handlers.context import StepContext
from flowledger.handlers.errors import ConfigurationFault, ValidationFault

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
ROOTS = ("context", "results")

Sent = Literal["nothing", "context", "results"]


def _fillable(url: str) -> str:
    """Data may say what is asked of a service, never which service is asked."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a URL is http://host… or https://host…")
    if PLACEHOLDER.search(parts.netloc):
        raise ValueError("a URL's host has no placeholders")
    for path in PLACEHOLDER.findall(url):
        if path.split(".")[0] not in ROOTS or "." not in path:
            raise ValueError(f"{{{path}}} is neither {{context.…}} nor {{results.step.…}}")
    return url


class HttpCall(BaseModel):
    """`initialization` of the handler `flowledger.handlers.http:call`.

    `url` may have placeholders in its path and query, `{context.order.id}` or
    `{results.charge.receipt}`, filled in with the value at that place, quoted. `send` is what the
    request's body holds, as JSON: the task's context, the results of all ancestors by step, or
    nothing. `headers_from_environment` maps headers to variables of the worker's environment, so
    that no secret stands in a template.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, StringConstraints(max_length=8_000), AfterValidator(_fillable)]
    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = {}
    headers_from_environment: dict[str, str] = {}
    send: Sent = "nothing"
    timeout_seconds: float = Field(default=30.0, gt=0, le=LONGEST_SECONDS)
    max_response_bytes: int = Field(default=1_000_000, ge=0)

    @classmethod
    def of(cls, step: StepContext) -> HttpCall:
        """What the step's template says. Raises ConfigurationFault, naming the place."""
        try:
            return cls.model_validate(dict(step.config))
        except ValidationError as error:
            raise ConfigurationFault(first_problem(error, "initialization")) from None

    def all_headers(self) -> dict[str, str]:
        """Those of the template and of the environment. Raises ConfigurationFault."""
        unset = sorted(set(self.headers_from_environment.values()) - os.environ.keys())
        if unset:
            raise ConfigurationFault(f"not in the worker's environment: {', '.join(unset)}")
        secret = {name: os.environ[key] for name, key in self.headers_from_environment.items()}
        return {**self.headers, **secret}

    def filled_url(self, context: JsonValue, results: Mapping[str, JsonValue]) -> str:
        """The URL with its placeholders' values. Raises ValidationFault."""
        values = {"context": context, "results": results}
        return PLACEHOLDER.sub(lambda found: _quoted(found[1], values), self.url)

    def body(self, context: JsonValue, results: Mapping[str, JsonValue]) -> JsonValue:
        """What is sent; None where nothing is."""
        match self.send:
            case "nothing":
                return None
            case "context":
                return context
            case "results":
                return dict(results)


def _quoted(path: str, values: object) -> str:
    for part in path.split("."):
        values = _part(values, part, path)
    if isinstance(values, bool):
        return "true" if values else "false"
    if not isinstance(values, str | int | float):
        raise ValidationFault(f"{path} is a {type(values).__name__}, no value to put into a URL")
    text = str(values)
    if text in {"", ".", ".."}:
        # Such a segment would name another resource than the template means.
        raise ValidationFault(f"{path} is {text!r}, no value to put into a URL")
    return quote(text, safe="")


def _part(value: object, part: str, path: str) -> object:
    if isinstance(value, Mapping) and part in value:
        return cast("Mapping[str, object]", value)[part]
    if isinstance(value, list) and re.fullmatch(r"[0-9]{1,9}", part):
        items = cast("list[object]", value)
        if int(part) < len(items):
            return items[int(part)]
    raise ValidationFault(f"{path} is not there")
