"""The errors a person meets. Each message is one line: the value, the rule, the remedy.

A mistake of the person at the keyboard raises a `TranslateError`; the command line prints
it and exits with its `exit_code`. A bug in this package stays a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TranslateError(Exception):
    """Something went wrong that the message tells how to put right."""

    exit_code = 1


class UsageError(TranslateError):
    """A value that was asked for cannot be: a flag, a key, a folder, a size."""

    exit_code = 2


class DataError(TranslateError):
    """An image or a data set that cannot be used."""


class SomeFilesFailedError(TranslateError):
    """A batch ran to its end, but some of its files could not be done."""

    exit_code = 3


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: `; did you mean 'epochs'?`, or the list of what there is."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there is {', '.join(known)}"
