"""Imports run downward only, in no circle, and rooms stay of a size that one sees at a glance."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import translate

PACKAGE = Path(translate.__file__).parent
FLOORS = [
    {"errors", "storage", "distributed", "signals", "allocator", "compiling", "version"},
    {"config"},
    {"networks", "losses", "images", "metrics"},
    {"models", "data"},
    {"inference"},
    {"methods"},
    {"training"},
    {"evaluation"},
    {"api"},
    {"cli"},
    {"__init__", "__main__"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
INNER_FLOORS = {  # of rooms within a room, from the lowest up
    "inference": ["runtime", "predictors", "batch"],
    "data": ["discovery", "datasets"],
    "training": ["step", "runs"],
}
APART = [  # folders that do not import each other
    ("networks.generators", "networks.discriminators"),
    *(
        (f"methods.{a}", f"methods.{b}")
        for a in ("gan", "pix2pix")
        for b in ("cyclegan", "colorize", "inpaint")
    ),
    ("methods.gan", "methods.pix2pix"),
    ("methods.cyclegan", "methods.colorize"),
    ("methods.cyclegan", "methods.inpaint"),
    ("methods.colorize", "methods.inpaint"),
]
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in FILES
}
LARGEST_FILE, LARGEST_FUNCTION, LARGEST_FOLDER = 300, 45, 14  # lines, lines, files


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imported_modules(path: Path, *, at_top: bool = False) -> set[str]:
    """The modules of translate that a file imports, anywhere in it, but for what only type checkers read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in tree.body if at_top else ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole.removeprefix("translate.") in MODULES else node.module)
    return {name.removeprefix("translate.") for name in found if name.startswith("translate.")}


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_lower_floors(module: str) -> None:
    room = room_of(module)
    for other in imported_modules(MODULES[module]):
        if room_of(other) != room:
            assert FLOOR_OF[room_of(other)] < FLOOR_OF[room], f"{module} imports {other}"


@pytest.mark.parametrize("room", INNER_FLOORS)
def test_rooms_within_a_room_import_downward_only(room: str) -> None:
    floors = INNER_FLOORS[room]
    for module, path in MODULES.items():
        for other in imported_modules(path):
            places = [name.split(".")[1] for name in (module, other) if name.startswith(f"{room}.")]
            if len(places) == 2 and set(places) <= set(floors):
                assert floors.index(places[1]) <= floors.index(places[0]), f"{module} imports {other}"


@pytest.mark.parametrize(("one", "other"), APART)
def test_folders_apart_do_not_import_each_other(one: str, other: str) -> None:
    for folder, stranger in ((one, other), (other, one)):
        for module, path in MODULES.items():
            if module.startswith(folder):
                assert not [name for name in imported_modules(path) if name.startswith(stranger)], module


def test_no_file_imports_itself_through_others() -> None:
    imports = {module: imported_modules(path) - {module} for module, path in MODULES.items()}
    while free := [module for module, others in imports.items() if not others & imports.keys()]:
        for module in free:
            del imports[module]
    assert not imports, f"a circle among {sorted(imports)}"


def test_every_room_has_a_floor() -> None:
    assert {room_of(module) or "__init__" for module in MODULES} == set(FLOOR_OF)


def test_what_help_needs_imports_no_torch() -> None:
    for module, path in MODULES.items():
        if (
            FLOOR_OF[room_of(module)] < 2
            or room_of(module) in ("cli", "__init__")
            or module.endswith("config")
        ):
            top = ast.parse(path.read_text(encoding="utf-8")).body
            names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and node.module}
            assert not {name for name in names if name.split(".")[0] == "torch"}, path


def test_files_are_as_long_as_one_subject() -> None:
    long = [path for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > LARGEST_FILE]
    assert long == []


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{module}.{node.name}"
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > LARGEST_FUNCTION
    ]
    assert long == []


def test_folders_hold_no_more_than_one_remembers() -> None:
    folders = {path.parent for path in FILES}
    full = [folder for folder in folders if sum(f.suffix == ".py" for f in folder.iterdir()) > LARGEST_FOLDER]
    assert full == []
