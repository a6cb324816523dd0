"""The training images of a domain as a reference set, whose features are computed once and stored.

They take minutes where there are thousands of images. So they are computed before the first step, in parts
after which a signal can stop it, and stored in the cache folder for resumed and later runs.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from translate.data.datasets.crops import SampleKey
from translate.data.datasets.reader import evaluation_key
from translate.data.datasets.samples import PhotoDataset
from translate.display import format_duration
from translate.errors import DataError, TranslateError
from translate.images import Pixels
from translate.methods.task import TaskData
from translate.metrics import FeatureNetwork, Features, KernelDistance
from translate.models import Model, Precision
from translate.models.feature_networks import load_feature_network
from translate.progress import Advanced, Finished, Started, emit
from translate.storage import LRUFolder, atomic_write

MAX_REFERENCES = 10_000  # Training images of a domain to compare with; of larger ones, some spread evenly.
PART, BATCH = 64, 16  # The images of one file of the cache, and those after which a signal can stop it.
MAX_BYTES = 10**9  # The limit for all features in the cache folder.
FORMAT = 1  # Increment it when features or their files change, so that old files are not used.
LONG_SECONDS = 10.0  # If computing takes longer, the log says so beforehand.
JOB = "computing features for val_kernel"
SUFFIX, CHECKSUM_BYTES = ".features", 16

_REFERENCES: WeakKeyDictionary[PhotoDataset, dict[str, KernelDistance]] = WeakKeyDictionary()


def prepare_references(model: Model, data: TaskData, precision: Precision) -> Iterator[str]:
    """Compute the reference sets of all targets of a model before the first step of a run.

    If they cannot be computed, or no translation can be scored, it does nothing, and the first validation
    says why.

    Yields:
        A line for the log, or an empty string, after each part.
    """
    targets = [
        target
        for target in dict.fromkeys(route.target for route in model.config.routes.values())
        if target in data.domains and _count_inputs(model, data, target) > 1
    ]
    with suppress(TranslateError):
        yield from compute_references(targets, data, load_feature_network(model, precision.device))


def _count_inputs(model: Model, data: TaskData, target: str) -> int:
    """Return the number of validation images that are translated into a domain."""
    sources = {route.source for route in model.config.routes.values() if route.target == target}
    names = data.domains.keys() - {target} if None in sources else sources
    return sum(len(data.domains[name].validation) for name in names if name)


def compute_references(targets: Sequence[str], data: TaskData, network: FeatureNetwork) -> Iterator[str]:
    """Compute the reference sets of domains that are not in memory, for `reference`.

    Yields:
        A line for the log, or an empty string, after each part.

    Raises:
        DataError: a domain has fewer than 2 images.
    """
    cache = FeatureCache(network)
    parts: dict[str, list[_Part]] = {}
    for name in targets:
        images = data.domains[name].train
        if network.key in _REFERENCES.setdefault(images, {}):
            continue
        parts[name] = []
        for start in range(0, len(indices := spread(images, MAX_REFERENCES)), PART):
            part = _Part(name, images, indices[start : start + PART])
            part.features = cache.read(part.key)
            parts[name].append(part)
            yield ""
    missing = [part for each in parts.values() for part in each if part.features is None]
    yield from _compute(missing, network, cache)
    for name, each in parts.items():
        features = np.concatenate([part.features for part in each if part.features is not None])
        _REFERENCES[data.domains[name].train][network.key] = KernelDistance(features)
        yield ""


def reference(target: str, data: TaskData, network: FeatureNetwork) -> KernelDistance:
    """Return the kernel distance to the training images of a domain, once they are computed."""
    return _REFERENCES[data.domains[target].train][network.key]


@dataclass(eq=False)
class _Part:
    """Some images of a domain, and their features once they are known."""

    domain: str
    images: PhotoDataset
    indices: Sequence[int]
    features: Features | None = None

    def __post_init__(self) -> None:
        files = [self.images.files[index] for index in self.indices]
        self.key = evaluation_key(files, self.images.c, self.images.reader.ranges, self.images.channels)


def _compute(parts: Sequence[_Part], network: FeatureNetwork, cache: FeatureCache) -> Iterator[str]:
    """Compute and store the features of parts; yield a line or an empty string after each batch."""
    total, done = sum(len(part.indices) for part in parts), 0
    if not total:
        return
    emit(Started(JOB, total))
    try:
        for part in parts:
            features = []
            for start in range(0, len(part.indices), BATCH):
                before, batch = time.monotonic(), part.indices[start : start + BATCH]
                features.append(network(read_images(part.images, batch)))
                done += len(batch)
                emit(Advanced(JOB, done))
                # The first batch takes longer than others.
                seconds = (time.monotonic() - before) / len(batch) * (total - done)
                yield _announce(parts, network, cache, seconds) if done == 2 * BATCH else ""
            part.features = np.concatenate(features)
            yield cache.write(part.key, part.features)
    finally:
        emit(Finished(JOB))


def _announce(parts: Sequence[_Part], network: FeatureNetwork, cache: FeatureCache, seconds: float) -> str:
    if seconds < LONG_SECONDS:
        return ""
    counts: Counter[str] = Counter()
    for part in parts:
        counts[part.domain] += len(part.indices)
    domains = " and ".join(f"{count} of {name}" for name, count in counts.items())
    return (
        f"computing {network.name}'s features of {domains} for val_kernel, once for this and later runs: it"
        f" takes about {format_duration(seconds)}; if you stop it, what is in {cache.folder.path} stays"
    )


class FeatureCache:
    """Features in the cache folder, a file for each part: a checksum, and the rows as float32.

    Networks compute float32, so nothing is lost. A file that is missing or damaged is computed again; if the
    cache folder cannot be written, nothing is stored. The least recently used files make room for new ones.
    """

    def __init__(self, network: FeatureNetwork) -> None:
        self.folder = LRUFolder("features", (SUFFIX,))
        self.network, self.has_failed = network, False

    def read(self, key: str) -> Features | None:
        """Read the features of a part, (N, D); None if they are missing or damaged."""
        stem = self._stem(key)
        try:
            content = self.folder.file(stem, SUFFIX).read_bytes()
            self.folder.mark_used(stem)
        except OSError:
            return None
        rows = content[CHECKSUM_BYTES:]
        if content[:CHECKSUM_BYTES] != _checksum(rows) or len(rows) % (4 * self.network.dimensions):
            return None
        return np.frombuffer(rows, "<f4").reshape(-1, self.network.dimensions).astype(np.float64)

    def write(self, key: str, features: Features) -> str:
        """Write the features of a part; return a line for the log if the first one cannot be written."""
        stem, rows = self._stem(key), features.astype("<f4").tobytes()
        try:
            atomic_write(self.folder.file(stem, SUFFIX), _checksum(rows) + rows)
            self.folder.evict(MAX_BYTES, keep=stem)
        except OSError as error:
            if not self.has_failed:
                self.has_failed = True
                return (
                    f"cannot store features in {self.folder.path}: {error.strerror}: every run computes them"
                    " again; set TRANSLATE_CACHE to a folder that can be written"
                )
        return ""

    def _stem(self, key: str) -> str:
        return hashlib.blake2b(f"{FORMAT} {self.network.key} {key}".encode(), digest_size=16).hexdigest()


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=CHECKSUM_BYTES).digest()


def spread(images: PhotoDataset, count: int) -> list[int]:
    """Return the indices of up to `count` images of a dataset, spread evenly over it."""
    indices = np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)
    return [int(index) for index in indices]


def read_images(images: PhotoDataset, indices: Sequence[int]) -> Iterator[Pixels]:
    """Yield images of a dataset of photos, (H, W, 3); leave out unreadable ones."""
    for index in indices:
        with suppress(DataError):
            photo = images[SampleKey(0, index)]["photo"]
            yield np.ascontiguousarray(photo.permute(1, 2, 0).numpy())
