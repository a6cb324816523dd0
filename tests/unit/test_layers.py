"""The layers of the package: imports go to lower layers only, without cycles, and files stay short."""

from __future__ import annotations

import ast
from itertools import combinations
from pathlib import Path

import pytest

import translate

PACKAGE = Path(translate.__file__).parent
LAYERS = [  # subpackages and modules of `translate`, from the lowest layer up
    {"errors", "storage", "distributed", "signals", "allocator", "version", "progress"},
    {"config", "display", "compiling"},
    {"mixed_precision", "pretrained"},
    {"networks", "losses", "images", "metrics"},
    {"volumes"},
    {"models", "data"},
    {"inference"},
    {"methods"},
    {"training"},
    {"evaluation"},
    {"api"},
    {"web"},
    {"server", "studio"},
    {"cli"},
    {"__init__", "__main__"},
]
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
INNER_LAYERS = {  # folders of a subpackage, from the lowest layer up
    "inference": ["runtime", "predictors", "batch"],
    "data": ["discovery", "datasets"],
    "training": ["step", "runs"],
}
METHOD_FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("methods/*/__init__.py"))
INDEPENDENT = [  # pairs of folders that do not import each other
    ("networks.generators", "networks.discriminators"),
    *((f"methods.{first}", f"methods.{second}") for first, second in combinations(METHOD_FOLDERS, 2)),
]
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in FILES
}
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_FOLDER_FILES = 300, 45, 14


def subpackage(module: str) -> str:
    """Return the first part of a module's name, by which it belongs to a layer."""
    return module.partition(".")[0]


def is_in(module: str, folder: str) -> bool:
    """Return whether a module is in a folder: `methods.gan3d.task` is not in `methods.gan`."""
    return f"{module}.".startswith(f"{folder}.")


def imported_modules(path: Path) -> set[str]:
    """Return the modules of `translate` that a file imports at runtime, at the top or inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_type_checkers = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_type_checkers:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                names.add(name if name.removeprefix("translate.") in MODULES else node.module)
    return {name.removeprefix("translate.") for name in names if name.startswith("translate.")}


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_only_from_lower_layers(module: str) -> None:
    importer = subpackage(module)
    for imported in imported_modules(MODULES[module]):
        if subpackage(imported) != importer:
            assert LAYER_OF[subpackage(imported)] < LAYER_OF[importer], f"{module} imports {imported}"


@pytest.mark.parametrize("package", INNER_LAYERS)
def test_folders_of_a_subpackage_import_only_from_lower_layers(package: str) -> None:
    layers = INNER_LAYERS[package]
    for module, path in MODULES.items():
        for imported in imported_modules(path):
            folders = [name.split(".")[1] for name in (module, imported) if name.startswith(f"{package}.")]
            if len(folders) == 2 and set(folders) <= set(layers):
                assert layers.index(folders[1]) <= layers.index(folders[0]), f"{module} imports {imported}"


@pytest.mark.parametrize(("first", "second"), INDEPENDENT)
def test_independent_folders_do_not_import_each_other(first: str, second: str) -> None:
    for importer, imported in ((first, second), (second, first)):
        for module, path in MODULES.items():
            if is_in(module, importer):
                assert not [name for name in imported_modules(path) if is_in(name, imported)], module


def test_there_are_no_import_cycles() -> None:
    imports = {module: imported_modules(path) - {module} for module, path in MODULES.items()}
    while leaves := [module for module, imported in imports.items() if not imported & imports.keys()]:
        for module in leaves:
            del imports[module]
    assert not imports, f"an import cycle among {sorted(imports)}"


def test_every_subpackage_has_a_layer() -> None:
    assert {subpackage(module) or "__init__" for module in MODULES} == set(LAYER_OF)


def test_modules_needed_for_help_do_not_import_torch() -> None:
    for module, path in MODULES.items():
        if (
            LAYER_OF[subpackage(module)] < 2
            or subpackage(module) in ("cli", "__init__")
            or module.endswith("config")
        ):
            top = ast.parse(path.read_text(encoding="utf-8")).body
            names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and node.module}
            assert not {name for name in names if name.split(".")[0] == "torch"}, path


def test_files_are_short() -> None:
    long = [path for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > MAX_FILE_LINES]
    assert long == []


def test_functions_are_short() -> None:
    long = [
        f"{module}.{node.name}"
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_folders_have_few_files() -> None:
    folders = {path.parent for path in FILES}
    full = [
        folder for folder in folders if sum(f.suffix == ".py" for f in folder.iterdir()) > MAX_FOLDER_FILES
    ]
    assert full == []
