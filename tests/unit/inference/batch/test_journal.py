"""What is ours and done is known again; what is not is never taken for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from translate.inference.batch.journal import ABSENT, CHANGED, DONE, FOREIGN, Journal, identity
from translate.inference.batch.plan import Job

WORK = {"model": "one", "direction": "AtoB"}


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
    """Write a job's target, as the writer does; `crash` is before or after its line."""
    part = job.target.with_name("part")
    part.write_bytes(content)
    if crash == "before the line":
        return
    journal.add(job, identity(job.source), part)
    if crash != "after the line":
        part.replace(job.target)


def touch(path: Path, content: bytes = b"another") -> None:
    """Change a file; its time, too, on a file system whose clock is coarse."""
    path.write_bytes(content)
    later = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later, later))


def test_what_was_done_is_known_at_once_and_next_time(out: Path, job: Job) -> None:
    journal = Journal(out, WORK)
    assert journal.state(job) == ABSENT
    finish(journal, job)
    assert Journal(out, WORK).state(job) == DONE


def test_it_lies_in_the_cache_folder_and_not_among_the_images(out: Path, job: Job, own_cache: Path) -> None:
    journal = Journal(out, WORK)
    finish(journal, job)
    assert own_cache in journal.path.parents
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_another_input_or_another_model_is_to_be_done_anew(out: Path, job: Job) -> None:
    finish(Journal(out, WORK), job)
    assert Journal(out, {**WORK, "model": "two"}).state(job) == CHANGED
    touch(job.source)
    assert Journal(out, WORK).state(job) == CHANGED


def test_a_file_that_is_not_ours_is_foreign(out: Path, job: Job, tmp_path: Path) -> None:
    job.target.write_bytes(b"the person's own")
    assert Journal(out, WORK).state(job) == FOREIGN
    finish(Journal(out, WORK), job)
    other = Job(tmp_path / "in" / "b.png", job.target)
    assert Journal(out, WORK).state(other) == FOREIGN
    touch(job.target, b"edited by hand")
    assert Journal(out, WORK).state(job) == FOREIGN


def test_a_file_that_was_removed_is_absent(out: Path, job: Job) -> None:
    finish(Journal(out, WORK), job)
    job.target.unlink()
    assert Journal(out, WORK).state(job) == ABSENT


def test_a_source_that_changed_while_it_was_translated_is_not_done(out: Path, job: Job) -> None:
    seen = identity(job.source)
    touch(job.source)
    part = out / "part"
    part.write_bytes(b"of the earlier source")
    Journal(out, WORK).add(job, seen, part)
    part.replace(job.target)
    assert Journal(out, WORK).state(job) == CHANGED


@pytest.mark.parametrize("crash", ["before the line", "after the line"])
@pytest.mark.parametrize("model", ["one", "two"])
def test_a_crash_before_the_name_leaves_the_earlier_state(
    crash: str, model: str, out: Path, job: Job
) -> None:
    finish(Journal(out, WORK), job, crash=crash)
    assert Journal(out, WORK).state(job) == ABSENT
    finish(Journal(out, WORK), job)
    finish(Journal(out, {**WORK, "model": model}), job, b"done anew", crash=crash)
    assert Journal(out, WORK).state(job) == DONE
    assert Journal(out, {**WORK, "model": "two"}).state(job) == CHANGED


def jobs_of(out: Path, tmp_path: Path, count: int) -> list[Job]:
    (tmp_path / "in").mkdir(exist_ok=True)
    jobs = [Job(tmp_path / "in" / f"{n}.png", out / f"{n}.png") for n in range(count)]
    for job in jobs:
        job.source.write_bytes(job.source.name.encode())
    return jobs


def test_a_line_that_was_cut_off_costs_itself_and_no_other(out: Path, tmp_path: Path) -> None:
    jobs, journal = jobs_of(out, tmp_path, 4), Journal(out, WORK)
    for job in jobs[:3]:
        finish(journal, job)
    journal.path.write_bytes(journal.path.read_bytes()[:-20])
    again = Journal(out, WORK)
    assert [again.state(job) for job in jobs] == [DONE, DONE, FOREIGN, ABSENT]
    finish(again, jobs[3])
    assert [Journal(out, WORK).state(job) for job in jobs] == [DONE, DONE, FOREIGN, DONE]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"no json\n", b"[]\n3\nnull\n{}\n", b'{"name": []}\n', b"\xff\xfe\0", b'{"name": "a.png"'],
)
def test_a_damaged_journal_knows_nothing_and_goes_on(content: bytes, out: Path, job: Job) -> None:
    journal = Journal(out, WORK)
    journal.path.parent.mkdir(parents=True)
    journal.path.write_bytes(content)
    finish(Journal(out, WORK), job)
    assert Journal(out, WORK).state(job) == DONE


def test_it_does_not_grow_with_every_run(out: Path, tmp_path: Path) -> None:
    jobs = jobs_of(out, tmp_path, 3)
    for _ in range(20):
        journal = Journal(out, WORK)
        for job in jobs:
            finish(journal, job)
    lines = Journal(out, WORK).path.read_bytes().splitlines()
    assert len(lines) <= 5 * len(jobs)
    assert [Journal(out, WORK).state(job) for job in jobs] == [DONE] * 3


def test_each_output_folder_has_its_own(out: Path, job: Job, tmp_path: Path) -> None:
    finish(Journal(out, WORK), job)
    other = Job(job.source, tmp_path / "other" / "a.png")
    other.target.parent.mkdir()
    job.target.rename(other.target)
    assert Journal(other.target.parent, WORK).state(other) == FOREIGN


def test_an_output_folder_is_known_by_any_name(out: Path, job: Job, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(out)
    finish(Journal(tmp_path / "link", WORK), Job(job.source, tmp_path / "link" / "a.png"))
    assert Journal(out, WORK).state(job) == DONE


def test_a_link_in_the_targets_place_is_replaced_and_known(out: Path, job: Job, tmp_path: Path) -> None:
    job.target.symlink_to(tmp_path / "nowhere.png")
    finish(Journal(out, WORK), job)
    assert not job.target.is_symlink()
    assert Journal(out, WORK).state(job) == DONE


@pytest.mark.parametrize("name", ["naïve\nname.png", os.fsdecode(b"caf\xe9.png"), "x" * 251 + ".png"])
def test_any_name_is_known_again(name: str, out: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / name, out / name)
    job.source.write_bytes(b"an image")
    finish(Journal(out, WORK), job)
    assert Journal(out, WORK).state(job) == DONE


def test_without_a_cache_folder_what_is_there_is_left_alone(
    out: Path, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "file" / "cache"))
    finish(Journal(out, WORK), job)
    assert job.target.exists()
    assert Journal(out, WORK).state(job) == FOREIGN
