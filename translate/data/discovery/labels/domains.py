"""Find images of several domains, or with attributes, to translate between: in folders, tables, tar files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from translate.config.model import check_domain_names
from translate.data.discovery.find import Photos
from translate.data.discovery.labels.tables import ON, LabelTable, match_rows, read_label_table
from translate.data.discovery.layout import parse_folder_name, unwrap_folder
from translate.data.discovery.location import ImageSource, describe_left_out, locate_data
from translate.data.discovery.shards import CACHE_SIZE, Shards
from translate.data.discovery.split import (
    VALIDATION_MAX,
    ImageSet,
    Subsets,
    describe_shortages,
    find_subsets,
    split_validation,
)
from translate.errors import DataError, UsageError, nearest
from translate.images import list_names

Label = tuple[int, ...]


class NoDomainsError(UsageError):
    """Nothing gives the images domains: neither sub-folders, nor a table, nor files in tar files."""


@dataclass(kw_only=True)
class MultiDomainImages(Photos):
    """The training and validation images of several domains, or with several attributes.

    Attributes:
        labels: for each image, 1 for its domain or for each of its attributes, and 0 for the others.
        domains: the names of the domains or of the attributes.
        exclusive: whether an image has one domain; otherwise it has any number of attributes.
    """

    labels: Mapping[ImageSource, Label]
    domains: list[str]
    exclusive: bool

    def with_label(self, files: Sequence[ImageSource], domain: str, value: int = 1) -> list[ImageSource]:
        """Return the files that have a domain or an attribute, or with the value 0 those that have not."""
        number = self.domains.index(domain)
        return [file for file in files if self.labels[file][number] == value]

    def label_text(self) -> str:
        """Return the domains and the labels of all files, which belong to the fingerprint of the dataset."""
        labels = ["".join(map(str, self.labels[file])) for file in self.files()]
        return "\n".join(["/".join(self.domains), *labels])

    def require_varied_labels(self) -> None:
        """Check that the training images have two domains or more, or that some of them have an attribute.

        Raises:
            DataError: a domain has no training image; or all training images have an attribute, or none has.
        """
        for name in self.domains:
            count = len(self.with_label(self.train, name))
            if self.exclusive and not count:
                raise DataError(f"domain {name!r} has no training image that can be read: add some")
            if not self.exclusive and count in (0, len(self.train)):
                having = f"all {count}" if count else f"none of the {len(self.train)}"
                raise DataError(
                    f"attribute {name!r} is on for {having} training images, and must be for some: choose"
                    " others with --attributes"
                )

    @property
    def domain_summary(self) -> str:
        """Return the number and the names of the domains or attributes in words."""
        names = list_names(self.domains) if not self.exclusive else ", ".join(self.domains)
        kind = "domain" if self.exclusive else "attribute"
        return f"{len(self.domains)} {kind}{'s' if len(self.domains) > 1 else ''} ({names})"

    @property
    def summary(self) -> str:
        counts = f"{len(self.train)} training images, {len(self.validation)} validation images"
        return f"{counts}, {self.domain_summary}"

    @property
    def shortages(self) -> list[str]:
        if not self.exclusive:
            return super().shortages
        train = {f"image of {name}": len(self.with_label(self.train, name)) for name in self.domains}
        lines = describe_shortages({name: (count, 1) for name, count in train.items()})
        missing = [name for name in self.domains if not self.with_label(self.validation, name)]
        if not self.validation:
            lines += super().shortages
        elif missing:
            names = list_names(missing)
            lines.append(f"no validation images of {names}: only images of other domains are validated")
        return lines


def find_multidomain(
    data: str | None,
    labels: str | None = None,
    attributes: Sequence[str] | None = None,
    *,
    cache_size: float = CACHE_SIZE,
) -> MultiDomainImages:
    """Find images of several domains, or with attributes.

    The domain of an image is its sub-folder (of `coats/`, of `coats/train/`, or beside train/ as in
    `coats/black/train/`; A and B in `trainA/` and `trainB/`), or its row of a table, or in tar files the text
    of the `.cls` file of the same sample.

    Args:
        labels: a table of attributes or of domains; the names of images are relative to the folder, or are
            file names that occur once.
        attributes: the attributes to use of the table.
        cache_size: maximum gigabytes of local copies of remote tar files.

    Raises:
        UsageError: the folder or the table is missing, or names what does not exist; there are no domains.
        DataError: the table is damaged, or a domain or an attribute has too few images to learn from.
    """
    root = locate_data(data, cache_size=cache_size)
    table = read_label_table(Path(labels)) if labels is not None else None
    if attributes:
        _require_attributes(table, attributes)
    if isinstance(root, Shards):
        if table is not None:
            raise UsageError(
                "--labels is for folders: in tar files, put 0001.cls with the domain beside 0001.jpg"
            )
        return _exclusive(find_subsets(root), _domains_of_shards(root), str(root), root.notes)
    subsets = find_subsets(unwrap_folder(root))
    subsets.require_training_images()
    if table is None:
        return _exclusive(subsets, _domains_of_folders(subsets), str(root), [])
    rows, notes = match_rows(subsets, table)
    if not table.attributes:
        return _exclusive(subsets, {file: values[0] for file, values in rows.items()}, str(table.path), notes)
    return _with_attributes(subsets, table, rows, attributes or table.attributes, notes)


def _require_attributes(table: LabelTable | None, attributes: Sequence[str]) -> None:
    """Refuse attributes without a table that has some."""
    names = ",".join(attributes)
    if table is None:
        raise UsageError(f"the attributes {names} need a table of them: give it with --labels FILE")
    if not table.attributes:
        raise UsageError(
            f"{table.path} gives each image one domain, and not the attributes {names}: give a table of"
            " attributes with --labels"
        )


def _domains_of_folders(subsets: Subsets) -> dict[ImageSource, str]:
    """Return the domain of each image: the name of its sub-folder, `A` for `trainA`."""
    domains = {}
    for images in (subsets.train, *subsets.held_out.values()):
        for file in images.images:
            folder, _, name = images.name(file).partition("/")
            subset, letter = parse_folder_name(folder)
            if name:
                domains[file] = letter.upper() if subset and letter else folder
    if not domains:
        raise NoDomainsError(
            f"{subsets.train} has no domains: put the images of each domain into a sub-folder of its own, or"
            " give a table of labels with --labels"
        )
    return domains


def _domains_of_shards(shards: Shards) -> dict[ImageSource, str]:
    """Return the domain of each image in tar files: the text of the `.cls` file of the same sample."""
    texts = {member: shards.classes.get((member.shard, member.key), "") for member in shards.members}
    if not any(texts.values()):
        raise NoDomainsError(
            f"no image in {shards} has a domain: put 0001.cls with the domain beside 0001.jpg"
        )
    return {member: text for member, text in texts.items() if text}


def _exclusive(
    subsets: Subsets, domain_of: Mapping[ImageSource, str], source: str, notes: list[str]
) -> MultiDomainImages:
    """Return images with one domain each; images without a domain are left out.

    Args:
        source: the folder or the table, for messages.
    """
    files = _by_domain(subsets.train.images, domain_of)
    _check_domains(files, source)
    held_out = subsets.validation
    if held_out:
        validation = _by_domain(held_out.images, domain_of)
    else:
        most = max(1, VALIDATION_MAX // len(files))
        validation = {name: split_validation(files[name], subsets.train.name, most)[1] for name in files}
    # The first images are those of the sample sheet, so the domains take turns.
    in_turn = [
        file
        for turn in zip_longest(*(validation.get(name, []) for name in files))
        for file in turn
        if file is not None
    ][:VALIDATION_MAX]
    in_validation = set(in_turn)
    every = [*subsets.train.images, *(held_out.images if held_out else [])]
    descriptions = {
        "without a domain": [file for file in every if file not in domain_of],
        "of a domain without training images": [
            file for file in every if file in domain_of and domain_of[file] not in files
        ],
    }
    left_out = [describe_left_out(text, found) for text, found in descriptions.items() if found]
    return MultiDomainImages(
        # In their order, which is that of the tar files.
        [file for file in subsets.train.images if file in domain_of and file not in in_validation],
        in_turn,
        labels={file: tuple(int(name == domain) for name in files) for file, domain in domain_of.items()},
        domains=list(files),
        exclusive=True,
        notes=notes + left_out,
        layout=subsets.describe_layout(),
    )


def _by_domain(
    images: Sequence[ImageSource], domain_of: Mapping[ImageSource, str]
) -> dict[str, list[ImageSource]]:
    """Return the images of each domain, sorted by the name of the domain."""
    files: dict[str, list[ImageSource]] = {}
    for file in images:
        if file in domain_of:
            files.setdefault(domain_of[file], []).append(file)
    return dict(sorted(files.items()))


def _check_domains(files: Mapping[str, Sequence[ImageSource]], source: str) -> None:
    """Refuse training images of one domain, or a domain of which there is one image."""
    check_domain_names(list(files))
    if len(files) < 2:
        only = f"one domain, {next(iter(files))!r}" if files else "no domain"
        raise DataError(f"{source} has {only}, and needs 2 or more: add images of another domain")
    for name, images in files.items():
        if len(images) < 2:
            raise DataError(
                f"domain {name!r} has one training image ({images[0]}), and needs 2 or more: add images, or"
                " remove it"
            )


def _with_attributes(
    subsets: Subsets,
    table: LabelTable,
    rows: Mapping[ImageSource, tuple[str, ...]],
    attributes: Sequence[str],
    notes: list[str],
) -> MultiDomainImages:
    """Return images with attributes; images that are not in the table are left out."""
    for name in attributes:
        if name not in table.attributes:
            raise UsageError(f"{table.path} has no attribute {name!r}{nearest(name, table.attributes)}")
    check_domain_names(attributes)
    numbers = [table.attributes.index(name) for name in attributes]
    labels = {file: tuple(int(row[number] == ON) for number in numbers) for file, row in rows.items()}
    train = ImageSet(
        subsets.train.location,
        [file for file in subsets.train.images if file in labels],
        subsets.train.folders,
    )
    if held_out := subsets.validation:
        files, validation = train.images, [file for file in held_out.images if file in labels]
    else:
        files, validation = train.split()
    return MultiDomainImages(
        files,
        validation[:VALIDATION_MAX],
        labels=labels,
        domains=list(attributes),
        exclusive=False,
        notes=notes,
        layout=subsets.describe_layout(),
    )
