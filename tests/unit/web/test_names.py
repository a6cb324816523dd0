"""The names that clients give to files."""

from __future__ import annotations

import pytest

from translate.web.names import safe_name


@pytest.mark.parametrize("name", ["photo.jpg", "it's #1 (2).JPG", "日本.tif", "a.b.png", "notes.txt", "scan"])
def test_a_name_that_any_system_can_store_stays(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "image"),
        ("", "image"),
        (".hidden.png", "hidden.png"),
        ("con\0trol\n.png", "con_trol_.png"),
        ('a"<b>|?*:.png', "a__b_____.png"),
        ("\u202egnp.exe", "_gnp.exe"),
    ],
)
def test_a_name_cannot_leave_its_folder_or_hide_what_it_is(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_is_cut_to_what_a_disk_takes() -> None:
    assert len(safe_name("ß" * 300 + ".png").encode()) <= 255
