"""The notebook's choice of labels: the tagger's candidates on top, and any other word."""

from __future__ import annotations

from spa2v_lab.explorers.labels import LabelChoice, candidates
from spa2v_lib.cues import SpatialCues


def cues_of(*sources: tuple[str | None, float | None]) -> SpatialCues:
    """Return cues with sources of these labels and azimuths, standing still."""
    import numpy as np

    import spa2v_lib as spa2v

    noise = 0.1 * np.random.default_rng(0).normal(size=(2, 16_000))
    cues = spa2v.extract_cues(spa2v.Recording.from_samples(noise, 16_000), label="rain")
    track = cues.sources[0]
    made = [
        track.model_copy(
            update={
                "id": f"source-{k}",
                "label": label,
                "label_alternatives": [("dog", 0.31), ("unknown", 0.3), ("cow", 0.2)],
                "azimuth_start_deg": azimuth,
            }
        )
        for k, (label, azimuth) in enumerate(sources, 1)
    ]
    return cues.model_copy(update={"sources": made})


def test_the_label_is_first_then_the_candidates_then_all_objects() -> None:
    offered = candidates(cues_of(("dog", 0.0)), 0)
    assert offered[:2] == [("dog (31%)", "dog"), ("cow (20%)", "cow")]
    names = [name for _, name in offered]
    assert "piano" in names and "unknown" not in names
    assert len(names) == len(set(names)) > 150


def test_one_source_gives_its_name_and_several_give_their_places() -> None:
    one = LabelChoice(cues_of(("dog", -30.0)))
    assert (one.label, one.changed) == ("dog", False)
    two = LabelChoice(cues_of(("dog", -30.0), ("cow", 20.2)))
    two.dropdowns[1].value = "piano"
    assert (two.label, two.changed) == ("dog@-30, piano@20", True)
    nowhere = LabelChoice(cues_of(("dog", None), ("cow", 10.0)))
    assert nowhere.label == "dog, cow@10"


def test_any_word_can_be_typed_where_the_list_does_not_hold_it() -> None:
    choice = LabelChoice(cues_of(("dog", 0.0)))
    assert choice.words[0].layout.display == "none"
    choice.dropdowns[0].value = choice.dropdowns[0].options[-1][1]
    assert choice.words[0].layout.display == ""
    choice.words[0].value = " hurdy-gurdy "
    assert (choice.label, choice.changed) == ("hurdy-gurdy", True)


def test_without_a_running_notebook_the_candidates_are_a_list() -> None:
    choice = LabelChoice(cues_of(("dog", 0.0), ("<b>", 1.0)))
    bundle, _ = choice._repr_mimebundle_()
    assert "dog (31%)" in bundle["text/html"] and "<b>" not in bundle["text/html"]


def test_no_source_is_nothing_to_choose() -> None:
    assert LabelChoice(cues_of()).label is None
