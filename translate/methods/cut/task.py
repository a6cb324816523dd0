"""The task of CUT and FastCUT: a dataset of two domains, and validation without truth."""

from __future__ import annotations

from translate.data.datasets.samples import Sample
from translate.methods.cut.trainer import CUT
from translate.methods.data import unpaired_data
from translate.methods.models import translation_model
from translate.methods.references import prepare_references
from translate.methods.task import Task
from translate.methods.unpaired import BEST_KERNEL, UnpairedValidation
from translate.methods.validation import Columns, Generators, Validation


def _make_columns(generators: Generators, batch: Sample) -> Columns:
    ((direction, g),) = generators.items()
    source, target = ("A", "B") if direction == "AtoB" else ("B", "A")
    x, y = batch[source.lower()], batch[target.lower()]
    # The identity part of CUT's loss asks for a translation that leaves the target domain as it is.
    return {source: x, f"{source} to {target}": g(x), target: y, f"{target} identity": g(y)}


TASK = Task(
    trainer=CUT,
    data=unpaired_data,
    # PatchNCE is no score: it is lowest where the generator changes nothing.
    validate=UnpairedValidation(Validation(_make_columns)),
    model=translation_model(paired=False),
    best=BEST_KERNEL,
    prepare=prepare_references,
)
