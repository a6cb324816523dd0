"""The example method of CONTRIBUTING.md is complete: as a package, it trains, resumes and is applied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.conftest import TINY_TRANSLATION, Command

GUIDE = Path(__file__).parents[2] / "CONTRIBUTING.md"
PACKAGE = "my_package"


@pytest.fixture
def site(tmp_path: Path) -> str:
    """Install the code blocks of the guide as a package; return the folder that it is in."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    files = {
        "config.py": next(block for block in blocks if "class GcGANConfig(" in block),
        "trainer.py": next(block for block in blocks if "class GcGAN(" in block),
        "task.py": next(block for block in blocks if "TASK = Task(" in block),
        "__init__.py": next(block for block in blocks if "METHOD = Method(" in block),
    }
    folder, info = tmp_path / "site" / PACKAGE, tmp_path / "site" / f"{PACKAGE}-1.0.dist-info"
    folder.mkdir(parents=True)
    info.mkdir()
    for name, block in files.items():
        (folder / name).write_text(block.replace("translate.methods.gcgan", PACKAGE))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[translate.methods]\ngcgan = {PACKAGE}:METHOD\n")
    return str(folder.parent)


def test_the_example_method_works(translate: Command, data: Path, site: str, tmp_path: Path) -> None:
    settings = ["--data", "data", "--direction", "BtoA", *TINY_TRANSLATION]
    translate("train", "gcgan", *settings, "--steps", "2", PYTHONPATH=site)
    resumed = translate("train", "gcgan", "--resume", "--steps", "4", PYTHONPATH=site)
    assert "from step 2" in resumed.stderr
    images = data / "testB"
    translate("apply", "runs/gcgan", images, "-o", "out", "--engine", "torch")
    assert len(list((tmp_path / "out").iterdir())) == len(list(images.iterdir()))
