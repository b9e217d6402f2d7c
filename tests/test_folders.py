"""Result folders: whole or not at all, and never somebody else's files."""

import errno
import json
import os

import pytest

from spa2v_lib.errors import OutputError
from spa2v_lib.folders import check_folder, held_folder, result_folder, sweep


def write(out, text="new", overwrite=False, files=("a.txt",)):
    with result_folder(out, "run.json", overwrite=overwrite) as folder:
        for name in files:
            (folder / name).write_text(text)
        (folder / "run.json").write_text(json.dumps({"files": {name: {} for name in files}}))


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_results_appear_with_missing_parents(tmp_path):
    write(tmp_path / "deep" / "out")
    assert everything(tmp_path) == ["deep", "deep/out", "deep/out/a.txt", "deep/out/run.json"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_when_the_work_breaks_off(tmp_path, error):
    with pytest.raises(error), result_folder(tmp_path / "deep" / "out", "run.json") as folder:
        (folder / "half.txt").write_text("half")
        raise error
    assert everything(tmp_path) == []


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path):
    with (
        pytest.raises(OutputError, match=r"cannot write .*out: No space left"),
        result_folder(tmp_path / "deep" / "out", "run.json") as folder,
    ):
        (folder / "half.txt").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert everything(tmp_path) == []


def test_an_empty_folder_is_filled_and_stays_empty_on_failure(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RuntimeError), result_folder(out, "run.json") as folder:
        (folder / "half.txt").write_text("half")
        raise RuntimeError
    assert everything(tmp_path) == ["out"]
    write(out)
    assert everything(out) == ["a.txt", "run.json"]


def test_results_are_not_overwritten_unasked(tmp_path):
    write(tmp_path / "out", "old")
    with pytest.raises(OutputError, match="--overwrite"):
        write(tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "old"


def test_overwriting_replaces_old_results_and_spares_other_files(tmp_path):
    out = tmp_path / "out"
    write(out, "old", files=("a.txt", "gone.txt"))
    (out / "notes.txt").write_text("mine")
    write(out, overwrite=True)
    assert everything(out) == ["a.txt", "notes.txt", "run.json"]
    assert (out / "a.txt").read_text() == "new"


def test_a_marker_cannot_make_files_outside_the_folder_vanish(tmp_path):
    out, other = tmp_path / "out", tmp_path / "other.txt"
    out.mkdir()
    other.write_text("mine")
    (out / "run.json").write_text(json.dumps({"files": {"../other.txt": {}, str(other): {}}}))
    write(out, overwrite=True)
    assert other.read_text() == "mine"


def test_a_failed_overwriting_keeps_the_old_results(tmp_path):
    write(tmp_path / "out", "old")
    with (
        pytest.raises(RuntimeError),
        result_folder(tmp_path / "out", "run.json", overwrite=True) as folder,
    ):
        (folder / "a.txt").write_text("half")
        raise RuntimeError
    assert everything(tmp_path / "out") == ["a.txt", "run.json"]
    assert (tmp_path / "out" / "a.txt").read_text() == "old"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_files_is_refused(tmp_path, overwrite):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match="holds files"):
        check_folder(tmp_path, "run.json", overwrite=overwrite)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(OutputError, match="file is a file|it is a file"):
            check_folder(out, "run.json")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_place_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    tmp_path.chmod(0o500)
    # The superuser may write everywhere: ask as anybody else would be answered.
    monkeypatch.setattr(os, "access", lambda path, mode: bool(os.stat(path).st_mode & 0o200))
    with pytest.raises(OutputError, match="not writable"):
        check_folder(tmp_path / "out", "run.json")
    tmp_path.chmod(0o700)


def test_a_second_run_into_a_folder_that_is_being_written_is_refused_at_once(tmp_path):
    for out in (tmp_path / "new", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with result_folder(out, "run.json") as folder:
            (folder / "run.json").write_text("{}")
            with pytest.raises(OutputError, match="being written by another run.*--overwrite"):
                write(out)
        assert everything(out) == ["run.json"]


def test_of_two_runs_that_end_at_the_same_place_the_later_replaces_nothing(tmp_path):
    """The second began where it could not see the first, as on a system without locks."""
    out = tmp_path / "out"
    with (
        pytest.raises(OutputError, match="written by another run meanwhile|already holds files"),
        result_folder(out, "run.json") as folder,
    ):
        (folder / "run.json").write_text("second")
        (tmp_path / "first").mkdir()
        (tmp_path / "first" / "run.json").write_text("first")
        (tmp_path / "first").rename(out)
    assert (out / "run.json").read_text() == "first"
    assert everything(tmp_path) == ["out", "out/run.json"]


def test_of_two_runs_into_an_empty_folder_the_later_replaces_nothing(tmp_path):
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(OutputError, match="already holds files"),
        result_folder(tmp_path / "out", "run.json") as folder,
    ):
        (folder / "run.json").write_text("second")
        (tmp_path / "out" / "run.json").write_text("first")
    assert everything(tmp_path / "out") == ["run.json"]
    assert (tmp_path / "out" / "run.json").read_text() == "first"


def test_with_overwriting_two_runs_at_the_same_time_leave_one_whole_result(tmp_path):
    with result_folder(tmp_path / "out", "run.json", overwrite=True) as folder:
        (folder / "run.json").write_text(json.dumps({"files": {}}))
        write(tmp_path / "out", overwrite=True)
    assert everything(tmp_path / "out") == ["run.json"]


LEFT = ".out.0123456789ab.part"


@pytest.mark.parametrize("name", [LEFT, f"out/{LEFT}"])
def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / "half.txt").write_text("half")
    write(tmp_path / "out")
    assert everything(tmp_path) == ["out", "out/a.txt", "out/run.json"]


def test_only_what_was_left_of_the_same_folder_is_swept(tmp_path):
    others = [".out.b.0123456789ab.part", ".out.0123.part", "x.0123456789ab.part", ".output.part"]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".out.00000000000a.part").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "out")
    assert all((tmp_path / name).is_dir() for name in (*others, "elsewhere"))


def test_what_another_process_holds_is_not_swept(tmp_path):
    with held_folder(tmp_path, "x-", private=True) as folder:
        assert sweep(tmp_path, "x-") == [folder] and folder.stat().st_mode & 0o077 == 0
    assert everything(tmp_path) == []
