"""The command `translate`: one file a command, imported when it is called."""

from translate.cli.main import main

__all__ = ["main"]
