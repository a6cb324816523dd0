"""The validation split of a data set that has no part of its own for validation."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from translate.data.discovery.find import find_paired, find_unpaired
from translate.data.discovery.split import split_validation

NAMES = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=60)


@given(NAMES)
def test_one_in_twenty_is_for_validation_and_every_item_is_on_one_side_in_its_order(names: list[str]) -> None:
    train, validation = split_validation(names, str)
    assert len(validation) == (math.ceil(len(names) / 20) if len(names) > 1 else 0)
    assert sorted(train + validation) == sorted(names)
    assert [name for name in names if name in validation] == validation
    assert [name for name in names if name in train] == train


def test_at_most_50_are_for_validation() -> None:
    assert [len(part) for part in split_validation(list(range(5000)), str)] == [4950, 50]


def test_a_single_item_is_trained_on_and_of_two_one_is_left() -> None:
    assert split_validation(["a"], str) == (["a"], [])
    assert [len(part) for part in split_validation(["a", "b"], str)] == [1, 1]


@given(NAMES, st.text(min_size=9, max_size=9))
def test_a_new_item_changes_the_choice_by_one_at_most(names: list[str], new: str) -> None:
    before, after = (set(split_validation(items, str)[1]) for items in (names, [*names, new]))
    assert len(before ^ (after - {new})) <= 1


@given(NAMES.flatmap(st.permutations))
def test_the_order_does_not_matter(names: list[str]) -> None:
    assert set(split_validation(names, str)[1]) == set(split_validation(sorted(names), str)[1])


def test_names_that_are_no_text_have_a_hash() -> None:
    assert [len(part) for part in split_validation(["\udcff.jpg", "a.jpg"], str)] == [1, 1]


def test_the_choice_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    for side in "AB":
        (tmp_path / "here" / side).mkdir(parents=True)
        for number in range(60):
            (tmp_path / "here" / side / f"{number}.jpg").touch()
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    pairs, sides = [], []
    for place in ("here", "there"):
        root = tmp_path / place
        pairs.append([pair.a.relative_to(root) for pair in find_paired(str(root), None, None).validation])
        found = find_unpaired(str(root), None, None).validation
        sides.append([file.relative_to(root) for side in found for file in side])
    assert pairs[0] == pairs[1]
    assert sides[0] == sides[1]
