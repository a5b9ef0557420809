"""Every surface that strange input comes in by, how often it is tried, and what is tried always."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from hostile import commands, declarations, requests, steps, submissions, surroundings
from hostile.draw import Case, Draw
from hostile.stage import ManualCoordinator

Driver = Callable[[Draw, ManualCoordinator], None]

SURFACES: Mapping[str, tuple[int, Driver]] = MappingProxyType(
    {
        "submit.context": (8, submissions.context),
        "submit.untyped": (10, submissions.untyped),
        "submit.about": (14, submissions.about),
        "submit.connection": (2, submissions.connection),
        "submit.identity": (2, submissions.identity),
        "engine.fork": (1, submissions.fork),
        "engine.waits": (1, submissions.waits),
        "step.said": (14, steps.said),
        "step.beats": (3, steps.beats),
        "step.raised": (6, steps.raised),
        "step.coroutine": (2, steps.coroutine),
        "step.transaction": (2, steps.transaction),
        "step.remnant": (2, steps.remnant),
        "step.waits": (1, steps.waits_for_another),
        "request.ask": (8, requests.ask),
        "request.note": (6, requests.note),
        "request.tag": (4, requests.tag),
        "request.look": (3, requests.look),
        "request.template": (3, requests.template),
        "request.projection": (2, requests.projection),
        "declare.head": (6, declarations.head),
        "declare.policy": (10, declarations.policy),
        "declare.function": (4, declarations.function),
        "declare.file": (10, declarations.file),
        "settings.environment": (6, surroundings.environment),
        "settings.file": (5, surroundings.config_file),
        "settings.overrides": (4, surroundings.overrides),
        "settings.address": (4, surroundings.address),
        "settings.variables": (2, surroundings.variables),
        "command.here": (14, commands.command),
        "command.process": (1, commands.program),
        "command.shown": (3, commands.shown),
        "command.unknown": (1, commands.unknown_task),
    }
)
"""Each with its weight: how often it is drawn, in proportion to the others."""

KNOWN: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "integers of other classes stop no worker": (
            ("step.said", "a status beside null"),
            ("step.said", "an integer of a class of its own"),
            ("submit.about", "an integer with a name"),
        ),
        "values nested too deeply are refused where they enter": (
            ("step.said", "many levels in each other"),
            ("step.said", "more levels than any reader takes"),
            ("submit.untyped", "many levels in each other"),
            ("submit.untyped", "more levels than any reader takes"),
            ("request.note", "many levels in each other"),
            ("request.note", "more levels than any reader takes"),
            ("request.ask", "many levels in each other"),
            ("request.ask", "more levels than any reader takes"),
        ),
        "times at the ends of time are refused": (
            ("submit.about", "the last time, west of Greenwich"),
            ("submit.about", "the first time, east of Greenwich"),
            ("submit.about", "the last time"),
        ),
        "a coroutine that harms its loop is counted, and its neighbours go on": (
            ("step.coroutine", "a subtask that exits"),
            ("step.coroutine", "a coroutine that stops the event loop"),
        ),
        "a transactional step that loses its session is counted": (
            ("step.transaction", "a transaction whose session ends"),
            ("step.transaction", "a transaction whose connection is closed"),
        ),
        "null characters are refused where they enter": (
            ("step.beats", "a null character"),
            ("declare.head", "a null character"),
            ("declare.policy", "a configuration with a null character"),
        ),
        "a connection to another database is refused": (
            ("submit.connection", "another database of an engine"),
            ("submit.connection", "another database without an engine"),
        ),
        "encodings around the engine do not matter": (
            ("settings.variables", "another encoding of the client"),
            ("settings.address", "a database in another encoding"),
            ("submit.about", "a snowman"),
        ),
        "a fork is told to open its own engine": (("engine.fork", "a fork"),),
        "each call has values of its own": (
            ("step.remnant", "a configuration that is changed"),
            ("step.remnant", "a context that is changed"),
        ),
        "contexts come back as they went": tuple(
            ("submit.context", label) for label in sorted(submissions.CONTEXTS)
        ),
        "equal contexts are one task": tuple(
            ("submit.identity", label) for label in sorted(submissions.EQUALS)
        ),
        "a pooler that shares sessions is refused": (
            ("settings.address", "a pooler that shares sessions"),
        ),
        "a read model that changes its events harms no other": (
            ("request.note", "a dictionary in an order"),  # `Careless` changes every event
        ),
        "texts that no index can hold are refused": (
            ("request.tag", "a thousand different Chinese characters"),
            ("request.note", "a thousand different Chinese characters"),
            ("submit.about", "a thousand different Chinese characters"),
        ),
        "a step may wait for a task": (("step.waits", "a step that waits for a task"),),
        "nothing is left by a call in its thread": (
            ("step.remnant", "a context variable left behind"),
            ("step.remnant", "a decimal precision left behind"),
        ),
        "nothing is left on the connection of a transaction": (
            ("step.transaction", "settings left on a connection"),
        ),
        "YAML is read as YAML 1.2, or refused": (
            ("declare.file", "a scalar of an older YAML"),
            ("settings.file", "an older YAML in the file"),
        ),
        "variables of Kubernetes are passed over": (
            ("settings.environment", "a service of Kubernetes"),
        ),
        "waits hold up nothing beside them": (("engine.waits", "many waits on an event loop"),),
        "callables that return coroutines are awaited": (
            ("declare.function", "a plain function that returns a coroutine"),
            ("declare.function", "a lambda that returns a coroutine"),
        ),
        "containers of other classes are stored, or refused for what they are": (
            ("step.said", "a counter"),
            ("step.said", "a tuple with names"),
            ("step.said", "a float of a class of its own"),
        ),
        "errors are one sentence of the engine's own": (
            ("settings.address", "a role that may create nothing"),
            ("command.here", "a module that exits"),
            ("submit.about", "a datetime of a class of its own"),
            ("settings.environment", "a huge setting"),
            ("request.note", "no actor"),
            ("declare.policy", "a negative number of attempts"),
        ),
        "what strangers wrote is shown as text": (
            ("step.raised", "an exception with escape sequences"),
            ("command.shown", "a forged line"),
        ),
        "consoles that lack characters show escapes": (("command.shown", "a snowman"),),
    }
)
"""What was once found to go wrong, in plain words, and the cases that try it again each time."""


def known_cases() -> list[Case]:
    """A case for each that must be among them."""
    return [Case(kind, 0, label) for row in KNOWN.values() for kind, label in row]


def cases(seed: int, count: int) -> list[Case]:
    """So many cases, by weight; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - cases, no keys
    weights = [weight for weight, _ in SURFACES.values()]
    kinds = random.choices(list(SURFACES), weights, k=count)
    return [Case(kind, random.randrange(2**32)) for kind in kinds]
