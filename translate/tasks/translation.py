"""Image-to-image translation, paired and unpaired."""

from __future__ import annotations

from translate.config import TranslationConfig
from translate.data.check import without_unreadable
from translate.data.layouts import find_paired, find_unpaired, fingerprint
from translate.data.sets import PairedSet, Sample, UnpairedSet, decoded, pack_of
from translate.metrics import l1, psnr
from translate.tasks.looking import SCORED, Generators, OneByOne, Shown
from translate.tasks.task import Data, Task
from translate.trainers.cyclegan import CycleGAN
from translate.trainers.pix2pix import Pix2Pix


def _paired_data(c: TranslationConfig) -> Data:
    found = find_paired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    pack = pack_of(found.train, c)
    found = without_unreadable(found, decoded(pack))
    return Data(
        train=PairedSet(found.train, c, training=True, pack=pack),
        held_out=PairedSet(found.held_out or found.train, c, training=False),
        summary=found.summary,
        notes=found.notes,
        fingerprint=fingerprint(found),
    )


def _unpaired_data(c: TranslationConfig) -> Data:
    found = find_unpaired(c.data, c.domain_a, c.domain_b, cache_size=c.cache_size)
    pack = pack_of([*found.train[0], *found.train[1]], c)
    found = without_unreadable(found, decoded(pack))
    (a, b), (held_a, held_b) = found.train, found.held_out
    return Data(
        train=UnpairedSet((a, b), c, training=True, pack=pack),
        held_out=UnpairedSet((held_a or a, held_b or b), c, training=False),
        summary=found.summary,
        notes=found.notes,
        fingerprint=fingerprint(found),
    )


def _show_pair(generators: Generators, batch: Sample) -> Shown:
    (generator,) = generators.values()
    return {"input": batch["a"], "translated": generator(batch["a"]), "truth": batch["b"]}


def _score_pair(shown: Shown) -> dict[str, float]:
    return {
        "val_l1": l1(shown["translated"], shown["truth"]),
        "val_psnr": psnr(shown["translated"], shown["truth"]),
    }


def _show_cycle(generators: Generators, batch: Sample) -> Shown:
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


def _score_cycle(shown: Shown) -> dict[str, float]:
    return {
        "val_cycle_a": l1(shown["A again"], shown["A"]),
        "val_cycle_b": l1(shown["B again"], shown["B"]),
    }


PIX2PIX = Task(Pix2Pix, _paired_data, OneByOne(_show_pair, _score_pair, SCORED), best="val_l1")
# A cycle closes best when nothing changes: no score of its own tells the best checkpoint.
CYCLEGAN = Task(CycleGAN, _unpaired_data, OneByOne(_show_cycle, _score_cycle), best=None)
