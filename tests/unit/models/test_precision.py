"""TF32 is computed where a person asks for it, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from translate.errors import UsageError
from translate.models import pick_precision

CUDA = torch.device("cuda")


@pytest.fixture
def tf32_settings() -> Iterator[None]:
    """Put torch's settings back, which hold for the whole process."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.usefixtures("tf32_settings")
@pytest.mark.filterwarnings("ignore:.*CUDA is not available")  # Torch then disables autocast.
def test_only_tf32_rounds_float32_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_tf32_supported", lambda: True)
    for name in ("tf32", "fp32", "tf32", "bf16", "tf32", "fp16"):
        precision = pick_precision(name, CUDA)
        assert str(precision) == name
        with precision.autocast():
            assert torch.backends.cudnn.allow_tf32 is (name == "tf32")
            assert torch.backends.cuda.matmul.allow_tf32 is (name == "tf32")
            # What Inductor reads agrees.
            assert torch.get_float32_matmul_precision() == ("high" if name == "tf32" else "highest")
            assert (torch.backends.cudnn.conv.fp32_precision == "tf32") is (name == "tf32")


def test_tf32_without_a_gpu_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'tf32'.*cpu.*--precision auto or fp32"):
        pick_precision("tf32", torch.device("cpu"))


def test_tf32_on_a_gpu_that_lacks_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_tf32_supported", lambda: False)
    with pytest.raises(UsageError, match=r"'tf32'.*8\.0"):
        pick_precision("tf32", CUDA)
