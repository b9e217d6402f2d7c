"""The tagging benchmark: what counts as right, and that sounds go from samples to an answer."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from spa2v_lab.bench import run_benchmark, tagging
from spa2v_lab.bench.tagging import Answer, scored
from spa2v_lab.training.tagger_examples import Examples
from spa2v_lab.training.tagger_views import RATE, VIEWS, separated_pair, view
from spa2v_lib.cues.tagging.base import UNKNOWN, Tag, TagScores
from spa2v_lib.errors import Spa2vError
from spa2v_lib.resources import resource


def said(*ranked: tuple[str, float], family: str = "animal") -> Tag:
    return Tag(ranked[0][0], ranked[0][1], list(ranked), [(family, 0.9)], list(ranked))


def answer(label: str, tag: Tag, group: str = "a", known: bool = True) -> Answer:
    return Answer(label, group, "dry", tag, known)


def test_a_certain_answer_counts_as_right_only_where_it_is_certain() -> None:
    unsure, sure = said(("dog", 0.6), ("cow", 0.3)), said(("dog", 0.9), ("cow", 0.05))
    assert np.isnan(answer("dog", unsure).measures()["certain and right"])
    assert answer("dog", sure).measures()["certain and right"] == 1.0
    wrong = answer("sheep", sure).measures()
    assert (wrong["certain and right"], wrong["family"]) == (0.0, 1.0)
    assert (wrong["class"], wrong["class among three"]) == (0.0, 0.0)


def test_sounds_of_one_group_count_together() -> None:
    dog = said(("dog", 0.9))
    answers = [answer("dog", dog, f"{k}") for k in range(3)]
    answers += [answer("cow", dog, "one farm") for _ in range(9)]
    assert scored(answers, 0)["class"].mean == pytest.approx(0.75)


def examples() -> Examples:
    """Return four classes that lie apart, one of them with one group, and what is no object."""
    rng = np.random.default_rng(0)
    names = ["cow"] * 10 + ["dog"] * 10 + ["violin"] * 10 + ["cat"] + [UNKNOWN] * 10
    corners = {name: rng.uniform(0.0, 1.0, 512) for name in dict.fromkeys(names)}
    sounds = np.repeat(np.arange(len(names)), 4)
    centres = np.array([corners[names[k]] for k in sounds])
    vectors = np.abs(centres + 0.2 * rng.normal(size=centres.shape)).astype(np.float32)
    groups = [f"esc10:{k}" for k in range(len(names))]
    stated = ["made here"] * len(names)
    conditions = np.tile(np.arange(4), len(names))
    return Examples(vectors, sounds, conditions, names, groups, [-1] * len(names), stated, stated)


def test_what_was_left_out_is_named_beside_baselines() -> None:
    never, nearest, frequent = tagging.never_learnt(examples(), lambda *_: None)
    rows = {row.condition: row for row in tagging._rows("tagger", never, 0)}
    assert rows["all"].count == 30  # a class of one group cannot be named when that is left out
    assert rows["all"].measures["class"].mean > 0.95
    assert rows["ESC-10"].count == 30 and rows["class dog"].count == 10
    assert {"dry", "room", "noise", "codec"} <= set(rows)
    assert rows["no object"].measures["called a class"].mean < 0.1
    assert rows["classes it was not taught"].count == 31
    assert scored([a for a in nearest if a.known], 0)["class"].mean > 0.9
    assert scored([a for a in frequent if a.known], 0)["class"].mean == pytest.approx(1 / 3)
    assert any(note.startswith("cow is taken for cow") for note in tagging._notes(never))


def test_what_the_tagger_does_not_know_is_scored_by_what_it_is_called() -> None:
    bold, modest = said(("dog", 0.9)), said(("dog", 0.3))
    answers = [answer(UNKNOWN, bold, "rain", False), answer(UNKNOWN, modest, "sea", False)]
    assert scored(answers, 0)["called a class"].mean == 0.5
    missed = {goal.name: goal for goal in tagging._goals(answers)}
    assert missed["unknown called a class with probability >= 0.5"].value == 0.5
    assert missed["right class, first answer, never learnt"].value is None


@pytest.mark.parametrize("condition", VIEWS)
def test_a_view_is_finite_repeatable_and_another_sound_than_before(condition: str) -> None:
    sound = np.random.default_rng(0).normal(size=4 * RATE) * np.hanning(4 * RATE)
    one, two = (view(sound, condition, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, two) and np.isfinite(one).all()
    assert len(one) <= 2.5 * RATE
    if condition != "dry":
        dry = view(sound, "dry", np.random.default_rng(3))
        assert not np.allclose(one[: len(dry)], dry[: len(one)], atol=1e-3)


def test_separation_returns_the_sound_that_was_asked_for() -> None:
    files = ("ship_horn_01.flac", "guitar_03.flac")
    sounds = [tagging._read(resource("recordings", file)) for file in files]
    parts = separated_pair(*sounds, np.random.default_rng(0))
    assert all(part is not None for part in parts)
    nearest = [np.argmax([likeness(part, sound) for sound in sounds]) for part in parts]
    assert nearest == [0, 1]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two long-term spectra below 8 kHz, on a logarithmic scale."""
    spectra = []
    for sound in (one, other):
        power = np.abs(np.fft.rfft(sound, 4 * RATE)[: 4 * 8000]) ** 2
        spectra.append(np.log10(power.reshape(-1, 64).mean(1) + 1e-9 * power.mean()))
    return float(np.corrcoef(*spectra)[0, 1])


class Echo:
    """A tagger that calls everything a dog; it says what it was given."""

    name, threshold = "echo", 0.4

    def __init__(self) -> None:
        self.given: list[float] = []

    def scores(self, sound) -> TagScores:
        self.given.append(sound.duration_s)
        end = np.full(1, sound.duration_s)
        return TagScores(("dog", UNKNOWN), np.zeros(1), end, np.array([[0.9, 0.1]]))


def test_every_sound_is_named_under_every_condition(tmp_path) -> None:
    noise = np.random.default_rng(0).normal(size=(2, 3 * RATE))
    for name, samples in zip(("bark", "rain"), noise, strict=True):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * samples, RATE)
    (tmp_path / "own.csv").write_text("file,label\nbark.wav,dog\nrain.wav,unknown\n")
    sounds = tagging.read_sounds(tmp_path / "own.csv")
    tagger = Echo()
    answers = list(tagging._answers(tagger, sounds, 0, lambda *_: None))
    assert {a.condition for a in answers if a.label == "dog"} >= set(VIEWS)
    assert len(tagger.given) == len(answers)
    rows = {row.condition: row for row in tagging._rows("echo", answers, 0)}
    assert rows["all"].measures["class"].mean == 1.0
    assert rows["no object"].measures["called a class"].mean == 1.0
    assert "class dog" in rows


@pytest.mark.parametrize(
    ("text", "said"),
    [("name,label\nx.wav,dog\n", "columns"), ("file,label\nx.wav,dog\n", "x.wav is missing")],
)
def test_a_table_that_cannot_serve_is_refused_before_anything_is_named(
    tmp_path, text: str, said: str
) -> None:
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(Spa2vError, match=said):
        run_benchmark("tagging", tmp_path / "out", clips=tmp_path / "own.csv")
    assert not (tmp_path / "out").exists()


def test_shipped_recordings_are_there() -> None:
    assert len(tagging.read_sounds(resource("recordings", "recordings.csv"))) == 37
