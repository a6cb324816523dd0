"""Score a model on a data set: what is scored, and by what, follows from the kind of the model.

Importing this package, or its `protocols`, imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from translate.evaluation.scoring import Evaluation, Row
    from translate.evaluation.suites import evaluate

__all__ = ["Evaluation", "Row", "evaluate"]


def __getattr__(name: str) -> Any:
    """Import torch when it is first needed: the help of the command line reads the protocols only."""
    if name == "evaluate":
        from translate.evaluation.suites import evaluate

        return evaluate
    if name in ("Evaluation", "Row"):
        from translate.evaluation import scoring

        return getattr(scoring, name)
    raise AttributeError(f"module 'translate.evaluation' has no attribute {name!r}")
