"""Events of a template."""

from __future__ import annotations

from pydantic import JsonValue

from flowledger.engine.events.base import Event


class TemplateRegistered(Event):
    """A definition became known. Its stream is the template's own."""

    topic = "template.registered"

    namespace: str
    template: str
    version: str
    definition_hash: str
    definition: dict[str, JsonValue]


class TemplatePaused(Event):
    """No step of any task of the template is queued until it is resumed."""

    topic = "template.paused"

    reason: str


class TemplateResumed(Event):
    """Tasks of the template go on."""

    topic = "template.resumed"

    reason: str
