"""Format an evaluation as a table of text and as the content of a JSON file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from translate.evaluation.protocols import COLUMNS
from translate.evaluation.scoring import Evaluation
from translate.images import printable_path


def report_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines of the table, an empty line, and a line of protocol for each score."""
    yield from table_lines(evaluation)
    yield ""
    for name, protocol in evaluation.protocol.items():
        yield printable_path(f"{name}: {protocol}")


def table_lines(evaluation: Evaluation) -> list[str]:
    """Return the heading and the rows in aligned columns; a missing number is a dash."""
    rows = evaluation.rows
    names = [name for name in COLUMNS if name in rows[0].values]
    items = "volumes" if evaluation.kind == "volume" else "images"
    lines = [[evaluation.group, "", items, *(COLUMNS[name].heading for name in names)]]
    for row in rows:
        values = [_format_value(name, row.values[name]) for name in names]
        lines.append([row.group, row.name, str(row.images), *values])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    alignments = "<<" + ">" * (len(names) + 1)  # Names to the left, numbers to the right.
    formats = [f"{side}{width}" for side, width in zip(alignments, widths, strict=True)]
    first = 0 if any(row.group for row in rows) else 1
    return ["  ".join(map(format, line[first:], formats[first:])) for line in lines]


def _format_value(name: str, value: float | None) -> str:
    return "-" if value is None else format(value, COLUMNS[name].format)


def to_json(evaluation: Evaluation, model: str) -> dict[str, Any]:
    """Return the content of a JSON file: the scores at full precision, and how they were computed.

    Args:
        model: the path or name by which the user gave the model.
    """
    return {
        "model": model,
        "fingerprint": evaluation.fingerprint,
        "version": evaluation.version,
        "device": evaluation.device,
        "precision": evaluation.precision,
        "kind": evaluation.kind,
        "suite": evaluation.suite,
        "images": evaluation.images,
        "left_out": evaluation.skipped,
        "notes": evaluation.notes,
        "protocol": evaluation.protocol,
        "rows": [
            {
                **({evaluation.group: row.group} if row.group else {}),
                "name": row.name,
                "images": row.images,
                **row.values,
            }
            for row in evaluation.rows
        ],
    }
