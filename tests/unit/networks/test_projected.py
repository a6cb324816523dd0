"""The projected discriminator and its backbones: scales, normalization, and what is frozen."""

from __future__ import annotations

import sys
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tests.backbones import CHANNELS, TinyLayers, tiny_backbone
from translate.errors import TranslateError, UsageError
from translate.networks.backbones import load_backbone
from translate.networks.discriminators import ProjectedDiscriminator

WEIGHTS = "torch/hub/checkpoints/mobilenet_v2-b0353104.pth"


def photos(*size: int) -> torch.Tensor:
    return torch.rand(2, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_backbone_normalizes_images_and_enlarges_small_ones() -> None:
    backbone = tiny_backbone()
    assert backbone.channels == list(CHANNELS)
    x = photos(3, 224, 256)
    normalized = ((x + 1) / 2 - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor(
        [0.2, 0.3, 0.4]
    ).view(3, 1, 1)
    for features, expected in zip(backbone(x), backbone.layers(normalized), strict=True):
        torch.testing.assert_close(features, expected)
    assert [f.shape[2:] for f in backbone(photos(3, 32, 48))] == [(56, 84), (28, 42), (14, 21), (7, 10)]


def test_gray_images_are_repeated() -> None:
    backbone, x = tiny_backbone(), photos(1, 224, 224)
    for gray, colour in zip(backbone(x), backbone(x.expand(-1, 3, -1, -1)), strict=True):
        assert gray.equal(colour)


def test_only_the_heads_are_trained_and_only_the_projections_are_stored_beside_them() -> None:
    torch.manual_seed(0)
    d = ProjectedDiscriminator(tiny_backbone(), width=4).train()
    before = [buffer.clone() for buffer in d.backbone.buffers()]
    scores = d(photos(3, 64, 64))
    torch.stack([scale.mean() for scale in scores]).sum().backward()
    assert not d.backbone.training
    assert not any(module.training for module in d.backbone.modules())
    assert {name.partition(".")[0] for name, _ in d.named_parameters()} == {"heads"}
    assert all(weight.grad is not None for weight in d.parameters())
    assert {name.partition(".")[0] for name in d.state_dict()} == {"heads", "projection"}
    assert all(b.equal(after) for b, after in zip(before, d.backbone.buffers(), strict=True))


def test_heads_return_scores_of_one_size_and_have_spectral_norm() -> None:
    torch.manual_seed(0)
    d = ProjectedDiscriminator(tiny_backbone(), width=4)
    assert [tuple(scale.shape) for scale in d(photos(3, 256, 256))] == 4 * [(2, 1, 4, 4)]
    assert [tuple(scale.shape) for scale in d(photos(3, 32, 32))] == 4 * [(2, 1, 3, 3)]
    layers = [module for module in d.heads.modules() if isinstance(module, nn.Conv2d)]
    assert len(layers) == (4 + 3 + 2 + 1) + 4
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)


def test_features_of_each_scale_reach_the_larger_ones() -> None:
    torch.manual_seed(0)
    projection = ProjectedDiscriminator(tiny_backbone(), width=4).projection
    features = [torch.zeros(1, c, 56 >> scale, 56 >> scale) for scale, c in enumerate(CHANNELS)]
    for changed in range(4):
        other = [f + (scale == changed) for scale, f in enumerate(features)]
        pairs = zip(projection(features), projection(other), strict=True)
        assert [not a.equal(b) for a, b in pairs] == [scale <= changed for scale in range(4)]


def test_the_features_of_torchvisions_mobilenet(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (real_data / WEIGHTS).is_file():
        pytest.skip(f"no weights at {real_data / WEIGHTS}: torchvision's MobileNetV2, of ImageNet")
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    monkeypatch.setenv("TORCH_HOME", str(real_data / "torch"))
    state = torch.get_rng_state()
    backbone, x = load_backbone("mobilenet_v2"), photos(3, 224, 224)
    assert torch.get_rng_state().equal(state)
    assert backbone.channels == [24, 32, 96, 320]
    assert [f.shape[2] for f in backbone(x)] == [56, 28, 14, 7]
    reference = mobilenet_v2(weights=MobileNet_V2_Weights.IMAGENET1K_V1).eval()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        pixels = ((x + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        torch.testing.assert_close(backbone(x)[-1], reference.features[:18](pixels), rtol=1e-4, atol=1e-4)


def test_a_backbone_of_timm_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"timm:resnet18 .*not installed: pip install .*\[timm\].*mobilenet"):
        load_backbone("timm:resnet18")


class FiveScales(nn.Module):
    """Features of 1/2 of the side, and those of four scales."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = TinyLayers()

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x[:, :, ::2, ::2], *self.layers(x)]


class NHWC(TinyLayers):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [features.permute(0, 2, 3, 1) for features in super().forward(x)]


class OneScale(nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return 3 * [x[:, :, ::16, ::16]]


@pytest.fixture
def fake_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for timm, whose `offline` network is not in the cache."""
    networks = {"four": TinyLayers, "five": FiveScales, "nhwc": NHWC, "one": OneScale, "offline": TinyLayers}

    def create_model(name: str, *, pretrained: bool, features_only: bool) -> nn.Module:
        assert features_only
        if name == "none":
            raise RuntimeError("features_only is not implemented")
        if name == "offline" and pretrained:
            raise OSError("no connection")
        return networks[name]()

    about = SimpleNamespace(
        hf_hub_id="timm/x", url="", license="apache-2.0", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
    )
    models = SimpleNamespace(is_model_pretrained=lambda name: True, get_pretrained_cfg=lambda name: about)
    timm = SimpleNamespace(
        __version__="1", is_model=lambda name: True, create_model=create_model, models=models
    )
    monkeypatch.setitem(sys.modules, "timm", timm)  # type: ignore[arg-type]


@pytest.mark.usefixtures("fake_timm")
@pytest.mark.parametrize("name", ["four", "five"])
def test_the_last_four_scales_of_a_network_of_timm_are_taken(name: str) -> None:
    assert load_backbone(f"timm:{name}").channels == list(CHANNELS)


@pytest.mark.usefixtures("fake_timm")
@pytest.mark.parametrize(
    ("name", "reason"), [("nhwc", "56x3"), ("one", "14x14, 14x14, 14x14"), ("none", "not implemented")]
)
def test_a_network_of_timm_without_these_scales_is_refused_before_any_download(
    name: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level("INFO", logger="translate"),
        pytest.raises(UsageError, match=rf"timm:{name} .*{reason}.*--backbone mobilenet_v2"),
    ):
        load_backbone(f"timm:{name}")
    assert not caplog.records


@pytest.mark.usefixtures("fake_timm")
def test_a_network_of_timm_that_cannot_be_loaded_names_the_cache() -> None:
    with pytest.raises(TranslateError, match=r"offline of timm .*no connection: .*HF_HOME") as error:
        load_backbone("timm:offline")
    assert not isinstance(error.value, UsageError)


def test_a_download_is_logged_with_its_source_and_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)
    with (
        caplog.at_level("INFO", logger="translate"),
        pytest.raises(
            TranslateError, match=r"--discriminator projected .*TORCH_HOME.*another --discriminator"
        ),
    ):
        load_backbone("mobilenet_v2")
    (line,) = [record.message for record in caplog.records if "downloading" in record.message]
    assert "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth" in line
    assert "BSD-3-Clause" in line
