"""The environment that Kubernetes gives to every container."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowledger.engine.config import Settings, load_settings
from flowledger.engine.errors import InvalidConfiguration


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


SERVICE = {
    "SERVICE_HOST": "10.0.171.239",
    "SERVICE_PORT": "5432",
    "SERVICE_PORT_HTTP_METRICS": "9090",
    "PORT": "tcp://10.0.171.239:5432",
    "PORT_5432_TCP": "tcp://10.0.171.239:5432",
    "PORT_5432_TCP_PROTO": "tcp",
    "PORT_5432_TCP_PORT": "5432",
    "PORT_5432_TCP_ADDR": "10.0.171.239",
    "PORT_53_UDP": "udp://[fd00::1]:53",
}


@pytest.mark.parametrize("service", ["FLOWLEDGER", "FLOWLEDGER_DB", "FLOWLEDGER_WORKER_2"])
def test_variables_that_kubernetes_sets_for_services_are_passed_over(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SERVICE.items():
        monkeypatch.setenv(f"{service}_{name}", value)

    assert load_settings().worker == Settings().worker


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLOWLEDGER_PORT", "5432"),
        ("FLOWLEDGER_DATABASE_PORT", "5432"),
        ("FLOWLEDGER_WORKER__SERVICE_HOST", "10.0.0.1"),
        ("FLOWLEDGER_WORKER__PORT", "tcp://10.0.0.1:1"),
        ("FLOWLEDGER_DB_SERVICE_HOSTS", "10.0.0.1"),
    ],
)
def test_a_misspelt_variable_that_looks_like_a_services_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidConfiguration, match=f"environment variable {name} is not a setting"):
        load_settings()
