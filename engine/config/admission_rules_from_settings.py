"""The rules of admission, as the configuration gives them."""

from __future__ import annotations

from flowledger.engine.config.limit_settings import LimitSettings
from flowledger.engine.domain.limits.admission import AdmissionRules
from flowledger.engine.domain.limits.circuit_breaker import CircuitRules


def admission_rules(limits: LimitSettings, priority_ageing_seconds: float) -> AdmissionRules:
    """What the configuration says of limits."""
    return AdmissionRules(
        namespaces=limits.namespace_concurrency,
        circuit=CircuitRules(
            failure_threshold=limits.circuit_failure_threshold,
            open_seconds=limits.circuit_open_seconds,
            open_cap_seconds=limits.circuit_open_cap_seconds,
            half_open_probes=limits.circuit_half_open_probes,
            categories=frozenset(limits.circuit_categories),
        ),
        priority_ageing_seconds=priority_ageing_seconds,
        weights=limits.fairness_weights,
    )
