"""Tests of the Frechet distance, where it is known, and of the MobileNetV2 features."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from translate.errors import DataError, TranslateError
from translate.metrics import MobileNetFeatures, frechet_distance
from translate.metrics.frechet import Features
from translate.metrics.image_quality import Pixels

WEIGHTS = "hub/checkpoints/mobilenet_v2-b0353104.pth"


def gaussian(count: int, dimensions: int, seed: int) -> Features:
    """Draw samples of a Gaussian whose mean and full covariance depend on the seed."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(dimensions, dimensions))
    return random.normal(size=(count, dimensions)) @ mixing + random.normal(size=dimensions)


def with_deviations(*deviations: float) -> Features:
    """Return samples with mean 0 and exactly these standard deviations along the axes."""
    points = np.diag(deviations)
    return np.concatenate([points, -points]) * np.sqrt((2 * len(deviations) - 1) / 2)


def literal_distance(x: Features, y: Features) -> float:
    """Return arXiv:1706.08500, eq. 6, with an explicit matrix square root."""
    c1, c2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    difference = x.mean(axis=0) - y.mean(axis=0)
    return float(difference @ difference + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real))


@pytest.mark.parametrize(("count", "others"), [(50, 50), (9, 200), (300, 31)])
def test_the_distance_equals_the_papers_formula(count: int, others: int) -> None:
    x, y = gaussian(count, 7, 0), gaussian(others, 7, 1)
    assert frechet_distance(x, y) == pytest.approx(literal_distance(x, y), rel=1e-9)


def test_gaussians_with_a_known_distance() -> None:
    x, y = with_deviations(1, 2, 3), with_deviations(4, 2, 1)
    assert frechet_distance(x, y) == pytest.approx(3**2 + 0 + 2**2)
    assert frechet_distance(x, y + np.array([1, 2, 2])) == pytest.approx(13 + 9)


@pytest.mark.parametrize("count", [2, 5, 40])
def test_fewer_images_than_features(count: int) -> None:
    """The covariances are singular; those of x and of a multiple of x still have a known distance."""
    x, shift = gaussian(count, 30, 0), np.linspace(-1, 1, 30)
    variance = np.trace(np.cov(x, rowvar=False))
    centered = x - x.mean(axis=0)
    assert frechet_distance(x, 3 * centered + x.mean(axis=0)) == pytest.approx(4 * variance)
    assert frechet_distance(x, x + shift) == pytest.approx(shift @ shift)


def test_the_variances_of_sets_that_vary_in_different_features_add_up() -> None:
    x, y = with_deviations(3, 4, 0, 0), with_deviations(0, 0, 5, 6)
    assert frechet_distance(x, y) == pytest.approx(9 + 16 + 25 + 36)


@pytest.mark.parametrize("count", [3, 60])
def test_a_set_has_distance_0_from_itself_in_any_order(count: int) -> None:
    x = gaussian(count, 20, 0)
    assert 0 <= frechet_distance(x, x[::-1]) < 1e-9


def test_the_distance_is_symmetric() -> None:
    x, y = gaussian(6, 20, 0), gaussian(90, 20, 1)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x))


def test_float32_features_are_compared_in_float64() -> None:
    x, y = (1000 + gaussian(30, 5, seed).astype(np.float32) for seed in (0, 1))
    expected = frechet_distance(x.astype(np.float64), y.astype(np.float64))
    assert frechet_distance(x, y) == expected


@pytest.mark.parametrize("count", [0, 1])
def test_a_set_of_fewer_than_2_images_is_refused(count: int) -> None:
    for sets in [(gaussian(count, 4, 0), gaussian(5, 4, 1)), (gaussian(5, 4, 1), gaussian(count, 4, 0))]:
        with pytest.raises(DataError, match=f"2 images or more, but one has {count}"):
            frechet_distance(*sets)


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def network(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> MobileNetFeatures:
    if not (real_data / "torch" / WEIGHTS).is_file():
        pytest.skip(f"no weights at {real_data / 'torch' / WEIGHTS}: torchvision's MobileNetV2, of ImageNet")
    monkeypatch.setenv("TORCH_HOME", str(real_data / "torch"))
    return MobileNetFeatures()


def test_features_are_the_input_of_the_classifier(network: MobileNetFeatures) -> None:
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2
    from torchvision.transforms import functional as transforms

    image = noise(300, 280)
    resized = transforms.resize(torch.from_numpy(image).permute(2, 0, 1) / 255, [256], antialias=True)
    crop = transforms.center_crop(resized, [224])
    x = transforms.normalize(crop, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    reference = mobilenet_v2(weights=MobileNet_V2_Weights.IMAGENET1K_V1).eval()
    features = torch.from_numpy(network([image])).float()
    with torch.no_grad():
        logits = reference.classifier(features)
        assert torch.allclose(logits, reference(x[None]), atol=0.05)  # The features' resize rounds to 8 bits.


def test_features_classify_a_cat(network: MobileNetFeatures) -> None:
    from skimage.data import chelsea
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    weights = MobileNet_V2_Weights.IMAGENET1K_V1
    scores = mobilenet_v2(weights=weights).eval().classifier(torch.from_numpy(network([chelsea()])).float())
    assert weights.meta["categories"][scores.argmax()] in ("Egyptian cat", "tabby", "tiger cat")


def test_images_of_all_sizes_in_batches(network: MobileNetFeatures) -> None:
    sizes = [(256, 256), (40, 300), (300, 40), (1, 1), *[(60 + n, 50) for n in range(14)]]
    images = [noise(*size, seed=number) for number, size in enumerate(sizes)]
    features = network(iter(images))
    assert features.dtype == np.float64
    assert features.shape == (18, 1280)
    for number in (0, 15, 16, 17):
        assert np.allclose(features[number], network([images[number]])[0], atol=1e-5)


def test_features_of_no_images(network: MobileNetFeatures) -> None:
    assert network([]).shape == (0, 1280)


def test_loading_the_network_leaves_torchs_random_state_alone(network: MobileNetFeatures) -> None:
    state = torch.get_rng_state()
    MobileNetFeatures()
    assert torch.equal(torch.get_rng_state(), state)


class Executable:
    """An object whose unpickling calls a function, as that of a malicious file does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_weights_file_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / WEIGHTS).parent.mkdir(parents=True)
    torch.save({"weight": Executable(tmp_path / "executed")}, tmp_path / WEIGHTS)
    with pytest.raises(DataError, match=r"mobilenet_v2-b0353104\.pth: delete the file"):
        MobileNetFeatures()
    assert not (tmp_path / "executed").exists()


def test_a_download_that_fails_names_the_url_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service\nnot known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    with pytest.raises(TranslateError) as refusal:
        MobileNetFeatures()
    message = str(refusal.value)
    assert "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth" in message
    assert "Name or service not known" in message
    assert f"set TORCH_HOME to a folder with {WEIGHTS}" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""  # It is for the scores only.


@pytest.mark.parametrize("content", [b"", b"half a file", b"PK\x03\x04"])
def test_a_damaged_file_is_named_in_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / WEIGHTS).parent.mkdir(parents=True)
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(DataError, match=r"mobilenet_v2-b0353104\.pth: delete the file"):
        MobileNetFeatures()


def test_weights_of_another_network_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / WEIGHTS).parent.mkdir(parents=True)
    torch.save({"weight": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(DataError, match=r"mobilenet_v2-b0353104\.pth: delete the file"):
        MobileNetFeatures()
