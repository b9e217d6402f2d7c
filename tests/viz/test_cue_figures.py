"""The figures of hearing draw what was heard, say it in words, and can be listened to."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from spa2v_lab.viz.analysis import azimuth_map, level_and_pitch, spectrograms
from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.extract import Analysis
from spa2v_lib.cues.types import CaptureGuess, PassBy, Range, SourceTrack, SpatialCues
from spa2v_lib.viz.evidence import direction_evidence, mel_spectrum
from spa2v_lib.viz.player import sound_player
from spa2v_lib.viz.words import map_caption

RATE = 16_000
SECONDS = 3.0
TIMES = [round(0.05 + 0.1 * k, 2) for k in range(30)]
EVIL = '"><script>alert(1)</script>&'


def near(value: float) -> Range:
    return Range(value=value, low=0.9 * value, high=1.1 * value)


PASS_BY = PassBy(
    closest_s=near(1.5),
    speed_over_distance=near(1.0),
    speed_m_s=near(20.0),
    distance_m=near(20.0),
    heading_deg=90.0,
    evidence="azimuth, level and Doppler",
)


def track(name: str, label: str, azimuth: float, **changes: object) -> SourceTrack:
    active = [k not in (10, 11, 12) for k in range(30)]
    fields = {
        "id": name,
        "label": label,
        "label_source": "tagger",
        "label_confidence": 0.9,
        "label_alternatives": [],
        "azimuth_deg": [azimuth] * 30,
        "azimuth_low_deg": [azimuth - 5.0] * 30,
        "azimuth_high_deg": [azimuth + 5.0] * 30,
        "level_db": [-20.0 + 0.1 * k for k in range(30)],
        "active": active,
        "motion": "stationary",
        "motion_confidence": 0.9,
        "motion_scores": {"stationary": 1.0},
        "azimuth_start_deg": azimuth,
        "azimuth_end_deg": azimuth,
        "level_change_db": 2.9,
        "relative_range": [1.0] * 30,
        "relative_range_low": [1.0] * 30,
        "relative_range_high": [1.0] * 30,
        "closest_s": None,
        "pitch_hz": [None] * 30,
        "pass_by": None,
    }
    return SourceTrack(**{**fields, **changes})


def cues(*sources: SourceTrack, capture: str = "panned") -> SpatialCues:
    return SpatialCues(
        recording="test",
        duration_s=SECONDS,
        rate=RATE,
        channels=2,
        times_s=TIMES,
        capture=CaptureGuess(format=capture, confidence=1.0, note="as named"),
        ild_db=[0.0] * 30,
        itd_s=[0.0] * 30,
        coherence=[1.0] * 30,
        level_db=[-20.0] * 30,
        sources=list(sources),
        count_low=len(sources),
        count_high=len(sources),
        notes=[],
    )


def tone(hz: float, left: float = 0.3, right: float = 0.3, seconds: float = SECONDS) -> Recording:
    wave = np.sin(2.0 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return Recording.from_samples(np.stack([left * wave, right * wave]), RATE)


TWO = cues(track("source-1", "car", 20.0, pass_by=PASS_BY), track("source-2", "bird", -40.0))
OWN = [tone(500.0), tone(4000.0)]


def analyzed(recording: Recording, cues: SpatialCues, own: list[Recording]) -> Analysis:
    """Return an analysis whose separated signals are given."""
    analysis = Analysis(recording, cues)
    analysis.__dict__["separated"] = tuple(own)
    return analysis


@pytest.fixture(scope="module")
def shown() -> dict[str, object]:
    analysis = analyzed(tone(500.0), TWO, OWN)
    return {
        "map": azimuth_map(analysis),
        "course": level_and_pitch(analysis),
        "spectrograms": spectrograms(analysis),
    }


def lines(exhibit: object, name: str) -> list:
    return [t for t in exhibit.figure.data if t.name == name and t.line.width != 0]


# --- what is drawn -------------------------------------------------------------------------------


def test_a_track_is_solid_where_the_source_sounds_and_dotted_where_it_was_held(shown) -> None:
    (solid,) = lines(shown["map"], "car")
    (held,) = lines(shown["map"], "car, silent")
    assert [k for k in range(30) if np.isnan(solid.y[k])] == [10, 11, 12]
    assert [k for k in range(30) if not np.isnan(held.y[k])] == [9, 10, 11, 12, 13]
    assert held.line.dash == "dot" and held.y[11] == 20.0


def test_every_source_has_its_own_colour_and_an_interval_around_it(shown) -> None:
    edges = [t for t in shown["map"].figure.data if t.type == "scatter" and t.line.width == 0]
    assert [e.y[0] for e in edges] == [15.0, 25.0, -45.0, -35.0]
    (car,), (bird,) = lines(shown["map"], "car"), lines(shown["map"], "bird")
    assert car.line.color != bird.line.color


@pytest.mark.parametrize("azimuth", [-30.0, 0.0, 21.0])
def test_evidence_peaks_where_the_sound_was_panned_to(azimuth: float) -> None:
    weight = np.tan(np.radians(azimuth))
    noise = 0.1 * np.random.default_rng(0).normal(size=2 * RATE)
    pair = Recording.from_samples(np.stack([(1 - weight) * noise, (1 + weight) * noise]), RATE)
    evidence, directions = direction_evidence(Analysis(pair, cues()))
    assert evidence.shape == (20, len(directions))
    assert np.abs(directions[evidence.argmax(1)] - azimuth).max() <= 3.0


def test_evidence_peaks_on_the_side_that_is_earlier() -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=2 * RATE + 40)
    late = round(0.5 * np.sin(np.radians(30.0)) / 343.0 * RATE)
    pair = Recording.from_samples(
        np.stack([noise[: 2 * RATE], noise[late : late + 2 * RATE]]), RATE
    )
    evidence, directions = direction_evidence(Analysis(pair, cues(capture="ab")))
    assert np.median(directions[evidence.argmax(1)]) == pytest.approx(30.0, abs=4.0)


def test_two_sources_at_once_are_both_evident() -> None:
    low, high = tone(400.0, 0.3, 0.06).samples, tone(3000.0, 0.05, 0.25).samples
    evidence, directions = direction_evidence(
        Analysis(Recording.from_samples(low + high, RATE), cues())
    )
    middle = evidence[5:-5].mean(0)
    left, right = middle[directions < -15.0].max(), middle[directions > 15.0].max()
    assert min(left, right) > 1.5 * middle[np.abs(directions) < 4.0].max()


def test_an_inverted_channel_is_put_right_in_the_map_too() -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=round(SECONDS * RATE))
    flipped = Recording.from_samples(np.stack([noise, -0.5 * noise]), RATE)
    heard = cues(track("s", "car", -20.0)).model_copy(update={"polarity_inverted": True})
    ground = azimuth_map(analyzed(flipped, heard, OWN[:1])).figure.data[0]
    peaks = np.asarray(ground.y)[np.asarray(ground.z).argmax(0)]
    assert np.median(peaks) == pytest.approx(-np.degrees(np.arctan(1.0 / 3.0)), abs=3.0)


def test_silence_has_no_evidence() -> None:
    samples = tone(500.0).samples.copy()
    samples[:, RATE : 2 * RATE] = 0.0
    evidence, _ = direction_evidence(Analysis(Recording.from_samples(samples, RATE), cues()))
    assert evidence[12:18].max() == 0.0 and evidence[:9].max() > 0.8


def test_a_format_without_directions_has_no_map_but_still_a_figure() -> None:
    silent = {"azimuth_start_deg": None, "azimuth_end_deg": None}
    none = {f"azimuth_{k}deg": [None] * 30 for k in ("", "low_", "high_")}
    heard = cues(track("source-1", "car", 0.0, **silent, **none), capture="mono")
    exhibit = azimuth_map(analyzed(tone(500.0), heard, OWN[:1]))
    assert {t.type for t in exhibit.figure.data} == {"scatter"}
    assert "not estimated" in exhibit.caption


def test_the_fitted_pass_by_is_loudest_at_its_closest_and_falls_by_distance(shown) -> None:
    (fitted,) = lines(shown["course"], "car, fitted pass-by")
    assert TIMES[int(np.argmax(fitted.y))] == pytest.approx(1.5, abs=0.1)
    assert fitted.line.dash == "dash"
    assert np.ptp(fitted.y) == pytest.approx(10 * np.log10(1 + 1.5**2), abs=0.5)


def test_the_fitted_pitch_falls_through_the_emitted_one_at_the_closest_approach() -> None:
    pitched = track("source-1", "car", 0.0, pass_by=PASS_BY, pitch_hz=[400.0] * 30)
    exhibit = level_and_pitch(analyzed(tone(500.0), cues(pitched), OWN[:1]))
    _, fitted = lines(exhibit, "car, fitted pass-by")
    assert np.all(np.diff(fitted.y) < 0.0)
    assert np.interp(1.5, TIMES, fitted.y) == pytest.approx(400.0, rel=0.01)
    assert fitted.y[0] / fitted.y[-1] == pytest.approx(1.1, abs=0.02)  # 20 m/s, within 57° of ahead


def test_no_path_is_drawn_where_none_was_fitted(shown) -> None:
    assert lines(shown["course"], "bird, fitted pass-by") == []


def test_spectrograms_are_brightest_at_each_sources_own_pitch(shown) -> None:
    for trace, hz in zip(shown["spectrograms"].figure.data, (500.0, 4000.0), strict=True):
        assert trace.y[np.asarray(trace.z).mean(1).argmax()] == pytest.approx(hz, rel=0.1)


def test_long_recordings_make_no_large_pages() -> None:
    long = tone(500.0, seconds=120.0)
    times = [round(0.05 + 0.1 * k, 2) for k in range(1200)]
    empty = {"ild_db": [], "itd_s": [], "coherence": [], "level_db": []}
    values = {name: [0.0] * 1200 for name in empty}
    heard = cues().model_copy(update={"duration_s": 120.0, "times_s": times, **values})
    exhibit = azimuth_map(analyzed(long, heard, []))
    assert np.shape(exhibit.figure.data[0].z)[1] <= 900
    assert len(exhibit.html()) < 1_500_000


# --- words ---------------------------------------------------------------------------------------


def test_the_map_says_that_front_and_back_cannot_be_told_apart_from_two_channels(shown) -> None:
    assert "cannot tell front from back" in shown["map"].caption
    assert "cannot" not in map_caption(cues(track("s", "car", 0.0), capture="foa"))


def test_the_course_states_the_path_with_its_intervals(shown) -> None:
    for words in ("closest at 1.50 s [1.35 to 1.65]", "speed 20.0 m/s [18.0 to 22.0]", "Doppler"):
        assert words in shown["course"].caption


@pytest.mark.parametrize("name", ["map", "course", "spectrograms"])
def test_every_figure_is_told_in_words_to_those_who_cannot_see_it(shown, name: str) -> None:
    labels = re.findall(r'role="img" aria-label="([^"]+)"', shown[name].html())
    assert len(labels) == 1 and len(labels[0]) > 40


def test_silence_is_shown_too() -> None:
    silent = Analysis(tone(500.0, 0.0, 0.0), cues())
    for exhibit in (azimuth_map(silent), level_and_pitch(silent), spectrograms(silent)):
        assert "no source" in exhibit.caption or "recording" in exhibit.caption
        assert len(exhibit.players) == 1


# --- sound ---------------------------------------------------------------------------------------


def test_the_map_plays_the_recording_and_every_source_and_the_others_the_sources(shown) -> None:
    assert [p.name for p in shown["map"].players] == ["recording", "car alone", "bird alone"]
    for name in ("course", "spectrograms"):
        assert [p.name for p in shown[name].players] == ["car alone", "bird alone"]


def test_a_player_holds_what_it_names(shown) -> None:
    for player, hz in zip(shown["course"].players, (500.0, 4000.0), strict=True):
        samples, rate = soundfile.read(io.BytesIO(player.mp3))
        assert len(samples) / rate == pytest.approx(SECONDS, abs=0.2)
        spectrum = np.abs(np.fft.rfft(samples[:, 0]))
        assert spectrum.argmax() * rate / len(samples) == pytest.approx(hz, rel=0.01)


def test_the_loudest_excerpt_of_a_long_recording_is_played() -> None:
    levels = [-60.0] * 200 + [-20.0] * 100 + [-60.0] * 300
    times = [round(0.05 + 0.1 * k, 2) for k in range(600)]
    values = {name: [0.0] * 600 for name in ("ild_db", "itd_s", "coherence")}
    heard = cues().model_copy(
        update={"duration_s": 60.0, "times_s": times, "level_db": levels, **values}
    )
    (player,) = azimuth_map(analyzed(tone(500.0, seconds=60.0), heard, [])).players
    start, end = map(float, re.search(r"([\d.]+) to ([\d.]+) s", player.name).groups())
    assert start <= 20.0 and end >= 30.0 and end - start == pytest.approx(12.0)


@pytest.mark.parametrize("rate", [6_000, 44_100, 96_000])
def test_any_rate_can_be_played(rate: int) -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=(1, rate))
    player = sound_player(Recording.from_samples(noise, rate), "x")
    samples, _ = soundfile.read(io.BytesIO(player.mp3), always_2d=True)
    assert samples.shape[1] == 1 and np.abs(samples).max() > 0.1


def test_too_loud_a_signal_is_turned_down_rather_than_clipped() -> None:
    player = sound_player(tone(500.0, 3.0, 1.5), "x")
    samples, _ = soundfile.read(io.BytesIO(player.mp3))
    left, right = np.abs(samples[RATE:-RATE]).max(0)
    assert left <= 1.02 and left / right == pytest.approx(2.0, abs=0.1)


def test_ambisonics_are_drawn_all_around_and_played_as_left_and_right() -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=round(SECONDS * RATE))
    theta = np.radians(120.0)  # to the left, behind, as AmbiX counts
    four = np.stack([noise, np.sin(theta) * noise, 0.0 * noise, np.cos(theta) * noise])
    heard = cues(track("s", "car", -120.0), capture="foa")
    exhibit = azimuth_map(Analysis(Recording.from_samples(four, RATE), heard))
    ground = exhibit.figure.data[0]
    assert np.asarray(ground.y)[np.asarray(ground.z).mean(1).argmax()] == pytest.approx(-120, abs=4)
    assert exhibit.figure.layout.yaxis.range[0] < -180.0
    samples, _ = soundfile.read(io.BytesIO(exhibit.players[0].mp3))
    left, right = np.sqrt((samples**2).mean(0))
    assert left / right == pytest.approx((1 + np.sin(theta)) / (1 - np.sin(theta)), rel=0.2)


# --- pages ---------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.append((tag, dict(attrs)))


def test_a_hostile_label_stays_text() -> None:
    evil = cues(track("source-1", EVIL, 0.0, pass_by=PASS_BY))
    for exhibit in exhibits_of(evil):
        tags = [tag for tag, _ in Tags(exhibit.html()).seen]
        assert tags.count("script") == 1
        names = [t.name or "" for t in exhibit.figure.data]
        titles = [a.text for a in exhibit.figure.layout.annotations]
        assert not any("<script" in text for text in names + titles)


def exhibits_of(heard: SpatialCues) -> list:
    analysis = analyzed(tone(500.0), heard, OWN[: len(heard.sources)])
    return [make(analysis) for make in (azimuth_map, level_and_pitch, spectrograms)]


def test_a_page_needs_nothing_from_elsewhere(shown) -> None:
    for exhibit in shown.values():
        html = exhibit.html()
        assert "://" not in html
        sounds = [attrs for tag, attrs in Tags(html).seen if tag == "audio"]
        assert sounds and all(a["src"].startswith("data:audio/mpeg;base64,") for a in sounds)


def test_a_notebook_shows_the_figure_and_then_words_and_players(shown, monkeypatch) -> None:
    outputs = []
    monkeypatch.setattr("IPython.display.display", outputs.append)
    shown["map"]._ipython_display_()
    figure, below = outputs
    assert figure is shown["map"].figure
    assert below.data.count("<audio") == 3 and "front from back" in below.data


@pytest.mark.parametrize("rate, seconds", [(16_000, 0.5), (44_100, 12.0)])
def test_the_spectrum_is_librosas(rate: int, seconds: float) -> None:
    from librosa import feature

    noise = np.random.default_rng(0).normal(0, 0.1, (2, round(rate * seconds)))
    part = Recording.from_samples(noise.astype(np.float32), rate)
    level_db, hz = mel_spectrum(part)
    window = 2 * round(0.02 * rate)
    theirs = feature.melspectrogram(
        y=part.mono(),
        sr=rate,
        n_fft=2 ** int(np.ceil(np.log2(window))),
        win_length=window,
        hop_length=max(window // 2, part.frames // 900),
        n_mels=len(hz),
        fmin=50.0,
        fmax=min(16_000.0, rate / 2),
        htk=True,
    )
    inside = slice(2, -2)  # the padding of the ends differs
    assert abs(level_db.shape[1] - theirs.shape[1]) <= 1
    theirs_db = 10 * np.log10(theirs[:, : level_db.shape[1]])
    assert np.allclose(level_db[:, inside], theirs_db[:, inside], atol=1e-3)
