"""The errors that users see. Each message is one line: the value, the rule, the remedy.

A user's mistake raises a `TranslateError`; the command line prints its message and exits with its
`exit_code`. A bug in this package raises any other exception, which stays a traceback.
"""

from __future__ import annotations

import difflib
import importlib.util
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


def missing_packages(*packages: str) -> list[str]:
    """Return those of some packages that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def require_packages(extra: str, purpose: str, *packages: str) -> None:
    """Check that packages are installed that an extra of this package (setup.cfg) brings.

    Args:
        purpose: what needs them, for the message: `translate serve`.

    Raises:
        UsageError: one is not; the message has the command that installs it.
    """
    if missing := missing_packages(*packages):
        raise UsageError(f"{purpose} needs {' and '.join(missing)}: pip install 'translate-images[{extra}]'")
