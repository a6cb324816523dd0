"""The command `translate`: one file for each of its commands, imported when it is called."""

from translate.cli.main import main

__all__ = ["main"]
