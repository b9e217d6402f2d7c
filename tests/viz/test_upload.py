"""Uploads of both generations of ipywidgets become the same file."""

from __future__ import annotations

from pathlib import Path

import ipywidgets
import pytest

from spa2v_lab.explorers.widgets import save_upload
from spa2v_lib.errors import AudioError

SEVEN = {"train.flac": {"metadata": {"name": "train.flac"}, "content": b"fLaC"}}
EIGHT = ({"name": "train.flac", "type": "audio/flac", "size": 4, "content": memoryview(b"fLaC")},)


@pytest.mark.parametrize("value", [SEVEN, EIGHT], ids=["ipywidgets 7", "ipywidgets 8"])
def test_the_first_file_is_written_under_its_name(value: object, tmp_path: Path) -> None:
    path = save_upload(value, tmp_path / "new")
    assert path == tmp_path / "new" / "train.flac"
    assert path.read_bytes() == b"fLaC"


def test_an_untouched_widget_uploads_nothing(tmp_path: Path) -> None:
    assert save_upload(ipywidgets.FileUpload().value, tmp_path) is None
    assert save_upload({}, tmp_path) is None


@pytest.mark.parametrize("name", ["../../train.flac", "C:\\sounds\\train.flac", "/etc/train.flac"])
def test_a_name_with_folders_stays_in_the_folder(name: str, tmp_path: Path) -> None:
    path = save_upload(({"name": name, "content": b"fLaC"},), tmp_path)
    assert path == tmp_path / "train.flac"


@pytest.mark.parametrize(("name", "content"), [("a.wav", b""), ("..", b"x"), ("", b"x")])
def test_an_upload_without_content_or_name_is_refused(
    name: str, content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(AudioError, match="choose a sound file"):
        save_upload(({"name": name, "content": content},), tmp_path)
