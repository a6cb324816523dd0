"""A checkpoint loads exactly as it was saved, and a write that fails leaves the earlier one intact."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from translate.errors import DataError, TranslateError
from translate.training.runs import checkpoint

NAMES = st.text(max_size=5) | st.integers(-3, 10**12)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
STATES = st.dictionaries(
    NAMES,
    st.recursive(
        PLAIN,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def equal(a: Any, b: Any) -> bool:
    """Return whether two states are equal, with equal types and bitwise equal tensors."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


@given(STATES)
def test_any_nested_state_loads_as_it_was_saved(state: dict[Any, Any]) -> None:
    with TemporaryDirectory() as folder:
        checkpoint.save(state, Path(folder, "a.safetensors"))
        assert equal(checkpoint.load(Path(folder, "a.safetensors")), state)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 3),
        torch.randn(3, dtype=torch.float64),
        torch.randn(4).bfloat16(),
        torch.randn(4).half(),
        torch.arange(256).to(torch.uint8),
        torch.tensor([2**62, -1]),
        torch.tensor([True, False]),
        torch.tensor(3.5),
        torch.empty(0, 3),
        torch.tensor([float("inf"), -0.0]),
        torch.randn(4, 6).T,
        torch.randn(1, 3, 4, 4).to(memory_format=torch.channels_last),
        torch.nn.Parameter(torch.ones(2)).detach(),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tuple(tensor.shape)}",
)
def test_any_tensor_loads_as_it_was_saved(tensor: Tensor, tmp_path: Path) -> None:
    state = {"deep": [{"tensor": tensor, 7: None}, [tensor, "twice"]], "tensor": "a name"}
    checkpoint.save(state, tmp_path / "a.safetensors")
    assert equal(checkpoint.load(tmp_path / "a.safetensors"), state)


def test_views_of_one_tensor_load_as_they_were_saved(tmp_path: Path) -> None:
    tensor = torch.arange(6)
    checkpoint.save({"a": tensor[:3], "b": tensor[2:], "c": tensor}, tmp_path / "a.safetensors")
    state = checkpoint.load(tmp_path / "a.safetensors")
    assert [state[name].tolist() for name in "abc"] == [[0, 1, 2], [2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]


def test_a_checkpoint_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    checkpoint.save({"weight": torch.ones(2)}, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "new").stat().st_mode


class NewTensors(TorchDispatchMode):
    """A dispatch mode that counts the bytes of the tensors that operations allocate."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        inputs = {leaf.data_ptr() for leaf in tree_leaves(args) if isinstance(leaf, Tensor)}
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.bytes += sum(leaf.nbytes for leaf in outputs if leaf.data_ptr() not in inputs)
        return out


def test_saving_does_not_copy_the_tensors(tmp_path: Path) -> None:
    rows, pixels = torch.randn(400, 3), torch.randn(2, 3, 50, 50).to(memory_format=torch.channels_last)
    with NewTensors() as copies:
        checkpoint.save({"rows": rows, "pixels": pixels}, tmp_path / "a.safetensors")
    assert copies.bytes == 0
    with NewTensors() as copies:
        checkpoint.save({"a": rows, "again": rows}, tmp_path / "b.safetensors")
    assert copies.bytes == rows.nbytes, "the file cannot hold the same memory twice"


def test_a_restored_optimizer_takes_the_same_step(tmp_path: Path) -> None:
    def optimizer() -> tuple[Tensor, torch.optim.Adam]:
        weight = torch.ones(3, requires_grad=True)
        return weight, torch.optim.Adam([{"params": [weight], "lr": 0.1}], betas=(0.5, 0.999))

    def step(weight: Tensor, adam: torch.optim.Adam) -> None:
        adam.zero_grad()
        weight.pow(3).sum().backward()
        adam.step()

    weight, adam = optimizer()
    step(weight, adam)
    checkpoint.save({"adam": adam.state_dict(), "weight": weight}, tmp_path / "a.safetensors")
    state = checkpoint.load(tmp_path / "a.safetensors")
    restored_weight, restored_adam = optimizer()
    restored_weight.data.copy_(state["weight"])
    restored_adam.load_state_dict(state["adam"])
    step(weight, adam)
    step(restored_weight, restored_adam)
    assert torch.equal(weight, restored_weight)


def test_saving_replaces_an_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.safetensors"
    for number in (1, 2):
        checkpoint.save({"number": number}, path)
    assert checkpoint.load(path) == {"number": 2}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_earlier_checkpoint_intact(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.safetensors"
    checkpoint.save({"number": 1}, path)
    monkeypatch.setattr(os, "fsync", fail) if call == "fsync" else monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(TranslateError, match=r"No space left on device.* --resume$") as refusal:
        checkpoint.save({"number": 2, "big": torch.zeros(2**20)}, path)
    assert str(path) in str(refusal.value)
    assert "4 MiB" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert checkpoint.load(path) == {"number": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    path = tmp_path / "checkpoints" / "a.safetensors"
    with pytest.raises(TranslateError, match=str(path)):
        checkpoint.save({"number": 1}, path)


@pytest.mark.parametrize("size", [0, 5, 60, -1, -200])
def test_a_damaged_checkpoint_is_an_error_with_a_remedy(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    checkpoint.save({"weights": torch.randn(100), "step": 3}, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"damaged .*--resume") as refusal:
        checkpoint.load(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("metadata", [None, {"state": "{"}, {"state": '{"dict": [["a", {"tensor": "9"}]]}'}])
def test_a_file_that_is_not_a_checkpoint_is_an_error(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"0": torch.ones(2)}, path, metadata=metadata)
    with pytest.raises(DataError, match="damaged"):
        checkpoint.load(path)
