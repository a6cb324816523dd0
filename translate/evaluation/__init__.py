"""Evaluate a model on a dataset: a suite of scores for each kind of model, their protocols, and the report.

Importing this package or its `protocols` does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from translate.evaluation.scoring import Evaluation, Row
    from translate.evaluation.suites import evaluate

__all__ = ["Evaluation", "Row", "evaluate"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `translate --help` does not wait for torch."""
    if name == "evaluate":
        from translate.evaluation.suites import evaluate

        return evaluate
    if name in ("Evaluation", "Row"):
        from translate.evaluation import scoring

        return getattr(scoring, name)
    raise AttributeError(f"module 'translate.evaluation' has no attribute {name!r}")
