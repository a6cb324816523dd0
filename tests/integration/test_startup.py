"""What is asked of an import, and of a first word of help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Command, environment


@pytest.mark.parametrize(
    "words",
    [
        "['--help']",
        "['--version']",
        "['train', '--help']",
        "['apply', '--help']",
        "['import', '--help']",
        "['evaluate', '--help']",
        "['colorize', '--help']",
    ],
)
def test_help_does_not_import_torch(words: str) -> None:
    code = f"""
import sys
from translate.cli.main import translate
try:
    translate({words}, prog_name='translate')
except SystemExit:
    print('torch' in sys.modules, 'numpy' in sys.modules, 'yaml' in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False False False"


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, translate; print('torch' in sys.modules, translate.__version__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("False ")


def test_importing_the_scores_imports_no_slow_library() -> None:
    slow = ("torchvision", "skimage.metrics", "skimage.color", "scipy")
    code = f"import sys, translate.metrics; print([name for name in {slow} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_works_beside_folders_named_datasets_and_tools(tmp_path: Path, model: Path) -> None:
    for name in ("datasets", "tools", "configs", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('this is not the package you want')")
    (tmp_path / "script.py").write_text(
        "import sys, numpy, translate\n"
        "zebra = translate.load(sys.argv[1])(numpy.zeros((8, 9, 3), 'uint8'))\n"
        "print(zebra.shape)\n"
    )
    result = subprocess.run(
        [sys.executable, "script.py", str(model)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "(8, 9, 3)\n"


def test_the_built_in_set_is_written_and_checked(translate: Command, tmp_path: Path) -> None:
    assert "next: translate train cyclegan" in translate("data", "demo", "demo", "--size", "16").stdout
    lines = translate("data", "check", "demo").stdout.splitlines()
    assert lines == [
        "for pix2pix: 200 pairs to train on, 40 held out",
        "for cyclegan: 200 + 200 images to train on, 40 + 40 held out",
    ]
