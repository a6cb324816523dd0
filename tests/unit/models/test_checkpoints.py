"""Checkpoints as other code writes them: prefixes, nested state dicts, spectral norms, other networks."""

from __future__ import annotations

import argparse
import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from tests.reference_generators import ReferenceGenerator, resnet, unet
from translate.errors import DataError, UsageError
from translate.models import Model
from translate.models.reference import import_reference

StateDict = dict[str, Tensor]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def prefix(generator: nn.Module, prefix: str) -> StateDict:
    return {prefix + key: value for key, value in generator.state_dict().items()}


def assert_same_output(model: Model, generator: nn.Module, direction: str = "AtoB") -> None:
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    output, expected = model.generator(direction)(x), generator(x.clone())
    assert expected.std() > 0.01
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)


FORMS: dict[str, Callable[[nn.Module], Any]] = {
    "DataParallel": lambda g: prefix(g, "module."),
    "compiled": lambda g: prefix(g, "_orig_mod."),
    "both": lambda g: prefix(g, "module._orig_mod."),
    "compiled within": lambda g: {
        key.replace("model.", "model._orig_mod.", 1): value for key, value in g.state_dict().items()
    },
    "a Sequential": lambda g: g.model.state_dict(),
    "state_dict": lambda g: {"state_dict": g.state_dict(), "epoch": 7, "loss": [0.1]},
    "model": lambda g: {"model": prefix(g, "module."), "epoch": 7},
    "netG and netD": lambda g: {
        "netG": g.state_dict(),
        "netD": {"model.0.weight": torch.zeros(8, 3, 4, 4)},
        "optimizer_G": torch.optim.Adam([nn.Parameter(torch.zeros(1))]).state_dict(),
    },
    "netG_A2B": lambda g: {"netG_A2B": g.state_dict()},
    "generator": lambda g: {"networks": {"generator": g.state_dict()}, "optimizer": {"lr": 2e-4}},
    "Lightning": lambda g: {
        "state_dict": prefix(g, "generator.") | {"discriminator.model.0.weight": torch.zeros(8, 3, 4, 4)},
        "optimizer_states": [],
        "pytorch-lightning_version": "2.0",
    },
    "averaged beside the others": lambda g: {
        "G": {key: 2 * value for key, value in g.state_dict().items()},
        "G_ema": g.state_dict(),
    },
}


@pytest.mark.parametrize(
    "create", [resnet, unet, lambda: resnet(antialias=True)], ids=["resnet", "unet", "cut"]
)
@pytest.mark.parametrize("form", FORMS)
def test_a_generator_is_found_in_every_form_of_checkpoint(
    form: str, create: Callable[[], ReferenceGenerator], tmp_path: Path
) -> None:
    generator = create()
    model = import_reference(save(FORMS[form](generator), tmp_path / "checkpoint.pth"))
    assert list(model.generators) == ["AtoB"]
    assert_same_output(model, generator)


def test_a_safetensors_file_is_imported(tmp_path: Path) -> None:
    generator = resnet()
    safetensors.torch.save_file(prefix(generator, "module."), tmp_path / "generator.safetensors")
    assert_same_output(import_reference(tmp_path / "generator.safetensors"), generator)


@pytest.mark.parametrize(
    ("names", "direction_of_first"),
    [
        (("netG_A", "netG_B"), "AtoB"),
        (("G_B2A", "G_A2B"), "BtoA"),
        (("genA2B", "genB2A"), "AtoB"),
        (("G_BA", "G_AB"), "BtoA"),
        (("G", "F"), "AtoB"),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_both_directions_in_one_file_become_one_model(
    names: tuple[str, str], direction_of_first: str, nested: bool, tmp_path: Path
) -> None:
    generators = {name: resnet() for name in names}
    content: dict[str, Any] = {name: g.state_dict() for name, g in generators.items()}
    if not nested:
        content = {
            "state_dict": {k: v for name, g in generators.items() for k, v in prefix(g, f"{name}.").items()}
        }
    path = save(content, tmp_path / "checkpoint.ckpt")
    model = import_reference(path)
    other = "BtoA" if direction_of_first == "AtoB" else "AtoB"
    assert list(model.config.routes) == ["AtoB", "BtoA"]
    assert_same_output(model, generators[names[0]], direction_of_first)
    assert_same_output(model, generators[names[1]], other)
    alone = import_reference(path, direction=other)
    assert list(alone.generators) == [other]
    assert_same_output(alone, generators[names[1]], other)


def spectral(generator: nn.Module, normalize: Callable[..., Any]) -> nn.Module:
    """Apply spectral norms, and iterate until their vectors are those of training."""
    for module in generator.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.weight.data.mul_(3)
            normalize(module)
    generator.train()
    with torch.no_grad():
        for _ in range(5):
            generator(torch.rand(1, 3, 32, 32))
    return generator.eval()


@pytest.mark.parametrize("create", [resnet, lambda: unet("none", width=2)], ids=["resnet", "unet"])
@pytest.mark.parametrize(
    "normalize", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm], ids=["old", "new"]
)
def test_a_spectral_norm_becomes_a_plain_weight(
    create: Callable[[], nn.Module], normalize: Callable[..., Any], tmp_path: Path
) -> None:
    generator = spectral(create(), normalize)
    model = import_reference(save(generator.state_dict(), tmp_path / "latest_net_G.pth"))
    assert not [key for key in model.state_dict() if "orig" in key]
    with torch.no_grad():
        assert_same_output(model, generator)


def test_a_generator_with_layers_of_its_own_is_refused(tmp_path: Path) -> None:
    state = {"netG": resnet().state_dict() | {"attention.weight": torch.zeros(4)}}
    with pytest.raises(DataError, match=r"netG: key 'attention\.weight' does not belong"):
        import_reference(save(state, tmp_path / "latest_net_G.pth"))


def zeros(*keys: str) -> StateDict:
    return {key: torch.zeros(4, 4, 3, 3) for key in keys}


OTHERS: dict[str, Callable[[], Any]] = {
    "pix2pixHD": lambda: resnet(downsamplings=4).state_dict(),
    "local enhancer": lambda: (
        prefix(resnet(downsamplings=3), "") | {"model1_1.1.weight": torch.zeros(4, 3, 7, 7)}
    ),
    "PyTorch-GAN": lambda: (
        {"model.1.weight": torch.zeros(4, 3, 7, 7)} | zeros("model.10.block.1.weight", "model.25.weight")
    ),
    "SPADE": lambda: zeros("fc.weight", "head_0.conv_0.weight", "head_0.norm_0.mlp_shared.0.weight"),
    "StarGAN's generator": lambda: zeros("main.0.weight", "main.9.main.0.weight"),
    "StarGAN's discriminator": lambda: zeros("main.0.weight", "main.2.weight", "conv1.weight"),
    "MUNIT": lambda: {"a": zeros("enc_content.model.0.conv.weight", "enc_style.model.0.conv.weight")},
    "UNIT": lambda: {"a": zeros("enc.model.0.conv.weight", "dec.model.0.model.0.model.0.conv.weight")},
    "U-GAT-IT": lambda: {
        "genA2B": {"DownBlock.1.weight": torch.zeros(4, 3, 7, 7), "gap_fc.weight": torch.zeros(1, 4)}
    },
    "GANILLA": lambda: zeros("conv1.weight", "layer1.0.conv1.weight", "fpn.lateral4.weight"),
    "AnimeGAN": lambda: zeros("block_a.0.1.weight", "out_layer.0.weight"),
    "ESRGAN": lambda: zeros("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"),
    "turbo": lambda: {"rank_unet": 8, "state_dict_unet": zeros("conv_in.lora_A.weight")},
    "CUT's feature network": lambda: zeros("mlp_0.0.weight", "mlp_0.2.weight"),
    "discriminator": lambda: {"netD": zeros("module.model.0.weight", "module.model.2.weight")},
    "discriminator of several scales": lambda: zeros("scale0_layer0.0.weight", "scale1_layer0.0.weight"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_network_of_another_project_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=name if name != "local enhancer" else "pix2pixHD") as refusal:
        import_reference(save(OTHERS[name](), tmp_path / "latest_net_G.pth"))
    assert str(refusal.value).startswith(f"cannot import {tmp_path}")
    assert "\n" not in str(refusal.value)


def test_a_file_of_objects_or_of_another_kind_is_refused_with_the_way_out(tmp_path: Path) -> None:
    options = save({"netG": resnet().state_dict(), "opt": argparse.Namespace(lr=1)}, tmp_path / "options.pth")
    script = tmp_path / "script.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, but its files are still around.
        torch.jit.script(nn.Sequential(nn.Conv2d(3, 3, 1))).save(str(script))
    old = tmp_path / "old.pth"
    torch.save(resnet(), old, _use_new_zipfile_serialization=False)
    (tmp_path / "page.pth").write_text("<!DOCTYPE html><html>sign in</html>")
    (tmp_path / "pointer.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    for path, words in {
        options: ("class argparse.Namespace", "torch.load('options.pth', ", "model['state_dict']"),
        script: ("TorchScript", "torch.jit.load('script.pt', ", "state_dict()"),
        old: ("whole model (class tests.reference_generators.ReferenceGenerator)", "state_dict()"),
        tmp_path / "page.pth": ("a web page",),
        tmp_path / "pointer.pth": ("git lfs pull",),
    }.items():
        with pytest.raises(DataError) as refusal:
            import_reference(path)
        assert all(word in str(refusal.value) for word in (str(path), *words)), refusal.value


def write_folder(
    folder: Path, epochs: tuple[str, ...], nets: tuple[str, ...] = ("G_A", "G_B")
) -> dict[str, nn.Module]:
    folder.mkdir()
    generators = {f"{epoch}_net_{net}": resnet() for epoch in epochs for net in nets}
    for name, generator in generators.items():
        save(generator.state_dict(), folder / f"{name}.pth")
    save({"model.0.weight": torch.zeros(8, 3, 4, 4)}, folder / f"{epochs[0]}_net_D_A.pth")
    (folder / "loss_log.txt").touch()
    return generators


@pytest.mark.parametrize(
    ("epochs", "newest"),
    [
        (("latest", "5", "200"), "latest"),
        (("5", "200", "35"), "200"),
        (("iter_500", "iter_1000"), "iter_1000"),
    ],
)
def test_a_folder_is_imported_in_both_directions_at_its_newest_epoch(
    epochs: tuple[str, ...], newest: str, tmp_path: Path
) -> None:
    generators = write_folder(tmp_path / "horse2zebra", epochs)
    model = import_reference(tmp_path / "horse2zebra")
    assert model.config.trained_on == {"imported_from": "horse2zebra"}
    assert model.config.scale is None
    assert_same_output(model, generators[f"{newest}_net_G_A"], "AtoB")
    assert_same_output(model, generators[f"{newest}_net_G_B"], "BtoA")


OPTIONS = """----------------- Options ---------------
               batch_size: 1
                crop_size: 360                          \t[default: 256]
                direction: {direction}                  \t[default: AtoB]
                load_size: 400                          \t[default: 286]
               no_dropout: {no_dropout}
               preprocess: scale_width_and_crop         \t[default: resize_and_crop]
----------------- End -------------------
"""


def test_the_options_beside_a_checkpoint_tell_its_direction_and_scale(tmp_path: Path) -> None:
    generators = write_folder(tmp_path / "run", ("latest",))
    (tmp_path / "run" / "train_opt.txt").write_text(OPTIONS.format(direction="BtoA", no_dropout="True"))
    model = import_reference(tmp_path / "run")
    assert_same_output(model, generators["latest_net_G_A"], "BtoA")
    assert_same_output(model, generators["latest_net_G_B"], "AtoB")
    scale = model.config.scale
    assert scale is not None
    assert (scale.preprocess, scale.resize_to, scale.crop) == ("scale_width_and_crop", 400, 360)
    alone = import_reference(tmp_path / "run" / "latest_net_G_A.pth", direction="AtoB", load_size=512)
    assert list(alone.generators) == ["AtoB"]
    assert alone.config.scale is not None
    assert alone.config.scale.resize_to == 512


def test_the_options_tell_the_dropout_of_a_unet(tmp_path: Path) -> None:
    path = save(unet("batch").state_dict(), tmp_path / "latest_net_G.pth")
    assert import_reference(path).config.generator.args["dropout"] is False
    (tmp_path / "train_opt.txt").write_text(OPTIONS.format(direction="AtoB", no_dropout="False"))
    assert import_reference(path).config.generator.args["dropout"] is True


def test_generators_that_do_not_fit_one_model_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "run", ("latest",), ("G_A",))
    save(resnet(depth=1).state_dict(), tmp_path / "run" / "latest_net_G_B.pth")
    with pytest.raises(DataError, match=r"2 blocks.*1 blocks.*--direction"):
        import_reference(tmp_path / "run")
    assert list(import_reference(tmp_path / "run", direction="BtoA").generators) == ["BtoA"]
    twice = {"one": resnet().state_dict(), "two": resnet().state_dict()}
    with pytest.raises(DataError, match="one and two"):
        import_reference(save(twice, tmp_path / "twice.pth"))


def test_a_folder_without_a_generator_or_with_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no generator"):
        import_reference(tmp_path)
    save(resnet().state_dict(), tmp_path / "latest_net_G.pth")
    model = copy.deepcopy(import_reference(tmp_path))
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(UsageError, match="is a model"):
        import_reference(tmp_path / "model")
