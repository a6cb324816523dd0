"""The validation split of a dataset without a validation folder."""

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
def test_one_item_in_20_is_for_validation_and_both_sets_keep_the_order(names: list[str]) -> None:
    train, validation = split_validation(names, str)
    assert len(validation) == (math.ceil(len(names) / 20) if len(names) > 1 else 0)
    assert sorted(train + validation) == sorted(names)
    assert [name for name in names if name in validation] == validation
    assert [name for name in names if name in train] == train


def test_at_most_50_items_are_for_validation() -> None:
    assert [len(items) for items in split_validation(list(range(5000)), str)] == [4950, 50]


def test_a_single_item_is_for_training_and_two_items_are_split() -> None:
    assert split_validation(["a"], str) == (["a"], [])
    assert [len(items) for items in split_validation(["a", "b"], str)] == [1, 1]


@given(NAMES, st.text(min_size=9, max_size=9))
def test_a_new_item_changes_the_validation_set_by_at_most_one(names: list[str], new: str) -> None:
    before, after = (set(split_validation(items, str)[1]) for items in (names, [*names, new]))
    assert len(before ^ (after - {new})) <= 1


@given(NAMES.flatmap(st.permutations))
def test_the_split_does_not_depend_on_the_order(names: list[str]) -> None:
    assert set(split_validation(names, str)[1]) == set(split_validation(sorted(names), str)[1])


def test_names_that_are_not_valid_text_can_be_split() -> None:
    assert [len(items) for items in split_validation(["\udcff.jpg", "a.jpg"], str)] == [1, 1]


def test_the_split_does_not_depend_on_the_path_of_the_folder(tmp_path: Path) -> None:
    for domain in "AB":
        (tmp_path / "first" / domain).mkdir(parents=True)
        for number in range(60):
            (tmp_path / "first" / domain / f"{number}.jpg").touch()
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    pairs, images = [], []
    for name in ("first", "second"):
        root = tmp_path / name
        pairs.append([pair.a.relative_to(root) for pair in find_paired(str(root), None, None).validation])
        validation = find_unpaired(str(root), None, None).validation
        images.append([file.relative_to(root) for domain in validation for file in domain])
    assert pairs[0] == pairs[1]
    assert images[0] == images[1]
