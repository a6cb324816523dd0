"""Imports run downward only: a room knows the floors below it, and no room beside it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import translate

PACKAGE = Path(translate.__file__).parent
FLOORS = [
    {"errors", "heap", "processes", "storage", "version"},
    {"config"},
    {"networks", "losses", "images", "metrics", "tensors"},
    {"models", "data"},
    {"trainers", "inference"},
    {"tasks"},
    {"recipes"},
    {"engine"},
    {"api"},
    {"cli"},
    {"__init__", "__main__"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    """The rooms of translate that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    inside = [name.split(".") for name in names if name.startswith("translate.")]
    return {parts[1] for parts in inside if parts[1] in FLOOR_OF}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_lower_floors(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{path.name} of {room} imports {other}"


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in FILES} == set(FLOOR_OF)


def test_the_lowest_floors_import_no_torch() -> None:
    for path in FILES:
        if room_of(path) in FLOORS[0] | FLOORS[1] | {"recipes", "cli", "__init__"}:
            top = ast.parse(path.read_text(encoding="utf-8")).body
            names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and node.module}
            assert not {name for name in names if name.split(".")[0] == "torch"}, path


def test_files_are_as_long_as_one_subject() -> None:
    assert [path for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []
