"""Start-up: what help and `import translate` import, and the built-in dataset."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Command, environment


def run_python(code: str, **variables: str) -> str:
    """Run Python code in a process of its own, and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


SLOW_IMPORTS = """
import sys
from translate.cli.main import translate
try:
    translate({words}, prog_name='translate')
except SystemExit as end:
    slow = [name for name in ('torch', 'numpy', 'yaml', 'rich') if name in sys.modules]
    print(end.code, slow)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["train", "cyclegan", "--help"],
        ["apply", "--help"],
        ["import", "--help"],
        ["evaluate", "--help"],
        ["colorize", "--help"],
        ["hide", "--help"],
    ],
)
def test_help_imports_no_torch(words: list[str]) -> None:
    assert run_python(SLOW_IMPORTS.format(words=words)).splitlines()[-1] == "0 []"


@pytest.mark.parametrize(("typed", "first"), [("apply ", "colorize"), ("train cyclegan --norm ", "batch")])
def test_shell_completion_imports_no_torch(typed: str, first: str) -> None:
    variables = {
        "_TRANSLATE_COMPLETE": "bash_complete",
        "COMP_WORDS": f"translate {typed}",
        "COMP_CWORD": str(1 + typed.count(" ")),
    }
    lines = run_python(SLOW_IMPORTS.format(words=[]), **variables).splitlines()
    assert lines[0] == f"plain,{first}"
    assert lines[-1] == "0 []"


def test_importing_the_package_imports_no_torch() -> None:
    output = run_python("import sys, translate; print('torch' in sys.modules, translate.__version__)")
    assert output.startswith("False ")


def test_importing_the_metrics_imports_no_slow_library() -> None:
    slow = ("torchvision", "skimage.metrics", "skimage.color", "scipy")
    code = f"import sys, translate.metrics; print([name for name in {slow} if name in sys.modules])"
    assert run_python(code) == "[]\n"


def test_the_package_works_beside_folders_named_datasets_and_tools(tmp_path: Path, model: Path) -> None:
    for name in ("datasets", "tools", "configs", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('this is not the package you want')")
    (tmp_path / "script.py").write_text(
        "import sys, numpy, translate\n"
        "zebra = translate.load(sys.argv[1], device='cpu')(numpy.zeros((8, 9, 3), 'uint8'))\n"
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


def test_the_built_in_dataset_is_written_and_checked(translate: Command, tmp_path: Path) -> None:
    assert "next: translate train cyclegan" in translate("data", "demo", "demo", "--size", "16").stdout
    paired, unpaired, layout = translate("data", "check", "demo").stdout.splitlines()
    assert "A is demo/trainA, B is demo/trainB; validation: demo/testA and demo/testB" in layout
    assert "pix2pix " in paired
    assert "200 training pairs, 40 validation pairs" in paired
    assert "cyclegan " in unpaired
    assert "200 + 200 training images, 40 + 40 validation images" in unpaired
