"""The Frechet distance, where its answer is known; the features, from ImageNet's real weights."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from translate.errors import DataError, TranslateError
from translate.metrics import ImageFeatures, frechet_distance
from translate.metrics.frechet import Features
from translate.metrics.images import Pixels

FILE = "hub/checkpoints/mobilenet_v2-b0353104.pth"


def normal(count: int, dimensions: int, seed: int) -> Features:
    """Samples of a Gaussian with its own mean and its own, not diagonal, covariance."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(dimensions, dimensions))
    return random.normal(size=(count, dimensions)) @ mixing + random.normal(size=dimensions)


def with_spread(*deviations: float) -> Features:
    """Samples with mean 0 and exactly these standard deviations along the axes."""
    points = np.diag(deviations)
    return np.concatenate([points, -points]) * np.sqrt((2 * len(deviations) - 1) / 2)


def literal_distance(x: Features, y: Features) -> float:
    """arXiv:1706.08500, eq. 6, as it is written."""
    c1, c2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    difference = x.mean(axis=0) - y.mean(axis=0)
    return float(difference @ difference + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real))


@pytest.mark.parametrize(("count", "others"), [(50, 50), (9, 200), (300, 31)])
def test_it_is_the_papers(count: int, others: int) -> None:
    x, y = normal(count, 7, 0), normal(others, 7, 1)
    assert frechet_distance(x, y) == pytest.approx(literal_distance(x, y), rel=1e-9)


def test_gaussians_with_a_known_answer() -> None:
    x, y = with_spread(1, 2, 3), with_spread(4, 2, 1)
    assert frechet_distance(x, y) == pytest.approx(3**2 + 0 + 2**2)
    assert frechet_distance(x, y + np.array([1, 2, 2])) == pytest.approx(13 + 9)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_few_images_of_many_features(count: int) -> None:
    """The covariances are singular; those of x and of a multiple of x still have a known distance."""
    x, shift = normal(count, 30, 0), np.linspace(-1, 1, 30)
    spread = np.trace(np.cov(x, rowvar=False))
    centered = x - x.mean(axis=0)
    assert frechet_distance(x, 3 * centered + x.mean(axis=0)) == pytest.approx(4 * spread)
    assert frechet_distance(x, x + shift) == pytest.approx(shift @ shift)


def test_sets_that_vary_in_different_features_share_nothing() -> None:
    x, y = with_spread(3, 4, 0, 0), with_spread(0, 0, 5, 6)
    assert frechet_distance(x, y) == pytest.approx(9 + 16 + 25 + 36)


@pytest.mark.parametrize("count", [3, 60])
def test_a_set_is_at_no_distance_from_itself_in_any_order(count: int) -> None:
    x = normal(count, 20, 0)
    assert 0 <= frechet_distance(x, x[::-1]) < 1e-9


def test_it_is_symmetric() -> None:
    x, y = normal(6, 20, 0), normal(90, 20, 1)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x))


def test_single_precision_is_measured_in_double() -> None:
    x, y = (1000 + normal(30, 5, seed).astype(np.float32) for seed in (0, 1))
    expected = frechet_distance(x.astype(np.float64), y.astype(np.float64))
    assert frechet_distance(x, y) == expected


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_is_no_set(count: int) -> None:
    for sets in [(normal(count, 4, 0), normal(5, 4, 1)), (normal(5, 4, 1), normal(count, 4, 0))]:
        with pytest.raises(DataError, match=f"a set of {count}: .*2 images or more"):
            frechet_distance(*sets)


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def network(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> ImageFeatures:
    if not (real_data / "torch" / FILE).is_file():
        pytest.skip(f"no weights at {real_data / 'torch' / FILE}: torchvision's MobileNetV2, of ImageNet")
    monkeypatch.setenv("TORCH_HOME", str(real_data / "torch"))
    return ImageFeatures()


def test_features_are_what_the_classifier_sees(network: ImageFeatures) -> None:
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2
    from torchvision.transforms import functional as transforms

    image = noise(300, 280)
    resized = transforms.resize(torch.from_numpy(image).permute(2, 0, 1) / 255, [256], antialias=True)
    middle = transforms.center_crop(resized, [224])
    x = transforms.normalize(middle, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    whole = mobilenet_v2(weights=MobileNet_V2_Weights.IMAGENET1K_V1).eval()
    features = torch.from_numpy(network([image])).float()
    with torch.no_grad():
        assert torch.allclose(whole.classifier(features), whole(x[None]), atol=0.05)  # 8 bits are rounded


def test_features_know_a_cat(network: ImageFeatures) -> None:
    from skimage.data import chelsea
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    weights = MobileNet_V2_Weights.IMAGENET1K_V1
    scores = mobilenet_v2(weights=weights).eval().classifier(torch.from_numpy(network([chelsea()])).float())
    assert weights.meta["categories"][scores.argmax()] in ("Egyptian cat", "tabby", "tiger cat")


def test_images_of_all_sizes_in_batches(network: ImageFeatures) -> None:
    sizes = [(256, 256), (40, 300), (300, 40), (1, 1), *[(60 + n, 50) for n in range(14)]]
    images = [noise(*size, seed=number) for number, size in enumerate(sizes)]
    features = network(iter(images))
    assert features.dtype == np.float64
    assert features.shape == (18, 1280)
    for number in (0, 15, 16, 17):
        assert np.allclose(features[number], network([images[number]])[0], atol=1e-5)


def test_features_of_nothing(network: ImageFeatures) -> None:
    assert network([]).shape == (0, 1280)


def test_building_the_network_leaves_the_random_numbers_alone(network: ImageFeatures) -> None:
    state = torch.get_rng_state()
    ImageFeatures()
    assert torch.equal(torch.get_rng_state(), state)


def test_only_tensors_are_read(network: ImageFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, load = [], torch.load
    monkeypatch.setattr(
        torch, "load", lambda *args, **settings: asked.append(settings) or load(*args, **settings)
    )
    ImageFeatures()
    assert [settings["weights_only"] for settings in asked] == [True]


def test_no_weights_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service\nnot known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    with pytest.raises(TranslateError) as caught:
        ImageFeatures()
    message = str(caught.value)
    assert "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth" in message
    assert "Name or service not known" in message
    assert f"set TORCH_HOME to a folder with {FILE}" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""  # where the scores are printed, nothing is said of the download


@pytest.mark.parametrize("content", [b"", b"half a file", b"PK\x03\x04"])
def test_a_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DataError, match=r"mobilenet_v2-b0353104\.pth: delete the file"):
        ImageFeatures()


def test_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / FILE).parent.mkdir(parents=True)
    torch.save({"weight": torch.zeros(3)}, tmp_path / FILE)
    with pytest.raises(DataError, match="cannot read the weights"):
        ImageFeatures()
