"""Checkpoints come back exactly, and a failing write harms nothing."""

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


def same(one: Any, other: Any) -> bool:
    """Equal, with equal types, tensors to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(STATES)
def test_any_nested_state_comes_back(state: dict[Any, Any]) -> None:
    with TemporaryDirectory() as folder:
        checkpoint.save(state, Path(folder, "a.safetensors"))
        assert same(checkpoint.load(Path(folder, "a.safetensors")), state)


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
def test_any_tensor_comes_back(tensor: Tensor, tmp_path: Path) -> None:
    state = {"deep": [{"tensor": tensor, 7: None}, [tensor, "twice"]], "tensor": "a name"}
    checkpoint.save(state, tmp_path / "a.safetensors")
    assert same(checkpoint.load(tmp_path / "a.safetensors"), state)


def test_views_of_one_tensor_come_back(tmp_path: Path) -> None:
    whole = torch.arange(6)
    checkpoint.save({"a": whole[:3], "b": whole[2:], "c": whole}, tmp_path / "a.safetensors")
    back = checkpoint.load(tmp_path / "a.safetensors")
    assert [back[name].tolist() for name in "abc"] == [[0, 1, 2], [2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]


def test_a_checkpoint_may_be_read_by_whom_any_new_file_may(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    checkpoint.save({"weight": torch.ones(2)}, tmp_path / "a.safetensors")
    modes = {(tmp_path / name).stat().st_mode for name in ("any", "a.safetensors")}
    assert len(modes) == 1


def test_what_is_saved_is_not_copied_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, Tensor] = {}
    monkeypatch.setattr(checkpoint, "write_tensors", lambda _, tensors, about: written.update(tensors))
    rows, pixels = torch.randn(4, 3), torch.randn(2, 3, 5, 5).to(memory_format=torch.channels_last)
    checkpoint.save({"rows": rows, "pixels": pixels}, tmp_path / "a.safetensors")
    assert [tensor.data_ptr() for tensor in written.values()] == [rows.data_ptr(), pixels.data_ptr()]


def test_an_optimizer_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
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
    again, other = optimizer()
    again.data.copy_(state["weight"])
    other.load_state_dict(state["adam"])
    for pair in ((weight, adam), (again, other)):
        step(*pair)
    assert torch.equal(weight, again)


def test_a_checkpoint_that_is_saved_again_is_the_newer(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.safetensors"
    for number in (1, 2):
        checkpoint.save({"number": number}, path)
    assert checkpoint.load(path) == {"number": 2}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_earlier_checkpoint_whole(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.safetensors"
    checkpoint.save({"number": 1}, path)
    monkeypatch.setattr(os, "fsync", fail) if call == "fsync" else monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(TranslateError, match=r"No space left on device; .* go on with --resume$") as refusal:
        checkpoint.save({"number": 2, "big": torch.zeros(2**20)}, path)
    assert str(path) in str(refusal.value)
    assert "4 MiB" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert checkpoint.load(path) == {"number": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_the_folder_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(TranslateError, match="cannot write the checkpoint"):
        checkpoint.save({"number": 1}, tmp_path / "checkpoints" / "a.safetensors")


@pytest.mark.parametrize("size", [0, 5, 60, -1, -200])
def test_a_damaged_checkpoint_is_refused_with_the_remedy(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    checkpoint.save({"weights": torch.randn(100), "step": 3}, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"not a whole checkpoint .*: remove it and --resume$") as refusal:
        checkpoint.load(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("metadata", [None, {"state": "{"}, {"state": '{"dict": [["a", {"tensor": "9"}]]}'}])
def test_a_file_that_is_no_checkpoint_is_refused(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"0": torch.ones(2)}, path, metadata=metadata)
    with pytest.raises(DataError, match="not a whole checkpoint"):
        checkpoint.load(path)
