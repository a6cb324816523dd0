"""How well a model does on pictures whose true answer is known: one function for each kind of model."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import cv2
import numpy as np

from translate.config import ModelConfig
from translate.data.layouts import (
    DATASETS,
    HELD_OUT_NAMES,
    Pair,
    Source,
    find_paired,
    find_photos,
    find_unpaired,
)
from translate.errors import DataError, UsageError
from translate.images import Pixels, picture_name, read_rgb, resized
from translate.images.lab import join_lab, split_lab
from translate.images.tensors import to_pixels, to_tensor
from translate.inference import Translator
from translate.metrics.frechet import Features
from translate.tasks.holes import (
    ALL,
    BASELINES,
    CLASSES,
    DRAWN,
    FROM_FILES,
    OVER,
    UNDER,
    Filler,
    drawn,
    mask_files,
)
from translate.tasks.scoring import (
    TRUE_COLORFULNESS,
    Critic,
    Evaluation,
    Row,
    Scored,
    Scores,
    distance,
    share_of,
)

SIDE = 256  # pixels of a photo's crop
CROP = f"a shorter side over {SIDE} px scaled down to it by area, then the middle {SIDE} x {SIDE} at most"

Item = TypeVar("Item")
Look = Callable[[int, Source], Item]  # at file n


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be scored.

    Attributes:
        translators: one for each direction of the model.
        data: a folder in one of the layouts of `translate.data.layouts`, or its name.
        masks: a folder of masks, white in the hole; None draws them.
        baselines: fill the holes without a model, too.
        progress: is told how many pictures are done, of how many.
    """

    translators: Mapping[str, Translator]
    data: str
    critic: Critic
    masks: Path | None = None
    baselines: bool = False
    progress: Callable[[float, int], None] = lambda done, total: None


def colorize(r: Request) -> Evaluation:
    """Photos coloured anew, beside those without colour."""
    translator, *_ = r.translators.values()
    files, which = _photos(r.data)

    def score(number: int, path: Source) -> Scores:
        truth = crop(_read(path))
        colored = {"gray": gray(truth), "model": translator(truth)}
        return {("", name): r.critic(picture, truth) for name, picture in colored.items()}

    scored, left_out = _each(r, files, score)
    rows = _rows(scored)
    for row in rows if "frechet" in rows[0].values else []:
        row.values["frechet-share"] = share_of(row.values["frechet"], rows[0].values["frechet"])
    return Evaluation(rows, {"pictures": f"{which}; {CROP}"}, len(scored), left_out)


def inpaint(r: Request) -> Evaluation:
    """Photos whose holes are filled, by the size of the hole."""
    translator, *_ = r.translators.values()
    files, which = _photos(r.data)
    notes: list[str] = []
    holes = mask_files(r.masks, notes) if r.masks else drawn
    how = f"{FROM_FILES} {picture_name(r.masks)}" if r.masks else DRAWN
    fillers: dict[str, Filler] = {"model": translator, **(BASELINES if r.baselines else {})}

    def score(number: int, path: Source) -> Scores:
        truth = crop(_read(path))
        fills = [(*hole, name) for hole in holes(number, truth.shape[:2]) for name in fillers]
        scored: Scores = {}
        for done, (size, hole, name) in enumerate(fills):
            r.progress(number + done / len(fills), len(files))
            holed = np.where(hole[..., None], np.uint8(0), truth)  # what is in the hole is shown to none
            scored[size, name] = r.critic(fillers[name](holed, hole), truth, hole)
        return scored

    scored, left_out = _each(r, files, score)
    together = [{(ALL, name): one} for found in scored for (_, name), one in found.items()]
    rows = _rows(scored + together, (UNDER, *CLASSES, OVER, ALL))
    return Evaluation(rows, {"pictures": f"{which}; {CROP}", "holes": how}, len(scored), left_out, notes)


def paired(r: Request) -> Evaluation:
    """Pictures whose true translation is there."""
    translator, *_ = r.translators.values()
    found = find_paired(r.data, None, None)
    pairs = found.held_out or found.train

    def score(number: int, path: Source) -> Scores:
        given, truth = _read_pair(pairs[number], translator.direction)
        made = {"untranslated": given, "model": _rgb(translator(given))}
        return {("", name): r.critic(picture, truth) for name, picture in made.items()}

    scored, left_out = _each(r, [pair.a for pair in pairs], score)
    which = "held-out" if found.held_out else "all"
    protocol = {"pictures": f"{which} pairs of {r.data}, at their own size"}
    return Evaluation(_rows(scored), protocol, len(scored), left_out, found.notes)


def unpaired(r: Request) -> Evaluation:
    """Pictures of two kinds: how alike the translated and the true ones are, as sets."""
    found = find_unpaired(r.data, None, None)
    a, b = (held or train for held, train in zip(found.held_out, found.train, strict=True))
    true: dict[str, list[Features]] = {"A": [], "B": []}
    made: dict[str, list[Features]] = {direction: [] for direction in r.translators}

    def look(number: int, path: Source) -> None:
        picture, kind = _read(path), "A" if number < len(a) else "B"
        for direction, translator in r.translators.items():
            if direction.startswith(kind):
                made[direction].append(r.critic.features(_rgb(translator(picture))))
        true[kind].append(r.critic.features(picture))

    seen, left_out = _each(r, a + b, look)
    rows = []
    for direction, translated in made.items():
        source, target = direction[0], direction[-1]
        for name, given in (("untranslated", true[source]), ("model", translated)):
            values = {"frechet": distance(given, true[target])}
            rows.append(Row(f"{source} to {target}", name, len(given), values))
    protocol = {"pictures": f"held-out pictures of {r.data}, at their own size"}
    return Evaluation(rows, protocol, len(seen), left_out, found.notes)


def _each(r: Request, files: Sequence[Source], score: Look[Item]) -> tuple[list[Item], list[str]]:
    """What `score` says of each file, by its number; and why it said nothing of the others.

    Raises:
        DataError: it said nothing of any.
    """
    done: list[Item] = []
    left_out = []
    for number, path in enumerate(files):
        r.progress(number, len(files))
        try:
            done.append(score(number, path))
        except DataError as error:
            name = picture_name(str(path))
            left_out.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
    if not done:
        raise DataError(f"none of {len(files)} pictures can be scored; the first: {left_out[0]}")
    return done, left_out


def _rows(scored: Iterable[Scores], groups: Sequence[str] = ("",)) -> list[Row]:
    """The scores of all pictures by their rows, the groups in that order."""
    rows: dict[tuple[str, str], list[Scored]] = defaultdict(list)
    for scores in scored:
        for row, one in scores.items():
            rows[row].append(one)
    return [_row(*row, rows[row]) for row in sorted(rows, key=lambda row: groups.index(row[0]))]


def _row(group: str, name: str, scored: Sequence[Scored]) -> Row:
    means: dict[str, float | None] = {s: fmean(one.values[s] for one in scored) for s in scored[0].values}
    if TRUE_COLORFULNESS in means:
        means["colorfulness-share"] = share_of(means["colorfulness"], means.pop(TRUE_COLORFULNESS))
    if len(scored[0].features):
        means["frechet"] = distance([one.features for one in scored], [one.true_features for one in scored])
    return Row(group, name, len(scored), means)


def _photos(data: str) -> tuple[list[Source], str]:
    """The photos to score by, of a flat folder all of them; and which they are, in words."""
    found = find_photos(data)
    root = Path(data) if Path(data).is_dir() else DATASETS / data
    if found.held_out and any((root / part).is_dir() for part in ("train", *HELD_OUT_NAMES)):
        return found.held_out, f"held-out photos of {data}"
    return sorted(found.files(), key=str), f"all photos of {data}"


def _read(path: Source) -> Pixels:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of small damage that it can read around
        return read_rgb(path)


def _read_pair(pair: Pair, direction: str) -> tuple[Pixels, Pixels]:
    """What is translated, and its truth; B is brought to A's size, as in training."""
    a = _read(pair.a)
    half = a.shape[1] // 2
    a, b = (a[:, :half], a[:, half : 2 * half]) if pair.b is None else (a, _read(pair.b))
    b = resized(b, *a.shape[:2])
    return (b, a) if direction == "BtoA" else (a, b)


def crop(photo: Pixels) -> Pixels:
    """The middle of a photo, at most 256 x 256; a shorter side over 256 is scaled down to it first."""
    factor = SIDE / min(photo.shape[:2])
    if factor < 1:
        size = (round(photo.shape[1] * factor), round(photo.shape[0] * factor))
        photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    top, left = (max(0, side - SIDE) // 2 for side in photo.shape[:2])
    return np.ascontiguousarray(photo[top : top + SIDE, left : left + SIDE])


def gray(picture: Pixels) -> Pixels:
    """A picture's lightness in Lab, a and b being 0; (H, W, 3)."""
    light, chroma = split_lab(to_tensor(picture))
    return to_pixels(join_lab(light, 0 * chroma)[0])


def _rgb(pixels: Pixels) -> Pixels:
    """(H, W, 3) of a model's answer, which may be gray."""
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)


KINDS = {"colorize": colorize, "inpaint": inpaint, "pix2pix": paired, "cyclegan": unpaired}


def kind_of(config: ModelConfig) -> str:
    """Which of `KINDS` a model is of.

    Raises:
        UsageError: of none.
    """
    if config.mask or config.color == "Lab":
        return "inpaint" if config.mask else "colorize"
    if config.recipe not in KINDS:
        raise UsageError(f"recipe {config.recipe!r} has no scores: give a model of {', '.join(KINDS)}")
    return config.recipe
