"""Recordings: what is read, what is refused and what is noted."""

import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from spa2v_lib.audio import Recording, read_audio
from spa2v_lib.errors import AudioError, OutputError

RATE = 44_100


def tone(seconds: float = 1.0, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """Slightly different tones with a little noise, [channels, time]."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.02, (channels, t.size))
    pitches = 440.0 * (1 + np.arange(channels))[:, None]
    return (0.3 * np.sin(2 * np.pi * pitches * t) + noise).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    soundfile.write(str(path), samples.T, rate, subtype=subtype)
    return path


def write_with_ffmpeg(path: Path, samples: np.ndarray, codec: str, faststart: bool = False) -> Path:
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut_file(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff"])
def test_files_of_libsndfile_come_back_with_rate_length_and_sound(tmp_path, suffix):
    samples = tone(1.0)
    recording = read_audio(write(tmp_path / f"a{suffix}", samples))
    assert (recording.rate, recording.channels, recording.frames) == (RATE, 2, RATE)
    assert recording.samples.dtype == np.float32
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(recording.samples, samples, strict=True)]
    assert min(likeness) > 0.97


@pytest.mark.parametrize(("suffix", "codec"), [(".m4a", "aac"), (".mkv", "aac"), (".mp4", "aac")])
def test_files_of_ffmpeg_come_back_with_rate_and_sound(tmp_path, suffix, codec):
    samples = tone(1.0)
    recording = read_audio(write_with_ffmpeg(tmp_path / f"a{suffix}", samples, codec))
    assert (recording.rate, recording.channels) == (RATE, 2)
    assert recording.duration_s == pytest.approx(1.0, abs=0.03)
    kept = slice(4096, 40_000)
    assert np.corrcoef(recording.samples[0, kept], samples[0, kept])[0, 1] > 0.97


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_any_rate_and_channel_count_is_read(tmp_path, channels, rate):
    recording = read_audio(write(tmp_path / "a.wav", tone(0.5, rate, channels), rate))
    assert (recording.rate, recording.channels) == (rate, channels)
    assert recording.samples.shape == (channels, rate // 2)
    assert recording.stereo().samples.shape == (2, rate // 2)
    assert any("channel" in note for note in recording.notes)


def test_a_missing_path_and_a_folder_are_refused(tmp_path):
    with pytest.raises(AudioError, match="does not exist"):
        read_audio(tmp_path / "no.wav")
    with pytest.raises(AudioError, match="folder"):
        read_audio(tmp_path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a", "a.ogg", "a.txt", "a.raw"])
def test_text_is_refused_whatever_it_is_called(tmp_path, name):
    path = tmp_path / name
    path.write_text("this is no sound\n" * 500)
    with pytest.raises(AudioError, match="not audio|no sound track"):
        read_audio(path)


def test_an_empty_file_and_a_file_without_samples_are_refused(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match="empty"):
        read_audio(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="no samples"):
        read_audio(write(tmp_path / "b.wav", np.zeros((2, 0))))


def test_a_file_that_shrinks_after_it_was_opened_is_refused_on_use(tmp_path):
    path = write(tmp_path / "a.wav", tone(2.0))
    recording = read_audio(path)
    write(path, tone(1.0))
    with pytest.raises(AudioError, match="early"):
        recording.samples  # noqa: B018


def test_a_video_without_sound_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no sound track"):
        read_audio(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad):
    samples = tone(1.0)
    samples[1, 30_000] = bad
    with pytest.raises(AudioError, match="NaN or infinite"):
        read_audio(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    with pytest.raises(AudioError, match="NaN or infinite"):
        Recording.from_samples(samples, RATE)


def test_samples_whose_powers_would_overflow_are_refused(tmp_path):
    samples = tone(1.0)
    samples[1, 30_000] = 2.0**31
    assert read_audio(write(tmp_path / "a.wav", samples, subtype="FLOAT")).frames
    samples[1, 30_000] = -1e10
    with pytest.raises(AudioError, match=r"b\.wav holds samples of up to 1e\+10, where 1 is full"):
        read_audio(write(tmp_path / "b.wav", samples, subtype="FLOAT"))
    with pytest.raises(AudioError, match="where 1 is full scale"):
        Recording.from_samples(samples, RATE)


@pytest.mark.parametrize("rate", [1, 64, 999])
def test_a_rate_that_no_cue_can_be_measured_at_is_refused(tmp_path, rate):
    samples = np.resize(tone(1.0), (2, 5 * rate))
    with pytest.raises(AudioError, match=f"sampling rate is {rate} Hz; at least 1000 Hz"):
        Recording.from_samples(samples, rate)
    soundfile.write(tmp_path / "a.wav", samples.T, rate)
    with pytest.raises(AudioError, match=rf"a\.wav: the sampling rate is {rate} Hz"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.2, np.nan, np.inf])
def test_a_length_that_nothing_can_be_cut_to_is_refused(tmp_path, seconds):
    path = write(tmp_path / "a.wav", tone(1.0))
    with pytest.raises(AudioError, match=r"max_seconds is .*at least 0\.25 s"):
        read_audio(path, max_seconds=seconds)


def test_a_quarter_of_a_second_is_the_shortest(tmp_path):
    assert read_audio(write(tmp_path / "a.wav", tone(0.25))).duration_s == 0.25
    with pytest.raises(AudioError, match=r"0\.249 s"):
        read_audio(write(tmp_path / "b.wav", tone(0.249)))


def test_silence_clipping_dead_and_equal_channels_are_noted(tmp_path):
    samples = tone(0.5)
    loud = np.clip(samples * 5, -1, 1)
    cases = {
        "silence": np.zeros_like(samples),
        "clipping": loud,
        "dead channel": samples * np.array([[1], [0]], np.float32),
        "channels are the same": samples[[0, 0]],
    }
    for word, array in cases.items():
        notes = read_audio(write(tmp_path / "a.wav", array)).notes
        assert [note for note in notes if word in note], (word, notes)
    assert read_audio(write(tmp_path / "a.wav", samples)).notes == ()


def test_a_single_peak_at_full_scale_is_not_clipping(tmp_path):
    samples = tone(0.5)
    samples[0, 1000] = 1.0
    assert read_audio(write(tmp_path / "a.wav", samples, subtype="FLOAT")).notes == ()


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a"])
def test_max_seconds_cuts_and_says_so(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    samples = tone(2.0)
    write_with_ffmpeg(path, samples, "aac") if suffix == ".m4a" else write(path, samples)
    recording = read_audio(path, max_seconds=0.75)
    assert recording.duration_s == pytest.approx(0.75)
    assert recording.samples.shape == (2, round(0.75 * RATE))
    assert any("cut to the first 0.75 s" in note for note in recording.notes)
    assert read_audio(path, max_seconds=30).notes == ()


def test_blocks_join_to_the_samples_and_cuts_start_where_asked(tmp_path):
    path = write(tmp_path / "a.flac", tone(2.3))
    recording = read_audio(path)
    for seconds in (0.05, 0.7, 1.0, 5.0):
        blocks = list(recording.blocks(seconds))
        assert {b.shape[1] for b in blocks[:-1]} <= {round(seconds * RATE)}
        assert np.array_equal(np.concatenate(blocks, axis=1), recording.samples)
    part = recording.cut(0.4, 0.9).cut(0.1, 0.5)
    assert np.array_equal(part.samples, recording.samples[:, RATE // 2 : RATE])
    with pytest.raises(AudioError, match="no sound in the part"):
        recording.cut(2.3, 1.0)


def test_a_cut_of_compressed_sound_is_exact(tmp_path):
    recording = read_audio(write_with_ffmpeg(tmp_path / "a.m4a", tone(2.0), "aac"))
    part = recording.cut(1.0, 0.5).samples
    assert np.array_equal(part, recording.samples[:, RATE : RATE + RATE // 2])


def test_a_long_recording_never_sits_in_memory_while_it_is_checked(tmp_path):
    path = tmp_path / "long.wav"
    block = (np.random.default_rng(0).normal(0, 0.1, (8000 * 60, 2)) * 32767).astype(np.int16)
    with soundfile.SoundFile(str(path), "w", 8000, 2, "PCM_16") as stream:
        for _ in range(60):
            stream.write(block)
    tracemalloc.start()
    recording = read_audio(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert recording.duration_s == 3600
    assert peak < 20e6  # the whole would take 230 MB


@pytest.mark.parametrize(("old", "new"), [(44_100, 16_000), (22_050, 48_000), (48_000, 44_100)])
def test_resampling_keeps_length_pitch_and_level(old, new):
    t = np.arange(round(1.3 * old)) / old
    wave = np.sin(2 * np.pi * 1000 * t)
    recording = Recording.from_samples(np.stack([wave, 0.5 * wave]), old).resampled(new)
    assert recording.frames == round(1.3 * new)
    expected = np.sin(2 * np.pi * 1000 * np.arange(recording.frames) / new)
    inner = slice(new // 10, -new // 10)
    assert np.abs(recording.samples[0] - expected)[inner].max() < 1e-3
    assert np.abs(recording.samples[1] - 0.5 * expected)[inner].max() < 1e-3


def test_mono_is_the_mean_of_the_channels():
    samples = tone(0.5)
    assert np.allclose(Recording.from_samples(samples, RATE).mono(), samples.mean(axis=0))


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_saved_sound_reads_back(tmp_path, suffix):
    recording = Recording.from_samples(tone(0.6), RATE)
    path = recording.save(tmp_path / "new" / f"a{suffix}")
    assert np.abs(read_audio(path).samples - recording.samples).max() < 2e-7 * 2


def test_saving_where_it_cannot_be_done_is_one_clear_error(tmp_path):
    recording = Recording.from_samples(tone(0.5), RATE)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        recording.save(tmp_path / "file" / "a.wav")
    with pytest.raises(OutputError, match=r"\.wav or \.flac"):
        recording.save(tmp_path / "a.ogg")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_arrays_of_another_shape_are_refused():
    for array in (np.zeros((2, 2, 5)), np.zeros((2, 0))):
        with pytest.raises(AudioError, match="shape"):
            Recording.from_samples(array, RATE)
    with pytest.raises(AudioError, match="sampling rate"):
        Recording.from_samples(np.zeros((2, 100)), 0)


def test_the_notebook_view_holds_a_player_and_escapes_the_name():
    shown = Recording.from_samples(tone(0.5), RATE, name="<b>.wav")._repr_html_()
    assert shown.startswith('<audio controls src="data:audio/flac;base64,')
    assert "<b>" not in shown and "&lt;b&gt;.wav" in shown


def test_loudspeaker_channels_are_folded_by_their_names() -> None:
    names = ("FL", "FR", "FC", "LFE", "BL", "BR")
    samples = np.random.default_rng(0).normal(size=(6, 800)).astype(np.float32)
    folded = Recording(
        lambda frame: iter([samples[:, frame:]]),
        name="film",
        rate=8000,
        channels=6,
        frames=800,
        channel_layout=names,
    ).stereo()
    left, right, centre, _, back_left, back_right = samples
    third = np.sqrt(0.5)
    assert np.allclose(folded.samples[0], left + third * (centre + back_left), atol=1e-5)
    assert np.allclose(folded.samples[1], right + third * (centre + back_right), atol=1e-5)


def test_channels_without_names_are_not_folded() -> None:
    samples = np.random.default_rng(0).normal(size=(5, 800)).astype(np.float32)
    assert (Recording.from_samples(samples, 8000).stereo().samples == samples[:2]).all()
