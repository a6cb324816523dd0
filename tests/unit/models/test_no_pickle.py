"""A check of the source: no file that the package reads can run code, because nothing is unpickled."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import translate

FILES = sorted(Path(translate.__file__).parent.rglob("*.py"))
# These processes of one command exchange values through pipes of their own, which nobody else can write to.
PIPES = Path("inference", "batch", "worker_process.py")
PICKLE_PACKAGES = {"pickle", "cPickle", "_pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}


def imported_packages(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Return the calls of a function by its dotted name, such as `torch.load`."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FILES[0].parent)))
def test_nothing_is_unpickled(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    pickles = {"pickle"} if path == FILES[0].parent / PIPES else set()
    assert imported_packages(tree) & PICKLE_PACKAGES == pickles
    for call in calls(tree, "torch.load"):
        # Only the import of `.pth` files opens pickles, for tensors alone.
        assert path.name == "checkpoint_file.py"
        assert "weights_only=True" in [ast.unparse(keyword) for keyword in call.keywords]
    for call in calls(tree, "np.load"):
        assert "allow_pickle=True" not in [ast.unparse(keyword) for keyword in call.keywords]
    for name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "eval", "exec"):
        assert calls(tree, name) == []
