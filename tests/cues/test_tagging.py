from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spa2v_lib.cues.features import mel_windows
from spa2v_lib.cues.tagging.base import UNKNOWN, Tag, TagScores, spans, summarize
from spa2v_lib.cues.tagging.embedded import features, load_embedded
from spa2v_lib.cues.types import TagSpan
from spa2v_lib.errors import DataError

RATE = 22_050


def heard(recording) -> np.ndarray:
    return mel_windows(recording.mono(), recording.rate)


def tag(mel: np.ndarray) -> Tag:
    model = load_embedded()
    return summarize(model.mel_scores(mel), model.threshold)


def spans_of(mel: np.ndarray) -> list[TagSpan]:
    model = load_embedded()
    return spans(model.mel_scores(mel), model.threshold)


def scores(rows: list[list[float]], start: list[float], length: float = 3.0) -> TagScores:
    begin = np.array(start)
    return TagScores(("dog", "tram", UNKNOWN), begin, begin + length, np.array(rows))


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("helicopter_01.flac", "helicopter"),
        ("bus_01.flac", "bus"),
        ("cow_01.flac", "cow"),
        ("ship_horn_01.flac", "ship"),
        ("bell_crossing_01.flac", "bell"),
        ("guitar_02.flac", "guitar"),
        ("train_whistle_01.flac", "train"),
    ],
)
def test_shipped_recordings_are_known(shipped, file: str, label: str) -> None:
    answer = tag(heard(shipped(file)))
    assert answer.label == label
    assert answer.alternatives[0] == (label, answer.confidence)
    assert len(answer.alternatives) == 3


@pytest.mark.parametrize("file", ["ambience_wind_01.flac", "ambience_applause_01.flac"])
def test_what_is_no_thing_is_unknown(shipped, file: str) -> None:
    answer = tag(heard(shipped(file)))
    assert answer.label is None
    assert UNKNOWN in dict(answer.alternatives)


def test_noise_a_tone_and_a_siren_are_unknown() -> None:
    time_s = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(9).normal(size=3 * RATE)
    siren = np.sin(2 * np.pi * np.cumsum(900 + 300 * np.sin(2 * np.pi * time_s)) / RATE)
    for sound in (noise, np.sin(2 * np.pi * 997 * time_s), siren):
        assert tag(mel_windows(sound, RATE)).label is None


def test_a_spectrum_upside_down_is_another_sound(shipped) -> None:
    bell = shipped("bell_02.flac").mono()
    spectrum = np.fft.rfft(bell)
    corner = int(4500 * len(bell) / 44_100)
    spectrum[:corner] = spectrum[:corner][::-1]
    assert tag(mel_windows(bell, 44_100)).label == "bell"
    assert tag(mel_windows(np.fft.irfft(spectrum), 44_100)).label is None


def test_gain_changes_no_answer(shipped) -> None:
    mel = heard(shipped("lion_01.flac"))
    assert tag(1e-4 * mel).label == tag(mel).label == "lion"


def test_a_lower_sampling_rate_keeps_the_answer(shipped) -> None:
    recording = shipped("cow_01.flac").resampled(16_000)
    assert tag(mel_windows(recording.mono(), 16_000)).label == "cow"


def test_silence_is_unknown_and_has_no_spans() -> None:
    assert tag(np.zeros((100, 40))).label is None
    assert spans_of(np.zeros((100, 40))) == []


def test_a_recording_and_its_mel_bands_are_answered_alike(shipped) -> None:
    recording = shipped("sheep_01.flac")
    model = load_embedded()
    assert summarize(model.scores(recording), model.threshold).label == tag(heard(recording)).label


def test_probabilities_sum_to_one() -> None:
    model = load_embedded()
    vectors = np.random.default_rng(0).normal(size=(5, len(model.mean)))
    assert np.allclose(model.probabilities(vectors).sum(1), 1.0)


def test_what_is_far_from_every_example_is_unfamiliar() -> None:
    model = load_embedded()
    known = model.examples[model.owners != len(model.labels) - 1]
    strange = model.examples[model.owners == len(model.labels) - 1]
    assert model.familiarity(known[::40]).min() > model.familiarity(strange[::20]).max()


def test_two_sounds_one_after_the_other_are_two_spans(shipped) -> None:
    parts = [heard(shipped(file)) for file in ("ship_horn_02.flac", "helicopter_01.flac")]
    mel = np.concatenate([np.resize(part / part.max(), (360, 40)) for part in parts])
    spans = spans_of(mel)
    assert [span.label for span in spans if span.label] == ["ship", "helicopter"]
    assert spans[0].start_s == 0.0 and spans[-1].end_s == pytest.approx(18.0)
    (first,) = (span for span in spans if span.label == "ship")
    assert first.end_s == pytest.approx(9.0, abs=2.0)


def test_spans_merge_while_the_answer_stays_and_leave_silence_out() -> None:
    rows = [[0.9, 0.1, 0.0], [0.7, 0.1, 0.2], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]
    merged = spans(scores(rows, [0.0, 3.0, 6.0, 12.0]), 0.4)
    assert [(s.label, s.start_s, s.end_s) for s in merged] == [
        ("dog", 0.0, 6.0),
        ("tram", 6.0, 9.0),
        (None, 12.0, 15.0),
    ]
    assert merged[0].confidence == pytest.approx(0.8)


def test_overlapping_excerpts_meet_in_the_middle_and_settle_a_doubt() -> None:
    rows = [[0.9, 0.1, 0.0], [0.45, 0.55, 0.0], [0.9, 0.1, 0.0]]
    (span,) = spans(scores(rows, [0.0, 1.5, 3.0]), 0.4)
    assert (span.label, span.start_s, span.end_s) == ("dog", 0.0, 6.0)
    two = spans(scores([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0.0, 1.5]), 0.4)
    assert [(s.label, s.end_s) for s in two] == [("dog", 2.25), ("tram", 4.5)]


def test_an_answer_below_the_threshold_is_not_claimed() -> None:
    doubtful = summarize(scores([[0.35, 0.34, 0.31]], [0.0]), 0.4)
    assert doubtful.label is None and doubtful.confidence == pytest.approx(0.65)
    assert [name for name, _ in doubtful.alternatives] == ["dog", "tram", UNKNOWN]


def test_a_file_of_other_weights_is_a_clear_error(tmp_path) -> None:
    path = tmp_path / "tagger.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"tagger\.safetensors"):
        load_embedded(path)


def test_features_do_not_depend_on_gain_and_take_a_single_window(shipped) -> None:
    mel = heard(shipped("truck_01.flac"))
    assert np.allclose(features(mel), features(1e-3 * mel), atol=1e-2)
    assert np.isfinite(features(mel[:1])).all()


def test_a_guess_is_of_the_most_probable_family_that_other_evidence_allows() -> None:
    ranked = [("airplane", 0.4), ("dog", 0.2), ("bus", 0.1)]
    tag = Tag(None, 0.3, [(UNKNOWN, 0.3)], [("aircraft", 0.4), ("animal", 0.2)], ranked)
    assert tag.guess().label == "airplane"
    walking = tag.guess(without={"aircraft"})
    assert (walking.label, walking.confidence) == ("dog", pytest.approx(0.2 / 0.6, abs=1e-3))
    assert walking.families == [("animal", pytest.approx(0.2 / 0.6, abs=1e-3))]
    certain = replace(tag, families=[("vehicle", 0.6), ("animal", 0.2)])
    assert certain.guess().label == "bus"
    assert Tag(None, 1.0, [(UNKNOWN, 1.0)]).guess() is None
