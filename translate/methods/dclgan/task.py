"""The task of DCLGAN: a dataset of two domains, and validation without truth."""

from __future__ import annotations

from translate.data.datasets.samples import Sample
from translate.methods.data import unpaired_data
from translate.methods.dclgan.trainer import DCLGAN
from translate.methods.models import translation_model
from translate.methods.references import prepare_references
from translate.methods.task import Task
from translate.methods.unpaired import BEST_KERNEL, UnpairedValidation
from translate.methods.validation import Columns, Generators, Validation


def _make_columns(generators: Generators, batch: Sample) -> Columns:
    a_to_b, b_to_a = generators["AtoB"], generators["BtoA"]
    return {"A": batch["a"], "A to B": a_to_b(batch["a"]), "B": batch["b"], "B to A": b_to_a(batch["b"])}


TASK = Task(
    trainer=DCLGAN,
    data=unpaired_data,
    validate=UnpairedValidation(Validation(_make_columns)),
    model=translation_model(paired=False),
    best=BEST_KERNEL,
    prepare=prepare_references,
)
