"""Sound files as people bring them: what is decoded counts, and what is missing is noted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from soundfiles import RATE, cut, encode, joined, likeness, noise, pcm_wav, plain

from spa2v_lib.audio import read_audio
from spa2v_lib.audio.opening import FileSection
from spa2v_lib.errors import AudioError

NO_INDEX = {"write_xing": "0", "id3v2_version": "0"}


def notes(recording) -> str:
    return " | ".join(recording.notes)


# --- length --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFF000])
def test_a_wav_whose_writer_could_not_go_back_is_read_to_its_end(tmp_path, stated):
    samples = noise(1.0)
    recording = read_audio(pcm_wav(tmp_path / "a.wav", samples, data_bytes=stated))
    assert recording.frames == RATE and recording.notes == ()
    assert np.abs(recording.samples - samples).max() < 1e-4


@pytest.mark.parametrize("extra", [1, 3, 14, 40])
def test_a_wav_that_states_some_bytes_too_many_is_read_without_a_word(tmp_path, extra):
    samples = noise(1.0)
    path = pcm_wav(tmp_path / "a.wav", samples, data_bytes=4 * RATE + extra)
    assert (read_audio(path).frames, read_audio(path).notes) == (RATE, ())


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.wav", {}),
        ("a.wav", {"format": "RF64"}),
        ("a.wav", {"subtype": "IMA_ADPCM"}),
        ("a.w64", {}),
        ("a.caf", {}),
        ("a.caf", {"subtype": "ALAC_16"}),
        ("a.au", {}),
        ("a.aiff", {}),
        ("a.flac", {}),
        ("a.mp3", {}),
    ],
    ids=lambda value: str(value),
)
def test_what_is_left_of_a_file_cut_short_is_read_and_the_rest_is_noted(tmp_path, name, form):
    path = cut(plain(tmp_path / name, noise(3.0), **form), 0.6)
    recording = read_audio(path)
    assert 1.5 < recording.duration_s < 2.1
    assert recording.samples.shape == (2, recording.frames)
    assert "truncated: cut short after" in notes(recording)
    missing = float(notes(recording).split("the last ")[1].split(" s")[0])
    assert missing == pytest.approx(3.0 - recording.duration_s, abs=0.3)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_file_cut_short_is_noted(tmp_path, subtype):
    path = plain(tmp_path / "a.ogg", noise(3.0, 48_000), 48_000, subtype=subtype)
    recording = read_audio(cut(path, 0.6))
    assert recording.duration_s < 2.5 and "truncated" in notes(recording)


@pytest.mark.parametrize("name", ["a.m4a", "a.mkv"])
def test_a_video_container_cut_short_is_noted(tmp_path, name):
    options = {"movflags": "+faststart"} if name == "a.m4a" else {}
    path = encode(tmp_path / name, noise(3.0), "aac", container_options=options)
    recording = read_audio(cut(path, 0.6))
    assert 1.0 < recording.duration_s < 2.5 and "truncated" in notes(recording)


def test_a_container_without_its_index_is_refused(tmp_path):
    path = cut(encode(tmp_path / "a.m4a", noise(3.0), "aac"), 0.6)
    with pytest.raises(AudioError, match="not audio, or so damaged"):
        read_audio(path)


def test_a_flac_file_that_does_not_state_its_length_is_read_to_its_end(tmp_path):
    path = plain(tmp_path / "a.flac", noise(1.5))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the number of samples and the checksum: unknown
    data[22:42] = bytes(20)
    path.write_bytes(data)
    recording = read_audio(path)
    assert recording.duration_s == 1.5 and recording.notes == ()


@pytest.mark.parametrize("calm_first", [True, False])
def test_an_mp3_of_changing_bit_rate_without_an_index_keeps_its_length(tmp_path, calm_first):
    busy, calm = noise(3.0), 0.01 * noise(3.0, seed=1)
    samples = np.concatenate([calm, busy] if calm_first else [busy, calm], axis=1)
    path = encode(
        tmp_path / "a.mp3",
        samples,
        "libmp3lame",
        codec_options={"flags": "+qscale", "global_quality": "236", "compression_level": "2"},
        container_options=NO_INDEX,
    )
    recording = read_audio(path)
    assert recording.duration_s == pytest.approx(6.0, abs=0.1)
    loud_first = np.abs(recording.samples[:, :RATE]).max() > 0.1
    assert loud_first != calm_first


@pytest.mark.parametrize("ending", ["wav", "mp3", "dat"])
def test_mp3_is_read_in_whatever_it_is_wrapped(tmp_path, ending):
    samples = noise(1.0)
    encode(tmp_path / "in.mp3", samples, "libmp3lame", container_options=NO_INDEX)
    data = (tmp_path / "in.mp3").read_bytes()
    path = tmp_path / f"a.{ending}"
    if ending == "wav":
        form = np.array([0x55, 2], "<u2").tobytes() + np.array([RATE, 16000], "<u4").tobytes()
        form += np.array([1, 0, 12, 1, 2, 417, 1, 0], "<u2").tobytes()[:12] + bytes(2)
        chunk = b"WAVEfmt " + np.uint32(len(form)).tobytes() + form
        chunk += b"data" + np.uint32(len(data)).tobytes() + data
        data = b"RIFF" + np.uint32(len(chunk)).tobytes() + chunk
    path.write_bytes(data)
    recording = read_audio(path)
    assert recording.duration_s == pytest.approx(1.0, abs=0.1)


def test_sound_that_follows_what_a_wav_states_is_noted(tmp_path):
    first = plain(tmp_path / "1.wav", noise(0.5))
    path = joined(tmp_path / "a.wav", first, plain(tmp_path / "2.wav", noise(0.5, seed=1)))
    recording = read_audio(path)
    assert recording.duration_s == 0.5
    assert "another file may be joined to it" in notes(recording)


# --- joined streams, changes on the way ----------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "rate", "word"),
    [
        ("VORBIS", RATE, "joined"),
        ("VORBIS", 48_000, "sampling rate changes"),
        ("OPUS", 48_000, "rate"),
    ],
)
def test_joined_ogg_streams_are_all_read(tmp_path, second, rate, word):
    left, right = noise(1.5), noise(1.5, rate, seed=1)
    left[1], right[0] = 0, 0
    path = joined(
        tmp_path / "a.ogg",
        plain(tmp_path / "1.ogg", left, subtype="VORBIS"),
        plain(tmp_path / "2.ogg", right, rate, subtype=second),
    )
    recording = read_audio(path)
    assert recording.rate == RATE and recording.duration_s == pytest.approx(3.0, abs=0.02)
    halves = recording.samples[:, 1000:60_000], recording.samples[:, 70_000:-1000]
    assert [int(np.argmax(np.abs(half).max(axis=1))) for half in halves] == [0, 1]
    assert word in notes(recording) and "joined" in notes(recording)


def test_joined_mp3_files_are_all_read_although_each_has_an_index(tmp_path):
    parts = [plain(tmp_path / f"{n}.mp3", noise(1.5, seed=n)) for n in (1, 2)]
    recording = read_audio(joined(tmp_path / "a.mp3", *parts))
    assert recording.duration_s == pytest.approx(3.0, abs=0.12)


@pytest.mark.parametrize("rates", [(44_100, 48_000), (48_000, 32_000)])
@pytest.mark.parametrize("ending", ["mp3", "aac"])
def test_a_rate_that_changes_on_the_way_keeps_speed_and_is_noted(tmp_path, rates, ending):
    codec, options = ("libmp3lame", NO_INDEX) if ending == "mp3" else ("aac", {})
    parts = []
    for rate in rates:
        t = np.arange(2 * rate) / rate
        tone = 0.3 * np.sin(2 * np.pi * 1000 * t) * np.ones((2, 1))
        path = tmp_path / f"{rate}.{ending}"
        parts.append(encode(path, tone, codec, rate=rate, container_options=options))
    recording = read_audio(joined(tmp_path / f"a.{ending}", *parts))
    assert recording.rate == rates[0] and recording.duration_s == pytest.approx(4.1, abs=0.15)
    assert "the sampling rate changes" in notes(recording)
    late = recording.samples[0, int(2.5 * rates[0]) : int(3.5 * rates[0])]
    peak = np.argmax(np.abs(np.fft.rfft(late * np.hanning(len(late))))) * rates[0] / len(late)
    assert peak == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("order", [("stereo", "mono"), ("mono", "stereo")])
@pytest.mark.parametrize("ending", ["aac", "mp3"])
def test_channels_that_change_on_the_way_stay_left_and_right(tmp_path, order, ending):
    codec, options = ("libmp3lame", NO_INDEX) if ending == "mp3" else ("aac", {})
    stereo = noise(1.5)
    stereo[1] *= 0.1
    parts = {
        "stereo": encode(tmp_path / f"s.{ending}", stereo, codec, container_options=options),
        "mono": encode(
            tmp_path / f"m.{ending}", noise(1.5, channels=1), codec, layout="mono",
            container_options=options,
        ),
    }  # fmt: skip
    recording = read_audio(joined(tmp_path / f"a.{ending}", *(parts[name] for name in order)))
    assert recording.channels == 2 and recording.duration_s == pytest.approx(3.1, abs=0.15)
    assert "the channels change" in notes(recording)
    for name, part in zip(order, (slice(20_000, 60_000), slice(75_000, 120_000)), strict=True):
        left, right = np.abs(recording.samples[:, part]).max(axis=1)
        assert right / left == pytest.approx(0.1 if name == "stereo" else 1.0, rel=0.2)


# --- time in containers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "flac"), ("a.mkv", "aac"), ("a.mp4", "aac"), ("a.ts", "aac")]
)
def test_sound_that_begins_after_the_picture_stands_in_its_place(tmp_path, name, codec):
    path = encode(tmp_path / name, noise(1.0), codec, begin_s=2.0, pictures_s=4)
    recording = read_audio(path)
    assert recording.duration_s == pytest.approx(3.0, abs=0.1)
    assert "the sound begins" in notes(recording) and "truncated" not in notes(recording)
    loud = np.flatnonzero(np.abs(recording.samples[0]) > 0.02)
    assert loud[0] / RATE == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "flac"), ("a.mkv", "aac"), ("a.mp4", "aac")])
def test_a_pause_in_the_timestamps_is_silence(tmp_path, name, codec):
    path = encode(tmp_path / name, noise(2.0), codec, pause=(1.0, 3.0))
    recording = read_audio(path)
    assert recording.duration_s == pytest.approx(5.0, abs=0.1)
    assert "pauses for" in notes(recording)
    middle = recording.samples[:, int(1.5 * RATE) : int(3.5 * RATE)]
    assert np.abs(middle).max() == 0.0
    assert np.abs(recording.samples[:, int(4.2 * RATE) :]).max() > 0.1


# --- channels ------------------------------------------------------------------------------------


def surround(names: tuple[str, ...], seconds: float = 1.0) -> np.ndarray:
    """Noise in every channel; left twice as loud as right, all others louder than both."""
    gains = {"FL": 0.2, "FR": 0.1}
    samples = noise(seconds, 48_000, len(names))
    return samples * np.array([gains.get(name, 0.9) for name in names])[:, None]


SURROUND = {
    "3.0": ("FL", "FR", "FC"),
    "5.0": ("FL", "FR", "FC", "BL", "BR"),
    "5.1": ("FL", "FR", "FC", "LFE", "BL", "BR"),
    "7.1": ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


@pytest.mark.parametrize("layout", ["3.0", "5.0", "5.1", "7.1"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.opus", "libopus"), ("a.m4a", "aac"), ("a.mkv", "libopus"), ("a.mka", "flac")],
)
def test_left_and_right_are_the_front_pair_in_every_order(tmp_path, name, codec, layout):
    samples = surround(SURROUND[layout])
    recording = read_audio(encode(tmp_path / name, samples, codec, rate=48_000, layout=layout))
    assert recording.channels == len(samples)
    assert recording.channel_layout[:2] == ("FL", "FR")
    quiet = [np.std(channel) for channel in recording.samples[:2]]
    assert quiet[0] / quiet[1] == pytest.approx(2.0, rel=0.2)
    assert "left and right are measured" in notes(recording)


@pytest.mark.parametrize("count", [3, 5, 6])
def test_the_order_of_vorbis_is_brought_to_left_and_right_first(tmp_path, count):
    orders = {3: "LCR", 5: "LCRlr", 6: "LCRlrE"}  # Vorbis I, sec. 4.3.9
    samples = noise(1.0, channels=count)
    path = plain(tmp_path / "a.ogg", samples, subtype="VORBIS")
    recording = read_audio(path)
    for got, letter in enumerate("LR"):
        assert likeness(recording.samples[got], samples[orders[count].index(letter)]) > 0.9


def test_no_channel_is_lost_where_two_readers_name_it_otherwise(tmp_path):
    path = cut(plain(tmp_path / "a.flac", noise(1.5, channels=6), subtype="PCM_24"), 0.5)
    recording = read_audio(path)
    assert recording.channels == 6 and recording.silent_channels == ()


@pytest.mark.parametrize(
    ("mask", "names"),
    [(0x7, ("FL", "FR", "FC")), (0xB, ("FL", "FR", "LFE")), (0x103, ("FL", "FR", "BC"))],
)
def test_the_mask_of_a_wav_names_its_channels(tmp_path, mask, names):
    path = pcm_wav(tmp_path / "a.wav", noise(0.5, channels=3), mask=mask)
    assert read_audio(path).channel_layout == names


@pytest.mark.parametrize("channels", [3, 4, 9])
def test_a_b_format_file_is_said_to_be_fuma(tmp_path, channels):
    tail = bytes.fromhex("00002107d3118644c8c1ca000000")
    samples = noise(0.5, channels=channels)
    recording = read_audio(pcm_wav(tmp_path / "a.amb", samples, mask=0, guid_tail=tail))
    assert recording.channel_layout == tuple("WXYZRSTUV"[:channels])
    assert "FuMa" in notes(recording)


@pytest.mark.parametrize("silent", [(2, 3), (2,), (0,)])
def test_silent_channels_are_numbered(tmp_path, silent):
    samples = noise(0.5, channels=4)
    samples[list(silent)] = 0
    recording = read_audio(pcm_wav(tmp_path / "a.wav", samples))
    assert recording.silent_channels == silent
    assert ", ".join(str(index + 1) for index in silent) in notes(recording)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_one_of_several_sound_tracks_can_be_chosen(tmp_path, name):
    path = encode(tmp_path / name, noise(1.0), "aac", tracks=3)
    peaks = [np.std(read_audio(path, track=track).samples) for track in (1, 2, 3)]
    assert peaks[0] / peaks[1] == pytest.approx(2, rel=0.1)
    assert peaks[0] / peaks[2] == pytest.approx(3, rel=0.1)
    assert "3 sound tracks: the first is used" in notes(read_audio(path))
    assert "number 2 is used" in notes(read_audio(path, track=2))
    with pytest.raises(AudioError, match="no sound track 4; it has 3"):
        read_audio(path, track=4)


def test_a_file_of_one_track_has_no_second(tmp_path):
    path = plain(tmp_path / "a.wav", noise(0.5))
    assert read_audio(path, track=1).frames
    with pytest.raises(AudioError, match="no sound track 2; it has 1"):
        read_audio(path, track=2)


# --- levels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain_db", [3, 20, 60])
def test_float_samples_over_full_scale_are_not_clipped(tmp_path, gain_db):
    loud = noise(1.0) / 0.3 * 10 ** (gain_db / 20)
    recording = read_audio(plain(tmp_path / "a.wav", loud, subtype="FLOAT"))
    assert "clipping" not in notes(recording) and "DC" not in notes(recording)
    assert f"peaks are {gain_db}.0 dB over full scale" in notes(recording)


@pytest.mark.parametrize("gain", [1.0, 100.0])
def test_an_offset_is_noted_in_units_of_the_signal(tmp_path, gain):
    samples = gain * (noise(1.0) + 0.3)
    recording = read_audio(plain(tmp_path / "a.wav", samples, subtype="FLOAT"))
    assert ("of the peak" if gain > 1 else "0.30 of full scale") in notes(recording)


# --- names and places ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".wav", ".m4a", ".mp3"])
@pytest.mark.parametrize(
    "name",
    [
        "take-12:30:05",
        "http:127.0.0.1:9?x",
        "concat:a|b",
        "-",
        "%03d",
        "pipe:0",
        "tcp:x",
        "data:,a",
    ],
)
def test_a_name_is_never_an_address_or_a_pattern(tmp_path, monkeypatch, name, suffix):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / f"source{suffix}"
    encode(source, noise(1.0), "aac") if suffix == ".m4a" else plain(source, noise(1.0))
    shutil.move(source, f"{name}{suffix}")
    recording = read_audio(f"{name}{suffix}")
    assert recording.name == f"{name}{suffix}"
    assert recording.duration_s == pytest.approx(1.0, abs=0.06)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
@pytest.mark.parametrize("suffix", [b".wav", b".m4a"])
def test_a_name_that_is_not_utf8_is_read_and_shown_as_text(tmp_path, suffix):
    source = tmp_path / f"source{suffix.decode()}"
    encode(source, noise(1.0), "aac") if suffix == b".m4a" else plain(source, noise(1.0))
    path = os.fsencode(tmp_path) + b"/caf\xe9" + suffix
    os.rename(source, path)
    recording = read_audio(os.fsdecode(path))
    assert recording.name == f"caf\\xe9{suffix.decode()}"
    recording.name.encode("utf-8")
    with pytest.raises(AudioError) as missing:
        read_audio(os.fsdecode(path) + "x")
    str(missing.value).encode("utf-8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    program = "import sys; from spa2v_lib.audio import read_audio; read_audio(sys.argv[1])"
    for path, word in ((tmp_path / "a.wav", "a pipe"), ("/dev/zero", "a device")):
        call = [sys.executable, "-c", program, str(path)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60)
        assert f"AudioError: {path} is {word}" in done.stderr


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("ffconcat version 1.0\nfile other.wav\n", "list of files"),
        ("file 'other.wav'\nfile 'other.wav'\n", "list of files"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.wav\n", "playlist"),
        ('<?xml version="1.0"?>\n<MPD type="static"></MPD>', "playlist"),
        ("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 5004 RTP/AVP 0\n", "session description"),
        ('<asx version="3.0"><entry><ref href="other.wav"/></entry></asx>', "playlist"),
        ("[playlist]\nFile1=other.wav\n", "playlist"),
        ("[Reference]\nRef1=http://127.0.0.1/other.wav\n", "link"),
        ("\ufeff#EXTM3U\nother.wav\n", "playlist"),
        ("rtsp://127.0.0.1/live", "address"),
    ],
)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m3u8", "a.txt"])
def test_text_that_names_other_files_is_not_followed(tmp_path, content, word, name):
    plain(tmp_path / "other.wav", noise(1.0))
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AudioError, match=f"{word}.*not followed"):
        read_audio(path)


def test_nothing_is_fetched_even_where_the_beginning_hides_it(tmp_path):
    plain(tmp_path / "other.wav", noise(1.0))
    hidden = "\n" * 5000 + "ffconcat version 1.0\nfile other.wav\n"
    for name in ("a.ffconcat", "a.wav", "a.mp3"):
        (tmp_path / name).write_text(hidden)
        with pytest.raises(AudioError):
            read_audio(tmp_path / name)


def test_what_macos_leaves_beside_files_is_said_to_be_that(tmp_path):
    path = tmp_path / "._a.wav"
    path.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(4000))
    with pytest.raises(AudioError, match="macOS keeps beside a file"):
        read_audio(path)


def test_libsndfile_and_ffmpeg_give_the_same_of_a_plain_file(tmp_path):
    samples = noise(1.0)
    flac = plain(tmp_path / "a.flac", samples, subtype="PCM_24")
    matroska = encode(tmp_path / "a.mkv", soundfile.read(flac)[0].T.astype(np.float32), "pcm_s24le")
    first, second = read_audio(flac), read_audio(matroska)
    assert first.frames == second.frames
    assert np.abs(first.samples - second.samples).max() < 2e-7


# --- memory --------------------------------------------------------------------------------------


def test_a_header_may_ask_for_more_than_there_is_and_beyond_the_end(tmp_path):
    path = plain(tmp_path / "a.caf", noise(1.0))
    with FileSection(path, 4, 100) as section:
        assert section.read(1 << 62) == path.read_bytes()[4:100]
        assert section.read(1 << 62) == b""
        assert section.seek(1 << 62) == 1 << 62
        assert section.read(4) == b""


def test_a_header_that_points_past_the_end_is_refused_and_nothing_else_is_printed(tmp_path, capfd):
    data = plain(tmp_path / "good.caf", noise(1.0)).read_bytes()
    (path := tmp_path / "bad.caf").write_bytes(data[:20] + b"\0" + data[20:])  # a shifted size
    with pytest.raises(AudioError):
        read_audio(path)
    assert capfd.readouterr().err == ""
