"""CycleGAN: two domains, and how well the cycles close."""

from __future__ import annotations

from translate.data.datasets.samples import Sample
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.data import unpaired_data
from translate.methods.models import translation_model
from translate.methods.task import Task
from translate.methods.validation import Generators, Shown, Validation
from translate.metrics import l1


def _show(generators: Generators, batch: Sample) -> Shown:
    a_to_b, b_to_a = generators["AtoB"], generators["BtoA"]
    fake_b, fake_a = a_to_b(batch["a"]), b_to_a(batch["b"])
    return {
        "A": batch["a"],
        "A to B": fake_b,
        "A again": b_to_a(fake_b),
        "B": batch["b"],
        "B to A": fake_a,
        "B again": a_to_b(fake_a),
    }


def _score(shown: Shown) -> dict[str, float]:
    return {
        "val_cycle_a": l1(shown["A again"], shown["A"]),
        "val_cycle_b": l1(shown["B again"], shown["B"]),
    }


# A cycle closes best when nothing changes, so no score of its own tells the best checkpoint.
TASK = Task(
    trainer=CycleGAN,
    data=unpaired_data,
    validate=Validation(_show, _score),
    model=translation_model(paired=False),
)
