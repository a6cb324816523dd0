"""The best checkpoint of a run by the validation score of its task, and early stopping by that score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from translate.config import TrainConfig
from translate.methods.task import BestScore, History


class BestCheckpoint:
    """The best checkpoint so far, and whether the run should end because there is no better one.

    Args:
        rule: the score that selects it; None if the method has none.

    Attributes:
        record: its `step` and its `score`; empty if no checkpoint has been scored yet.
    """

    def __init__(self, rule: BestScore | None, c: TrainConfig) -> None:
        self.rule, self.patience = rule, c.early_stopping
        self.record: dict[str, Any] = {}

    def update(self, step: int, scores: Mapping[str, float]) -> bool:
        """Compare a checkpoint with the best one; return whether it is at least as good."""
        if self.rule is None or self.rule.name not in scores:
            return False
        score = scores[self.rule.name]
        is_best = score == self.record.get("score") or self._is_better(score, self.record.get("score"))
        if is_best:
            self.record = {"step": step, "score": score}
        return is_best

    def _is_better(self, score: float, best: float | None) -> bool:
        assert self.rule is not None
        if best is None or math.isnan(best):
            return True
        return score < best if self.rule.lower_is_better else score > best

    def is_patience_over(self, history: History) -> bool:
        """Return whether the last `--early-stopping` validations have found no better score."""
        if not (self.patience and self.rule):
            return False
        best, since = None, 0
        for scores in history:
            if self.rule.name in scores:
                score = scores[self.rule.name]
                is_better = self._is_better(score, best)
                best, since = (score, 0) if is_better else (best, since + 1)
        return since >= self.patience

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        """Return a line for the log if early stopping is on, but a validation has no score for it."""
        if not (self.patience and self.rule) or self.rule.name in scores:
            return []
        return [f"early stopping does not count validations without {self.rule.name}"]

    def summary(self, folder: Path, *, stopped_early: bool) -> list[str]:
        """Return lines for the end of the log: which checkpoint is the best, and whether it ended the run.

        Args:
            folder: the folder of the best model.
        """
        if self.rule is None or not self.record:
            return []
        reason = (
            f"early stopping, {self.patience} validations without a better score: " if stopped_early else ""
        )
        score, step = self.record["score"], self.record["step"]
        return [f"{reason}the best {self.rule.name} is {score:.4f}, at step {step}: its model is in {folder}"]

    @property
    def remedy(self) -> str:
        """Return the flag by which a run that has stopped early goes on, as the end of a sentence."""
        return f"an --early-stopping above {self.patience}, or 0 to turn it off"
