"""Write an evaluation as lines of text and as the content of a JSON file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from translate.evaluation.protocols import COLUMNS
from translate.evaluation.scoring import Evaluation
from translate.images import printable_path


def report_lines(evaluation: Evaluation) -> Iterator[str]:
    """Give the table, and below it the protocol."""
    yield from table_lines(evaluation)
    yield ""
    for name, protocol in evaluation.protocol.items():
        yield printable_path(f"{name}: {protocol}")


def table_lines(evaluation: Evaluation) -> list[str]:
    """Return lines of equal columns: words to the left, numbers to the right, a dash where there is none."""
    rows = evaluation.rows
    names = [name for name in COLUMNS if name in rows[0].values]
    lines = [[evaluation.group, "", "images", *(COLUMNS[name].heading for name in names)]]
    for row in rows:
        values = [_text(name, row.values[name]) for name in names]
        lines.append([row.group, row.name, str(row.images), *values])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    forms = [f"{side}{width}" for side, width in zip("<<" + ">" * (len(names) + 1), widths, strict=True)]
    first = 0 if any(row.group for row in rows) else 1
    return ["  ".join(map(format, line[first:], forms[first:])) for line in lines]


def _text(name: str, value: float | None) -> str:
    return "-" if value is None else format(value, COLUMNS[name].format)


def to_json(evaluation: Evaluation, model: str) -> dict[str, Any]:
    """Return the content of a JSON file: the table in full digits, and all that comparing it takes.

    Args:
        model: where the model is, as the person named it.
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
        "left_out": evaluation.left_out,
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
