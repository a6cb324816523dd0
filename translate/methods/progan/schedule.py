"""The schedule of progressive growing: which level trains at which part of a run."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from torch import Tensor

from translate.methods.progan.config import ProGANConfig


@dataclass(frozen=True)
class Phase:
    """A phase of a run, in which a level fades in, or has its full weight.

    Attributes:
        level: images have 4 * 2^level pixels a side.
        fades: whether the level fades in.
        start, end: fractions of the run, 0 to 1.
    """

    level: int
    fades: bool
    start: float
    end: float

    def alpha(self, fraction: Tensor) -> Tensor | None:
        """Return the weight of the level, () from 0 to 1, at a fraction of the run; None if it is full."""
        return ((fraction - self.start) / (self.end - self.start)).clamp(0, 1) if self.fades else None


def plan_phases(c: ProGANConfig) -> list[Phase]:
    """Return the phases of a run: the first level, then each level twice, fading in and at full weight.

    By default, every phase sees equally many images (arXiv:1710.10196, appendix A.1), so that a phase of
    large batches is a smaller part of the run. In a run of minutes, all steps count as equally long.
    """
    kinds = [(level, fades) for level in range(c.depth + 1) for fades in (True, False)][1:]
    lengths = [(c.fade if fades else 1 - c.fade) / c.batch_size_at(level) for level, fades in kinds]
    *growing, _ = lengths
    if growing:
        share = sum(growing) / sum(lengths) if c.growth is None else c.growth
        lengths = [share * length / sum(growing) for length in growing] + [1 - share]
    ends = list(accumulate(lengths))
    return [Phase(*kind, start, end) for kind, start, end in zip(kinds, [0.0, *ends[:-1]], ends, strict=True)]


def phase_index(phases: list[Phase], fraction: float) -> int:
    """Return the index of the phase at a fraction of the run; a phase without length is left out."""
    return bisect_right([phase.start for phase in phases], fraction) - 1
