"""Applying a model of several domains: one network and one engine for all targets, one folder for each."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import translate
from tests.unit.inference.making import StandInGraph, load, multi_domain_model, noise, random_model, scene
from translate.config import FolderOptions, Route
from translate.errors import UsageError
from translate.inference.batch.folder import plan_folders, translate_files
from translate.inference.batch.plan import scan_inputs
from translate.inference.runtime import engines, runner
from translate.inference.runtime.formats import ExportFormat
from translate.models import Model

COATS = ("black", "brown", "striped")


@pytest.fixture(scope="module")
def coats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model of three coats; return its folder."""
    folder = tmp_path_factory.mktemp("model")
    multi_domain_model(*COATS).save_pretrained(folder)
    return folder


@pytest.fixture
def translator(coats: Path) -> translate.Translator:
    return translate.load(coats, device="cpu", precision="fp32", engine="torch")


def expected(model: Model, image: np.ndarray, label: list[float]) -> np.ndarray:
    """Return what the network gives for an image and a label, (H, W, 3) uint8."""
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        y = model.generator()(x, torch.tensor([label]))[0].permute(1, 2, 0)
    return ((y + 1) * 127.5).round().byte().numpy()


def image_files(folder: Path, *names: str) -> Path:
    """Write small images; return the folder."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(16, 20, seed=seed)).save(path)
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def test_one_loaded_model_translates_to_every_domain(translator: translate.Translator, coats: Path) -> None:
    model, image = Model.from_pretrained(coats), noise(16, 20)
    for index in (2, 0, 1, 2):
        output = translator(image, to=COATS[index])
        difference = output.astype(int) - expected(model, image, [float(n == index) for n in range(3)])
        assert np.abs(difference).max() <= 1  # By the rounding of the last bit.
    loaded = translate.load(coats, to="brown", device="cpu", precision="fp32", engine="torch")
    assert np.array_equal(loaded(image), translator(image, to="brown"))
    assert np.array_equal(loaded(image, to="black"), translator(image, to="black"))
    assert loaded.direction == "brown"


def test_attributes_are_the_whole_target() -> None:
    model, image = multi_domain_model("blond", "young", "male", exclusive=False), noise(16, 20)
    predictor = load(model)
    for to, label in {"blond,male": [1, 0, 1], "none": [0, 0, 0], "young": [0, 1, 0]}.items():
        output = predictor.for_target(to)(image)
        assert np.abs(output.astype(int) - expected(model, image, [float(n) for n in label])).max() <= 1
    assert predictor.for_target("male, blond") is predictor.for_target("blond,male")


def test_options_of_one_call_do_not_reach_another() -> None:
    predictor, image = load(multi_domain_model("brown", "black")), noise(16, 20, channels=4)
    opaque = predictor.with_options(alpha="drop")
    assert opaque.for_target("black")(image).shape == (16, 20, 3)
    assert predictor.for_target("black")(image).shape == (16, 20, 4)
    assert opaque.for_target("black")(image).shape == (16, 20, 3)


def test_predictors_of_targets_that_were_used_long_ago_are_released() -> None:
    names = [f"n{number}" for number in range(7)]
    predictor = load(multi_domain_model(*names, exclusive=False))
    targets = [",".join(some) for count in (1, 2, 3) for some in combinations(names, count)]
    first, second = (
        weakref.ref(predictor.for_target(targets[0])),
        weakref.ref(predictor.for_target(targets[1])),
    )
    for target in targets[2:]:
        predictor.for_target(target)
        predictor.for_target(targets[0])
    gc.collect()
    assert len(targets) == 63
    assert second() is not None
    for target in ("none", ",".join(names)):
        predictor.for_target(target)
    gc.collect()
    assert first() is not None
    assert second() is None


def test_the_targets_share_the_weights(translator: translate.Translator) -> None:
    networks = [translator.predictor.for_target(to).generator for to in COATS]
    addresses = {tuple(weight.data_ptr() for weight in network.parameters()) for network in networks}
    assert len(addresses) == 1
    assert networks[0](torch.zeros(2, 3, 8, 12)).shape == (2, 3, 8, 12)
    assert translator.generator(torch.zeros(1, 3, 8, 8), torch.eye(3)[:1]).shape == (1, 3, 8, 8)


def test_threads_with_different_targets_do_not_disturb_each_other(coats: Path) -> None:
    image, targets = noise(16, 20), [*COATS] * 4
    predictor = load(Model.from_pretrained(coats))
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda to: predictor.for_target(to)(image), targets))
    for to, output in zip(targets, outputs, strict=True):
        assert np.array_equal(output, load(Model.from_pretrained(coats), to=to)(image))


def test_a_graph_of_one_target_does_not_serve_another(coats: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise(16, 20)
    plain = load(Model.from_pretrained(coats))
    monkeypatch.setattr(runner, "find_capture", lambda device: StandInGraph)
    graphed = load(Model.from_pretrained(coats))
    for _ in range(12):
        for to in COATS:
            output = graphed.for_target(to)(image)
    for to in COATS:
        output = graphed.for_target(to)(image).astype(int)
        assert np.abs(output - plain.for_target(to)(image)).max() <= 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_tiles_have_the_statistics_of_the_whole_image(coats: Path, precision: str) -> None:
    image, model = scene(240, 200), Model.from_pretrained(coats)
    whole = load(model, to="striped", precision=precision, tile="off")(image).astype(int)
    tiled = load(model, to="striped", precision=precision, tile=96)(image)
    assert np.abs(whole - tiled).mean() < 1


def test_an_engine_is_converted_once_for_all_targets(
    coats: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    model, image, conversions = Model.from_pretrained(coats), noise(16, 20), []

    def convert(program: object, metadata: dict[str, str]) -> dict[str, bytes]:
        conversions.append(program)
        return {".onnx": b"converted"}

    library = ExportFormat((".onnx",), (), "", convert, lambda files, dtype: model.generator())
    monkeypatch.setattr(engines, "LIBRARIES", {"onnxruntime": library})
    monkeypatch.setattr(engines, "trace_program", lambda *_: "program")
    for predictor in (load(model, engine="onnxruntime"), load(model, engine="onnxruntime", to="brown")):
        assert predictor.runner.engine == "onnxruntime"
        for to in COATS:
            assert np.array_equal(predictor.for_target(to)(image), load(model, to=to)(image))
    assert conversions == ["program"]
    assert len(list(own_cache.rglob("*.onnx"))) == 1


def test_all_writes_a_folder_for_each_domain(translator: translate.Translator, tmp_path: Path) -> None:
    photos, out = image_files(tmp_path / "photos", "a.png", "herd/b.png"), tmp_path / "out"
    outcomes = translator.folder(photos, out, to="all")
    names = [f"{domain}/{name}" for domain in COATS for name in ("a.png", "herd/b.png")]
    assert [str(outcome.target.relative_to(out)) for outcome in outcomes] == names
    assert sorted(files_below(out)) == sorted(names)
    with Image.open(out / "striped" / "herd" / "b.png") as image:
        assert np.array_equal(image, translator(noise(16, 20, seed=1), to="striped"))
    again = translator.folder(photos, out, to="all")
    assert all(outcome.skipped for outcome in again)
    (one, _) = translator.folder(photos, out / "brown", to="brown")
    assert one.skipped


def test_processes_divide_the_images_of_every_domain(coats: Path, tmp_path: Path) -> None:
    photos, out = image_files(tmp_path / "photos", "a.png", "b.png", "c.png"), tmp_path / "out"
    predictor, options = load(Model.from_pretrained(coats)), FolderOptions()
    written = []
    for rank in range(2):
        folders = plan_folders(predictor, "all", [photos], scan_inputs([photos], out), out, options)
        outcomes = translate_files(folders, options, rank_and_size=(rank, 2))
        written.append([str(outcome.target.relative_to(out)) for outcome in outcomes])
    assert written[1] == [f"{domain}/b.png" for domain in COATS]
    assert len(written[0]) == 6
    assert sorted(written[0] + written[1]) == sorted(files_below(out))


def test_another_target_into_the_same_folder_translates_again(
    translator: translate.Translator, tmp_path: Path
) -> None:
    photos, out = image_files(tmp_path / "photos", "a.png"), tmp_path / "out"
    translator.folder(photos, out, to="black")
    black = files_below(out)
    (outcome,) = translator.folder(photos, out, to="striped")
    assert not outcome.skipped
    assert files_below(out).keys() == black.keys()
    assert files_below(out) != black
    (outcome,) = translator.folder(photos, out, to="striped")
    assert outcome.skipped


def test_the_folder_of_a_domain_must_not_be_the_input(
    translator: translate.Translator, tmp_path: Path
) -> None:
    photos = image_files(tmp_path / "coats" / "black", "a.png")
    before = files_below(tmp_path)
    with pytest.raises(UsageError, match=r"coats/black is the input folder"):
        translator.folder(photos, tmp_path / "coats", to="all")
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("to", "parts"),
    [
        (None, ["no target", *COATS, "all"]),
        ("stripd", ["'stripd'", "did you mean 'striped'", *COATS]),
        ("horse", ["'horse'", *COATS]),
        ("", ["''", *COATS]),
        ("black,brown", ["black,brown", "an image has one", *COATS]),
        ("all", ["'all'", *COATS, "folder"]),
        (["black"], ["['black']", "string"]),
    ],
)
def test_an_image_needs_one_domain_of_the_model(
    translator: translate.Translator, to: str | None, parts: list[str]
) -> None:
    with pytest.raises(UsageError) as error:
        translator(noise(16, 20), to=to)
    assert all(part in str(error.value) for part in parts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("exclusive", "options", "parts"),
    [
        (True, {"direction": "AtoB"}, ["AtoB", "--to", "black, white"]),
        (True, {"direction": "black"}, ["--direction black", "--to"]),
        (True, {"to": "white,grey"}, ["'grey'", "black, white"]),
        (False, {"to": "all"}, ["all", "black, white", "--to black,white"]),
        (False, {"to": "blak"}, ["attribute 'blak'", "'black'"]),
    ],
)
def test_a_model_of_several_domains_is_not_loaded_with_a_wrong_target(
    exclusive: bool, options: dict[str, str], parts: list[str]
) -> None:
    with pytest.raises(UsageError) as error:
        load(multi_domain_model("black", "white", exclusive=exclusive), **options)
    assert all(part in str(error.value) for part in parts)


def test_a_model_of_two_domains_names_the_direction_instead() -> None:
    one_way = random_model()
    routes = {name: Route(source=name[0], target=name[-1], generator="AtoB") for name in ("AtoB", "BtoA")}
    two_ways = Model(one_way.config.replace(routes=routes), {"AtoB": one_way.generator()})
    for model, part in ((one_way, "A to B only"), (two_ways, "--direction BtoA translates B to A")):
        with pytest.raises(UsageError, match=part):
            load(model, to="A")
        with pytest.raises(UsageError, match=part):
            load(model).for_target("A")


def test_files_of_12_bits_are_read_in_the_range_of_the_training() -> None:
    ranges = {name: [0.0, 4095.0] for name in COATS}
    predictor = load(multi_domain_model(*COATS, data_range=ranges), to="brown")
    same = load(multi_domain_model(*COATS), to="brown")
    image = noise(16, 20).astype(np.uint16)
    output = predictor(image * 16)
    assert output.max() <= 4095
    reference = same((image.astype(float) * 16 / 4095 * 65535).round().astype(np.uint16)) / 65535 * 4095
    assert np.abs(output - reference).max() <= 1
