"""`translate serve` does what its OpenAPI document says, for requests that schemathesis generates from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.integration.test_serve import Server
from tests.ui import openapi_hooks

ROOT = Path(__file__).parents[2]
EXAMPLES = 50  # For each operation.
TIMEOUT_SECONDS = 300


def test_requests_are_answered_as_the_document_says(server: Server, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.port}/openapi.json"
    report = tmp_path / "report.json"
    words = [
        *(sys.executable, "-m", "schemathesis.cli", "run", url, "--checks", "all", "--continue-on-failure"),
        *("--seed", "1", "--max-examples", str(EXAMPLES), "--generation-database", "none"),
        *("--report", "json", "--report-json-path", str(report)),
    ]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": openapi_hooks.__name__}
    result = subprocess.run(
        words, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert result.returncode == 0, result.stdout + result.stderr

    schema = json.loads(server.request("GET", "/openapi.json").content)
    accepted = {
        operation: phases["fuzzing"]["accepted"]
        for operation, phases in json.loads(report.read_text(encoding="utf-8"))["valid_rates"].items()
    }
    assert set(accepted) == {
        f"{method.upper()} {path}" for path in schema["paths"] for method in schema["paths"][path]
    }
    assert all(accepted.values()), accepted
    metrics = server.request("GET", "/metrics").content.decode()
    for model in ("identity", "inpaint"):
        assert f'translate_requests_total{{model="{model}",status="200"}}' in metrics
