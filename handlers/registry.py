"""Handlers by name, for templates that are not written in Python."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from flowledger.engine.display_text import listed, nearest
from flowledger.engine.domain.templates.template import StepTemplate
from flowledger.engine.errors import UnknownHandler
from flowledger.handlers.import_workflows_by_name import import_attribute, import_fault

Handler = Callable[..., Any]

WAYS_OUT = (
    "name the module that has them (--handlers MODULE), or in the file"
    ' handler: {callable: "module:attribute"}'
)


class Registry:
    """Functions under the names by which templates call them; passed to whoever resolves them."""

    def __init__(self, handlers: Mapping[str, Handler] | None = None) -> None:
        self._handlers: dict[str, Handler] = {}
        if not isinstance(cast("object", handlers), Mapping | None):
            kind = type(handlers).__name__
            raise TypeError(
                f"handlers should be a mapping of names to functions, got {kind};"
                " Registry.of_module has those of a module"
            )
        for name, handler in (handlers or {}).items():
            self.register(name, handler)

    @classmethod
    def of_module(cls, module_name: str) -> Registry:
        """All public functions that a module defines, by name. Raises UnknownHandler."""
        if not isinstance(cast("object", module_name), str):
            kind = type(module_name).__name__
            raise TypeError(f'the name of a module is a text, such as "orders", got {kind}')
        try:
            module = importlib.import_module(module_name)
        except (Exception, SystemExit) as error:
            raise UnknownHandler(
                f"handlers of {module_name!r}: the module cannot be imported: {import_fault(error)}"
            ) from error
        return cls(
            {
                name: value
                for name, value in vars(module).items()
                if inspect.isfunction(value)
                and value.__module__ == module.__name__
                and not name.startswith("_")
            }
        )

    @property
    def names(self) -> frozenset[str]:
        """The registered names."""
        return frozenset(self._handlers)

    def register(self, name: str, handler: Handler) -> None:
        """Add a handler. Raises ValueError where the name is taken, TypeError for no callable."""
        if self._handlers.get(name, handler) is not handler:
            raise ValueError(f"handler {name!r} is already registered")
        if not callable(handler):
            raise TypeError(f"handler {name!r} is a {type(handler).__name__}, not a callable")
        self._handlers[name] = handler

    def resolve(self, template: str, step: StepTemplate) -> Handler:
        """The code of a step: registered, or at `module:attribute`. Raises UnknownHandler."""
        name = step.handler.callable
        where = f"template {template}, step {step.name!r}: handler {name!r}"
        if name in self._handlers:
            return self._handlers[name]
        if ":" not in name:
            raise UnknownHandler(f"{where} is not registered{self._hint(name)}")
        try:
            found = import_attribute(name)
        except LookupError as error:
            raise UnknownHandler(f"{where}: {error}") from error
        if not callable(found):
            raise UnknownHandler(f"{where} is a {type(found).__name__}, not a callable")
        return cast("Handler", found)

    @staticmethod
    def require(registry: object) -> None:
        """Raises TypeError for what is no registry, such as a module or the name of one."""
        if not isinstance(registry, Registry):
            raise TypeError(
                'registry should be a Registry, such as Registry.of_module("orders"),'
                f" got {type(registry).__name__}"
            )

    def _hint(self, name: str) -> str:
        if not self._handlers:
            return f"; nothing is: {WAYS_OUT}"
        return nearest(name, self.names) or f"; registered are {listed(self.names)}"
