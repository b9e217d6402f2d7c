"""Videos: written with their sound, read back, and never half written."""

import base64
import io

import av
import numpy as np
import pytest
from PIL import Image

from spa2v_lib.audio import Recording, read_audio
from spa2v_lib.errors import AudioError, OutputError, VideoError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.video import Video, enlargement, read_video


def clip(count: int = 20, height: int = 64, width: int = 64, fps: float = 8.0) -> Video:
    """A green square that moves right over a red ground."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[:] = (200, 60, 30)
    for k in range(count):
        frames[k, 20:40, k : k + 20] = (10, 200, 100)
    return Video(frames, fps)


def beep(seconds: float, rate: int = 22_050) -> Recording:
    t = np.arange(round(seconds * rate)) / rate
    return Recording.from_samples(np.stack([0.4 * np.sin(2 * np.pi * 440 * t), 0 * t]), rate)


@pytest.mark.parametrize("seconds", [1.0, 2.5, 9.0])
def test_picture_and_sound_last_exactly_as_long_as_the_frames(tmp_path, seconds):
    video = clip(20)
    path = video.save(tmp_path / "a.mp4", beep(seconds))
    with av.open(str(path)) as container:
        for stream in container.streams:
            assert float(stream.duration * stream.time_base) == pytest.approx(2.5, abs=1e-3)
        names = {stream.type: stream.codec_context.name for stream in container.streams}
        pixels = container.streams.video[0].codec_context.pix_fmt
    assert (names, pixels) == ({"video": "h264", "audio": "aac"}, "yuv420p")
    # What AAC's last packet holds beyond the stream's own length is decoded, too.
    assert 2.5 <= read_audio(path).duration_s < 2.5 + 1024 / 22_050


def test_frames_and_sound_come_back(tmp_path):
    video, sound = clip(), beep(2.5)
    path = video.save(tmp_path / "a.mp4", sound)
    back = read_video(path)
    assert back.fps == 8.0 and back.frames.shape == (20, 256, 256, 3)
    error = np.abs(back.frames[:, 2::4, 2::4].astype(int) - video.frames.astype(int))
    assert np.median(error) <= 3
    heard, meant = read_audio(path).samples, sound.resampled(48_000).samples
    inner = slice(4800, 110_000)
    assert np.abs(heard[0, inner] - meant[0, inner]).max() < 0.01  # a frame late would be 0.06
    assert np.abs(heard[1]).max() < 1e-3


def test_sound_shorter_than_the_picture_is_followed_by_silence(tmp_path):
    heard = read_audio(clip().save(tmp_path / "a.mp4", beep(1.0, 44_100)))
    assert heard.rate == 44_100
    assert np.abs(heard.samples[0, 46_000:]).max() < 1e-3
    assert np.abs(heard.samples[0, 20_000:40_000]).max() > 0.3


def test_the_index_stands_in_front_and_the_bytes_are_the_same_twice(tmp_path):
    first = clip().save(tmp_path / "a.mp4", beep(2.5)).read_bytes()
    second = clip().save(tmp_path / "b.mp4", beep(2.5)).read_bytes()
    assert first.find(b"moov") < first.find(b"mdat")
    assert first == second


@pytest.mark.parametrize(
    ("size", "factor"),
    [((64, 64), 4), ((256, 320), 1), ((100, 100), 3), ((255, 301), 2), ((1, 1), 256)],
)
def test_frames_are_enlarged_until_large_enough_and_even(size, factor):
    assert enlargement(*size) == factor


def test_odd_frames_can_be_written(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (2, 33, 57, 3), dtype=np.uint8)
    back = read_video(Video(frames, 12.5).save(tmp_path / "a.mp4"))
    assert back.frames.shape == (2, 264, 456, 3) and back.fps == 12.5


def test_an_unwritable_place_is_one_clear_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="cannot write"):
        clip().save(tmp_path / "file" / "a.mp4")
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(OutputError, match="folder"):
        clip().save(tmp_path / "a.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_failure_midway_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    pieces = [np.zeros((2, 800), np.float32)]
    cut_off = Recording(lambda _: iter(pieces), name="a", rate=16_000, channels=2, frames=16_000)
    with pytest.raises(AudioError, match="ends 0.95 s early"):
        clip().save(path, audio=cut_off)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"] and path.read_bytes() == b"old"


@pytest.mark.parametrize(
    "frames",
    [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3)), np.zeros((0, 8, 8, 3), np.uint8)],
)
def test_frames_of_another_type_or_shape_are_refused(frames):
    with pytest.raises(VideoError, match="uint8"):
        Video(frames, 8.0)


def test_wrong_rates_names_and_files_are_refused(tmp_path):
    with pytest.raises(VideoError, match="frame rate"):
        Video(np.zeros((1, 8, 8, 3), np.uint8), 0)
    with pytest.raises(VideoError, match=r"\.mp4"):
        clip().save(tmp_path / "a.avi")
    (tmp_path / "a.mp4").write_text("text")
    for name in ("a.mp4", "no.mp4"):
        with pytest.raises(VideoError, match="cannot be read|does not exist"):
            read_video(tmp_path / name)
    beep(1.0).save(tmp_path / "a.wav")
    with pytest.raises(VideoError, match="no pictures"):
        read_video(tmp_path / "a.wav")


def test_the_hash_tells_frames_and_shapes_apart():
    video = clip()
    changed = video.frames.copy()
    changed[3, 5, 7, 1] += 1
    other_shape = Video(video.frames.reshape(20, 32, 128, 3), 8.0)
    hashes = {video.sha256(), Video(changed, 8.0).sha256(), other_shape.sha256()}
    assert len(hashes) == 3 and clip().sha256() == video.sha256()
    assert len(video.sha256()) == 64


def test_the_notebook_view_holds_the_whole_video():
    shown = clip()._repr_html_()
    assert 'src="data:video/mp4;base64,' in shown and "http" not in shown
    assert len(clip().html(beep(2.5))) > len(clip().html())


def test_a_poster_is_the_frame_that_shows_most():
    boxes = [None, None, Box(x0=0.1, y0=0.4, x1=0.5, y1=0.8), None]
    layout = VideoSceneLayout(
        caption="a car", frame_captions=["a road"] * 4, key_times_s=[0.0, 0.25, 0.5, 0.75],
        objects=[SceneObject(id="a", label="car", caption="a car", boxes=boxes)],
        duration_s=1.0, fps=4.0,
    )  # fmt: skip
    frames = np.zeros((4, 64, 64, 3), np.uint8)
    frames[2] = 200
    address = Video(frames, 4.0, layout).poster()
    picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert picture.size == (256, 256) and np.asarray(picture).mean() > 190
    assert f'poster="{address}"' in Video(frames, 4.0, layout).html()
    assert Video(frames[:2], 4.0).poster() != address
