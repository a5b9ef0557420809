"""Steps in plain Python: workflows, their decorators, and handlers of templates in files."""

from __future__ import annotations

from flowledger.engine.domain.failures.classification import (
    Classification,
    Classifier,
    StepFault,
    by_type,
    classify,
)
from flowledger.engine.domain.templates.retry_and_limit_policies import (
    Concurrency,
    Fairness,
    Rate,
    Retry,
)
from flowledger.handlers.context import StepContext
from flowledger.handlers.errors import PermanentFault, RetryableFault
from flowledger.handlers.import_workflows_by_name import import_workflow, workflow_names
from flowledger.handlers.registry import Registry
from flowledger.handlers.signature import From
from flowledger.handlers.task_template_file import dump_template, load_template, load_workflow_file
from flowledger.handlers.template_with_handlers import TemplateWorkflow, workflow_from_template
from flowledger.handlers.wfformat import load_wfformat
from flowledger.handlers.workflow import Workflow

__all__ = [
    "Classification",
    "Classifier",
    "Concurrency",
    "Fairness",
    "From",
    "PermanentFault",
    "Rate",
    "Registry",
    "Retry",
    "RetryableFault",
    "StepContext",
    "StepFault",
    "TemplateWorkflow",
    "Workflow",
    "by_type",
    "classify",
    "dump_template",
    "import_workflow",
    "load_template",
    "load_wfformat",
    "load_workflow_file",
    "workflow_from_template",
    "workflow_names",
]
