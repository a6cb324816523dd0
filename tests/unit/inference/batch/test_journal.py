"""The journal recognizes finished files in a second run, and takes no other file for one of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from translate.errors import DataError
from translate.inference.batch.journal import ABSENT, CHANGED, DONE, FOREIGN, Journal, file_stamp
from translate.inference.batch.plan import Job

SETTINGS = {"model": "one", "direction": "AtoB"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def job(tmp_path: Path, out: Path) -> Job:
    source = tmp_path / "in" / "a.png"
    source.parent.mkdir()
    source.write_bytes(b"an image")
    return Job(source, out / "a.png")


def finish(journal: Journal, job: Job, content: bytes = b"its translation", *, crash: str = "") -> None:
    """Write a job's target as the pipeline does; `crash` stops before the line or after it."""
    part = job.target.with_name("part")
    part.write_bytes(content)
    if crash == "before the line":
        return
    journal.add(job, file_stamp(job.source), part)
    if crash != "after the line":
        part.replace(job.target)


def modify(path: Path, content: bytes = b"another") -> None:
    """Change a file, and its time even on a file system with a coarse clock."""
    path.write_bytes(content)
    later = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later, later))


def test_a_finished_file_is_done_in_the_next_run(out: Path, job: Job) -> None:
    journal = Journal(out, SETTINGS)
    assert journal.state(job) == ABSENT
    finish(journal, job)
    assert Journal(out, SETTINGS).state(job) == DONE


def test_the_journal_is_in_the_cache_folder_and_not_among_the_images(
    out: Path, job: Job, own_cache: Path
) -> None:
    journal = Journal(out, SETTINGS)
    finish(journal, job)
    assert own_cache in journal.path.parents
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_a_changed_source_or_another_model_is_a_change(out: Path, job: Job) -> None:
    finish(Journal(out, SETTINGS), job)
    assert Journal(out, {**SETTINGS, "model": "two"}).state(job) == CHANGED
    modify(job.source)
    assert Journal(out, SETTINGS).state(job) == CHANGED


def test_a_file_of_other_origin_is_foreign(out: Path, job: Job, tmp_path: Path) -> None:
    job.target.write_bytes(b"a file of the user")
    journal = Journal(out, SETTINGS)
    assert journal.state(job) == FOREIGN
    with pytest.raises(DataError, match="--overwrite"):
        finish(journal, job)
    journal.start([job], overwrite=True)
    finish(journal, job)
    other = Job(tmp_path / "in" / "b.png", job.target)
    assert Journal(out, SETTINGS).state(other) == FOREIGN
    modify(job.target, b"edited by hand")
    assert Journal(out, SETTINGS).state(job) == FOREIGN


def test_a_file_that_was_removed_is_absent(out: Path, job: Job) -> None:
    finish(Journal(out, SETTINGS), job)
    job.target.unlink()
    assert Journal(out, SETTINGS).state(job) == ABSENT


def test_a_source_that_changed_while_it_was_processed_is_not_done(out: Path, job: Job) -> None:
    stamp_before = file_stamp(job.source)
    modify(job.source)
    part = out / "part"
    part.write_bytes(b"of the earlier source")
    Journal(out, SETTINGS).add(job, stamp_before, part)
    part.replace(job.target)
    assert Journal(out, SETTINGS).state(job) == CHANGED


@pytest.mark.parametrize("crash", ["before the line", "after the line"])
@pytest.mark.parametrize("model", ["one", "two"])
def test_a_crash_before_the_rename_leaves_the_earlier_state(
    crash: str, model: str, out: Path, job: Job
) -> None:
    finish(Journal(out, SETTINGS), job, crash=crash)
    assert Journal(out, SETTINGS).state(job) == ABSENT
    finish(Journal(out, SETTINGS), job)
    finish(Journal(out, {**SETTINGS, "model": model}), job, b"done anew", crash=crash)
    assert Journal(out, SETTINGS).state(job) == DONE
    assert Journal(out, {**SETTINGS, "model": "two"}).state(job) == CHANGED


def jobs_of(out: Path, tmp_path: Path, count: int) -> list[Job]:
    (tmp_path / "in").mkdir(exist_ok=True)
    jobs = [Job(tmp_path / "in" / f"{n}.png", out / f"{n}.png") for n in range(count)]
    for job in jobs:
        job.source.write_bytes(job.source.name.encode())
    return jobs


def test_a_line_that_is_cut_off_loses_no_other_line(out: Path, tmp_path: Path) -> None:
    jobs, journal = jobs_of(out, tmp_path, 4), Journal(out, SETTINGS)
    for job in jobs[:3]:
        finish(journal, job)
    journal.path.write_bytes(journal.path.read_bytes()[:-20])
    again = Journal(out, SETTINGS)
    assert [again.state(job) for job in jobs] == [DONE, DONE, FOREIGN, ABSENT]
    finish(again, jobs[3])
    assert [Journal(out, SETTINGS).state(job) for job in jobs] == [DONE, DONE, FOREIGN, DONE]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"no json\n", b"[]\n3\nnull\n{}\n", b'{"name": []}\n', b"\xff\xfe\0", b'{"name": "a.png"'],
)
def test_a_damaged_journal_is_empty_and_can_be_written(content: bytes, out: Path, job: Job) -> None:
    journal = Journal(out, SETTINGS)
    journal.path.parent.mkdir(parents=True)
    journal.path.write_bytes(content)
    finish(Journal(out, SETTINGS), job)
    assert Journal(out, SETTINGS).state(job) == DONE


def test_the_journal_does_not_grow_with_every_run(out: Path, tmp_path: Path) -> None:
    jobs = jobs_of(out, tmp_path, 3)
    for _ in range(20):
        journal = Journal(out, SETTINGS)
        for job in jobs:
            finish(journal, job)
    lines = Journal(out, SETTINGS).path.read_bytes().splitlines()
    assert len(lines) <= 5 * len(jobs)
    assert [Journal(out, SETTINGS).state(job) for job in jobs] == [DONE] * 3


def test_each_output_folder_has_its_own_journal(out: Path, job: Job, tmp_path: Path) -> None:
    finish(Journal(out, SETTINGS), job)
    other = Job(job.source, tmp_path / "other" / "a.png")
    other.target.parent.mkdir()
    job.target.rename(other.target)
    assert Journal(other.target.parent, SETTINGS).state(other) == FOREIGN


def test_an_output_folder_has_one_journal_under_all_its_paths(out: Path, job: Job, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(out)
    finish(Journal(tmp_path / "link", SETTINGS), Job(job.source, tmp_path / "link" / "a.png"))
    assert Journal(out, SETTINGS).state(job) == DONE


def test_a_link_at_the_target_is_replaced_by_the_file(out: Path, job: Job, tmp_path: Path) -> None:
    job.target.symlink_to(tmp_path / "nowhere.png")
    finish(Journal(out, SETTINGS), job)
    assert not job.target.is_symlink()
    assert Journal(out, SETTINGS).state(job) == DONE


@pytest.mark.parametrize("name", ["naïve\nname.png", os.fsdecode(b"caf\xe9.png"), "x" * 251 + ".png"])
def test_any_file_name_is_recognized(name: str, out: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / name, out / name)
    job.source.write_bytes(b"an image")
    finish(Journal(out, SETTINGS), job)
    assert Journal(out, SETTINGS).state(job) == DONE


def test_without_a_cache_folder_existing_files_are_foreign(
    out: Path, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "file" / "cache"))
    finish(Journal(out, SETTINGS), job)
    assert job.target.exists()
    assert Journal(out, SETTINGS).state(job) == FOREIGN
