"""The workflows that a worker was given, as plans and handlers by definition."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flowledger.engine.display_text import listed
from flowledger.engine.domain.failures.classification import Classifier, classify
from flowledger.engine.domain.handler_protocol import StepHandler, WorkflowLike
from flowledger.engine.domain.templates.compiled_template import Plan, compile_plan
from flowledger.engine.errors import InvalidConfiguration
from flowledger.engine.ports.worker import Claim


class HandlerTable:
    """Plans and handlers by template. Raises UnknownHandler at once, never at a step.

    `classifier` says what the handlers' exceptions mean. `excluded` are the templates that were
    left out of this part of a table.
    """

    def __init__(
        self, workflows: Iterable[WorkflowLike[Any]], classifier: Classifier = classify
    ) -> None:
        self.classifier = classifier
        self.excluded: Sequence[UUID] = ()
        self._entries: dict[UUID, tuple[Plan, Mapping[str, StepHandler]]] = {}
        for workflow in workflows:
            plan = compile_plan(workflow.template)
            self._entries[plan.template_id] = (plan, dict(workflow.handlers))

    def within(self, namespaces: Collection[str]) -> HandlerTable:
        """The part of these namespaces; all of it where none is named.

        Raises InvalidConfiguration where there are workflows, but none in the namespaces.
        """
        if not namespaces:
            return self
        part = HandlerTable((), self.classifier)
        part._entries = {
            template_id: entry
            for template_id, entry in self._entries.items()
            if entry[0].template.namespace in namespaces
        }
        part.excluded = [one for one in self._entries if one not in part._entries]
        if self._entries and not part._entries:
            found = {plan.template.namespace for plan, _ in self._entries.values()}
            raise InvalidConfiguration(
                f"worker.namespaces is {listed(namespaces)}: none of the workflows is in it,"
                f" they are in {listed(found)}"
            )
        return part

    @property
    def templates(self) -> Sequence[UUID]:
        """The templates whose steps may be claimed."""
        return list(self._entries)

    @property
    def has_timeouts(self) -> bool:
        """Whether any of the steps may time out."""
        plans = (plan for plan, _ in self._entries.values())
        return any(step.timeout_seconds is not None for plan in plans for step in plan.steps)

    def may_time_out(self, claim: Claim) -> bool:
        """Whether the coordinator must time out the claimed step."""
        plan = self.plan(claim)
        return plan.steps[plan.numbers[claim.step]].timeout_seconds is not None

    def plan(self, claim: Claim) -> Plan:
        """The plan that the claimed step belongs to."""
        return self._entries[claim.template_id][0]

    def handler(self, claim: Claim) -> StepHandler:
        """The handler of the claimed step."""
        return self._entries[claim.template_id][1][claim.step]
