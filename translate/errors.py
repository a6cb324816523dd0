"""The errors that users see. Each message is one line: the value, the rule, the remedy.

A user's mistake raises a `TranslateError`; the command line prints its message and exits with its
`exit_code`. A bug in this package raises any other exception, which stays a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TranslateError(Exception):
    """An error that the user can fix; the message says how."""

    exit_code = 1


class UsageError(TranslateError):
    """An invalid argument: a flag, a setting, a path or a size."""

    exit_code = 2


class DataError(TranslateError):
    """An image, a dataset or a model file that cannot be used."""


class SomeFilesFailedError(TranslateError):
    """A batch that finished, but in which some files failed."""

    exit_code = 3


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: `; did you mean 'epochs'?`, or else the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; choose from {', '.join(known)}"
