from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.tagging.base import UNKNOWN, Tag, TagScores, spans, summarize
from spa2v_lib.cues.tagging.embedded import excerpts, load_embedded
from spa2v_lib.cues.tagging.embedding import BLOCK_S, _filters, load_embedding
from spa2v_lib.cues.types import TagSpan
from spa2v_lib.errors import DataError
from spa2v_lib.layout.classes import CLASSES, family_of
from spa2v_lib.resources import resource

RATE = 22_050


def tag(recording: Recording) -> Tag:
    model = load_embedded()
    return summarize(model.scores(recording), model.threshold)


def spans_of(recording: Recording) -> list[TagSpan]:
    model = load_embedded()
    return spans(model.scores(recording), model.threshold)


def mono(samples: np.ndarray, rate: int = RATE) -> Recording:
    return Recording.from_samples(np.asarray(samples, np.float32)[None], rate)


def scores(rows: list[list[float]], start: list[float], length: float = 3.0) -> TagScores:
    begin = np.array(start)
    return TagScores(("dog", "tram", UNKNOWN), begin, begin + length, np.array(rows))


def recordings() -> list[tuple[str, str]]:
    with resource("recordings", "recordings.csv").open(encoding="utf-8", newline="") as table:
        return [(row["file"], row["label"]) for row in csv.DictReader(table)]


@pytest.mark.parametrize(
    ("file", "label"), [(file, label) for file, label in recordings() if label in CLASSES]
)
def test_shipped_recordings_are_known(shipped, file: str, label: str) -> None:
    answer = tag(shipped(file))
    assert answer.label == label
    assert answer.alternatives[0] == (label, answer.confidence)
    assert len(answer.alternatives) == 3
    assert answer.families[0][0] == family_of(label)


@pytest.mark.parametrize("file", ["ambience_wind_01.flac", "ambience_applause_01.flac"])
def test_what_is_no_object_is_unknown(shipped, file: str) -> None:
    answer = tag(shipped(file))
    assert answer.label is None
    assert UNKNOWN in dict(answer.alternatives)


def test_noise_a_tone_and_a_siren_are_unknown() -> None:
    time_s = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(9).normal(size=3 * RATE)
    siren = np.sin(2 * np.pi * np.cumsum(900 + 300 * np.sin(2 * np.pi * time_s)) / RATE)
    for sound in (noise, np.sin(2 * np.pi * 997 * time_s), siren):
        assert tag(mono(0.1 * sound)).label is None


def test_gain_changes_no_answer(shipped) -> None:
    lion = shipped("lion_01.flac")
    quiet = mono(1e-3 * lion.mono(), lion.rate)
    assert tag(quiet).label == tag(lion).label == "lion"


def test_a_lower_sampling_rate_keeps_the_answer(shipped) -> None:
    assert tag(shipped("cow_01.flac").resampled(16_000)).label == "cow"


def test_silence_is_unknown_and_has_no_spans() -> None:
    assert tag(mono(np.zeros(RATE))).label is None
    assert spans_of(mono(np.zeros(RATE))) == []


def test_channels_of_opposite_polarity_do_not_cancel_out(shipped) -> None:
    one = shipped("guitar_02.flac")
    both = Recording.from_samples(np.stack([one.mono(), -one.mono()]), one.rate)
    assert tag(both).ranked == tag(one).ranked


def test_excerpts_cover_a_sound_to_its_end_and_leave_silence_out() -> None:
    sound = np.concatenate([np.ones(3 * 44_100), np.zeros(5 * 44_100), np.ones(44_100)])
    found = list(excerpts(mono(0.1 * sound, 44_100)))
    starts = [start for _, start in found]
    assert starts == pytest.approx([0.0, BLOCK_S, 9.0 - BLOCK_S], abs=1e-3)
    assert all(len(samples) == round(BLOCK_S * 44_100) for samples, _ in found)


def test_an_embedding_does_not_depend_on_gain_and_takes_the_shortest_sound(shipped) -> None:
    network, truck = load_embedding(), shipped("truck_01.flac").mono()
    loud, quiet = network([truck, 1e-3 * truck])
    assert np.allclose(loud, quiet, atol=1e-3)
    assert np.isfinite(network([truck[:1]])).all()
    assert network([]).shape == (0, 512)


def test_the_embeddings_bands_are_those_that_its_network_was_trained_on() -> None:
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(
        sr=44_100, n_fft=2048, n_mels=96, fmin=0.0, fmax=22_050.0, htk=True, norm=1.0
    )
    assert np.allclose(_filters().numpy(), theirs, atol=1e-6)


def test_two_sounds_one_after_the_other_are_two_spans(shipped) -> None:
    parts = [shipped(file).mono() for file in ("ship_horn_02.flac", "helicopter_01.flac")]
    joined = np.concatenate([np.resize(part / np.abs(part).max(), 9 * 44_100) for part in parts])
    found = spans_of(mono(0.5 * joined, 44_100))
    assert [span.label for span in found if span.label] == ["ship", "helicopter"]
    assert found[0].start_s == 0.0 and found[-1].end_s == pytest.approx(18.0)
    (first,) = (span for span in found if span.label == "ship")
    assert first.end_s == pytest.approx(9.0, abs=2.4)


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
