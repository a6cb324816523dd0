"""The command line: its help, its shell completion, and the options of the functions in Python."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import translate
from translate.cli.main import main
from translate.cli.main import translate as command_line
from translate.config import flag_name, setting_fields
from translate.errors import UsageError
from translate.methods.registry import METHODS

IDENTITY = Path(__file__).parents[1] / "models" / "identity"
COMMANDS = (
    *("train", "apply", "colorize", "inpaint", "sample", "project"),
    *("evaluate", "models", "data", "import", "export", "studio", "serve", "hide", "reveal"),
)
SECTIONS = [
    *("Common", "Data", "Augmentation", "Network", "Loss"),
    *("Optimization", "Run", "Performance", "Method"),
]


def help_of(*words: str) -> str:
    """Return the help of a command, in lines that are wide enough for each option."""
    result = CliRunner().invoke(command_line, [*words, "--help"], terminal_width=400, max_content_width=400)
    assert result.exit_code == 0, result.output
    return result.output


def sections(text: str) -> dict[str, list[str]]:
    """Return the flags in each section of the help of a recipe, by the title of the section."""
    flags: dict[str, list[str]] = {}
    for line in text.splitlines():
        if title := re.fullmatch(r"(\w+) options:", line):
            section = flags[title[1]] = []
        elif line.startswith("  -"):
            section += re.findall(r"--[\w-]+", line.strip().split("  ")[0])
    return flags


def test_the_help_lists_all_commands() -> None:
    text = help_of()
    listed = text.partition("Commands:\n")[2]
    assert re.findall(r"^  (\w+)  ", listed, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help_of_its_own(command: str) -> None:
    text = help_of(command)
    assert text.startswith(f"Usage: translate {command} ")
    assert "-h, --help" in text


@pytest.mark.parametrize("recipe", METHODS)
def test_the_help_of_a_recipe_lists_each_setting_once_in_sections(recipe: str) -> None:
    by_section = sections(help_of("train", recipe))
    titles = list(by_section)
    assert titles == [title for title in SECTIONS if title in titles]
    flags = [flag for section in by_section.values() for flag in section if not flag.startswith("--no-")]
    assert len(set(flags)) == len(flags)
    settings = {flag_name(field) for field in setting_fields(METHODS[recipe].config_class())}
    assert set(flags) - settings == {"--config", "--resume", "--overwrite", "--dry-run", "--help"}
    assert settings <= set(flags)


def test_the_first_section_of_the_help_has_what_most_people_need() -> None:
    by_section = sections(help_of("train", "pix2pix"))
    common = {"--data", "--out", "--epochs", "--image-size", "--batch-size", "--device", "--resume", "--help"}
    assert common <= set(by_section["Common"])
    assert len(by_section["Common"]) < sum(len(flags) for flags in by_section.values()) / 3
    assert "--flip" in by_section["Augmentation"]
    assert "--ngf" in by_section["Network"]
    assert "--lambda-l1" in by_section["Loss"]
    assert "--lr" in by_section["Optimization"]


def test_the_help_of_an_option_has_its_choices_its_range_and_its_default() -> None:
    text = " ".join(help_of("train", "pix2pix").split())
    for pattern in (
        r"--gan-loss vanilla\|lsgan\|\S* [^[]*\[default: vanilla\]",
        r"--batch-size INT [^-]*from 1 to 4096 \[default: 1\]",
        r"--flip / --no-flip [^-]*\[default: on\]",
    ):
        assert re.search(pattern, text), pattern


Complete = Callable[[str], list[str]]


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """Complete what was typed after `translate` in a shell in tmp_path, and return the suggestions."""
    monkeypatch.chdir(tmp_path)

    def run(typed: str) -> list[str]:
        monkeypatch.setenv("_TRANSLATE_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", f"translate {typed}")
        monkeypatch.setenv("COMP_CWORD", str(1 + typed.count(" ")))
        monkeypatch.setattr(sys, "argv", ["translate"])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize(
    ("typed", "suggestions"),
    [
        ("col", ["colorize"]),
        ("train pi", ["pix2pix"]),
        ("train wg", ["wgan", "wgan-gp"]),
        ("train pix2pix --direction ", ["AtoB", "BtoA"]),
        ("train pix2pix --batch", ["--batch-size"]),
        ("apply model a.png --format p", ["png"]),
        ("apply inp", ["inpaint"]),
    ],
)
def test_the_shell_completes_commands_recipes_options_and_choices(
    typed: str, suggestions: list[str], complete: Complete
) -> None:
    assert complete(typed) == [f"plain,{word}" for word in suggestions]


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("train configs/", "file,configs/"),
        ("train pix2pix --data da", "dir,da"),
        ("train pix2pix --domainA da", "dir,da"),
        ("train pix2pix --out ru", "dir,ru"),
        ("train pix2pix --config co", "file,co"),
        ("train cgan --labels cl", "file,cl"),
        ("inpaint a.png --mask ma", "file,ma"),
        ("apply model ph", "file,ph"),
        ("apply model a.png --report re", "file,re"),
        ("evaluate model --data da", "dir,da"),
        ("data check da", "dir,da"),
    ],
)
def test_the_shell_completes_files_and_folders(typed: str, suggestion: str, complete: Complete) -> None:
    assert complete(typed) == [suggestion]


@pytest.mark.parametrize(
    "typed",
    [
        *("apply ", "sample ", "export ", "evaluate "),
        *("colorize a.png --model ", "inpaint a.png --model ", "train pix2pix --init "),
    ],
)
def test_the_shell_completes_models_and_runs(typed: str, complete: Complete, tmp_path: Path) -> None:
    for run in ("covers", "facades"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "config.yaml").touch()
    (tmp_path / "runs" / "notes").mkdir()
    models, runs = ["plain,colorize", "plain,inpaint"], ["plain,runs/covers", "plain,runs/facades"]
    assert complete(typed) == [*models, *runs]
    assert complete(f"{typed}runs/f") == ["plain,runs/facades"]
    assert complete(f"{typed}./model") == ["file,./model"]


def test_an_unknown_option_in_python_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'devise'.*'device'"):
        translate.load(IDENTITY, devise="cpu")
    translator = translate.load(IDENTITY, device="cpu", engine="torch")
    with pytest.raises(UsageError, match=r"'max_pixels'.*'max_megapixels'"):
        translator.folder(tmp_path, tmp_path / "out", max_pixels=1)
    assert not (tmp_path / "out").exists()


def test_an_option_in_python_is_checked_as_its_flag_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"precision .*'fp8'"):
        translate.load(IDENTITY, device="cpu", precision="fp8")
    with pytest.raises(UsageError, match=r"format .*'bmp'"):
        translate.load(IDENTITY, device="cpu", engine="torch").folder(
            tmp_path, tmp_path / "out", format="bmp"
        )
