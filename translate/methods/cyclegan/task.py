"""The task of CycleGAN: a dataset of two domains, and validation without truth."""

from __future__ import annotations

from translate.data.datasets.samples import Sample
from translate.methods.cyclegan.trainer import CycleGAN
from translate.methods.data import unpaired_data
from translate.methods.models import translation_model
from translate.methods.references import prepare_references
from translate.methods.task import Task
from translate.methods.unpaired import BEST_KERNEL, UnpairedValidation
from translate.methods.validation import Columns, Generators, Validation
from translate.metrics import l1


def _make_columns(generators: Generators, batch: Sample) -> Columns:
    a_to_b, b_to_a = generators["AtoB"], generators["BtoA"]
    fake_b, fake_a = a_to_b(batch["a"]), b_to_a(batch["b"])
    return {
        "A": batch["a"],
        "A to B": fake_b,
        "A reconstructed": b_to_a(fake_b),
        "B": batch["b"],
        "B to A": fake_a,
        "B reconstructed": a_to_b(fake_a),
    }


def _score(columns: Columns) -> dict[str, float]:
    return {
        "val_cycle_a": l1(columns["A reconstructed"], columns["A"]),
        "val_cycle_b": l1(columns["B reconstructed"], columns["B"]),
    }


# The cycle loss selects no checkpoint, because it is lowest if the generators change nothing.
TASK = Task(
    trainer=CycleGAN,
    data=unpaired_data,
    validate=UnpairedValidation(Validation(_make_columns, _score)),
    model=translation_model(paired=False),
    best=BEST_KERNEL,
    prepare=prepare_references,
)
