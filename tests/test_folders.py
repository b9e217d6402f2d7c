"""Result folders: whole or not at all, and never somebody else's files."""

import errno
import json
import os

import pytest

from spa2v_lib.errors import OutputError
from spa2v_lib.folders import check_folder, result_folder


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
