"""The published taggers' real classes, at small width and with random weights."""

from __future__ import annotations

import csv
import shutil
from importlib.resources import files

import numpy as np
import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues.tagging import UNKNOWN, Tagger, TagScores, get_tagger
from spa2v_lib.cues.tagging.base import identify, spans, summarize
from spa2v_lib.cues.tagging.pretrained import (
    AST_WEIGHTS,
    CLAP,
    CLASS_OF,
    GENERAL,
    Weights,
    excerpts,
)
from spa2v_lib.errors import CueError
from spa2v_lib.layout.classes import CLASSES

HEADS = ("Speech", "Vehicle", "Train", "Train horn", "Dog", "Bark", "Violin, fiddle", "Silence")


def noise(seconds: float, rate: int = 44_100, channels: int = 2) -> Recording:
    samples = 0.1 * np.random.default_rng(0).normal(size=(channels, int(seconds * rate)))
    return Recording.from_samples(samples.astype(np.float32), rate)


@pytest.fixture(scope="module")
def ast_folder(tmp_path_factory):
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_length=512,
        id2label=dict(enumerate(HEADS)),
        label2id={name: k for k, name in enumerate(HEADS)},
    )
    folder = tmp_path_factory.mktemp("ast")
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(max_length=512).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clap_folder(tmp_path_factory):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapProcessor,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(0)
    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    raw.train_from_iterator(
        ["This is a sound of a dog, a tram, a church bell."],
        trainers.BpeTrainer(
            special_tokens=special,
            vocab_size=400,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    words = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )
    config = ClapConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "projection_dim": 8,
        },
        audio_config={
            "patch_embeds_hidden_size": 8,
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 1, 1, 1],
            "hidden_size": 64,
            "projection_dim": 8,
        },
        projection_dim=8,
    )
    folder = tmp_path_factory.mktemp("clap")
    ClapModel(config).save_pretrained(folder)
    ears = ClapFeatureExtractor(truncation="rand_trunc")
    ClapProcessor(ears, words).save_pretrained(folder)
    return folder


def test_ast_reads_a_local_folder_and_answers_in_our_classes(ast_folder) -> None:
    model = get_tagger(f"ast:{ast_folder}")
    assert isinstance(model, Tagger)
    assert model.labels == ("Speech", "train", "dog", "Violin, fiddle", UNKNOWN)
    found = model.scores(noise(12.0))
    assert found.start_s.tolist() == [0.0, 5.0, 10.0] and found.end_s[-1] == pytest.approx(12.0)
    assert (
        found.probabilities.shape == (3, 5)
        and ((found.probabilities >= 0) & (found.probabilities <= 1)).all()
    )


def test_ast_scores_a_class_as_its_most_probable_name(ast_folder) -> None:
    model, sound = get_tagger(f"ast:{ast_folder}"), noise(2.0)
    ((wave, *_),) = excerpts(sound, 16_000)
    each = {
        row["label"]: row["score"]
        for row in model._pipe(wave, top_k=None, function_to_apply="sigmoid")
    }
    (row,) = model.scores(sound).probabilities
    best = [
        max(each[name] for name in names) for names in (("Train", "Train horn"), ("Dog", "Bark"))
    ]
    assert row[1:3] == pytest.approx(best, abs=1e-6)
    assert row[-1] == pytest.approx(1.0 - row[:-1].max())


def test_ast_scores_alike_at_any_sampling_rate(ast_folder) -> None:
    model = get_tagger(f"ast:{ast_folder}")
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * 48_000) / 48_000)
    whole = Recording.from_samples(tone.astype(np.float32), 48_000)
    one, two = (model.scores(sound).probabilities for sound in (whole, whole.resampled(16_000)))
    assert np.allclose(one, two, atol=1e-3)


def test_every_label_of_the_table_stands_once_for_a_class_of_ours_or_for_none() -> None:
    with files("spa2v_lib.cues.tagging").joinpath("audioset.csv").open(encoding="utf-8") as table:
        labels = [row["label"] for row in csv.DictReader(table)]
    assert len(labels) == len(set(labels)) == len(CLASS_OF) + len(GENERAL)
    assert set(CLASS_OF.values()) <= set(CLASSES)


def test_clap_answers_with_labels_of_the_users_choosing(clap_folder) -> None:
    model = CLAP(["dog", "tram", "church bell"], clap_folder, margin=0.0)
    assert model.labels == ("dog", "tram", "church bell", UNKNOWN)
    found = model.scores(noise(6.0))
    assert found.probabilities.shape == (2, 4) and np.allclose(found.probabilities.sum(1), 1.0)
    tagged, over_time = identify(model, noise(6.0))
    assert tagged == summarize(found, model.threshold)
    assert [span.end_s for span in over_time][-1] == pytest.approx(6.0)


def test_a_wide_margin_makes_clap_say_unknown(clap_folder) -> None:
    strict = CLAP(["dog", "tram"], clap_folder, margin=40.0).scores(noise(2.0))
    lax = CLAP(["dog", "tram"], clap_folder, margin=-40.0).scores(noise(2.0))
    assert summarize(strict, 0.3).label is None and strict.probabilities[0, -1] > 0.9
    assert summarize(lax, 0.3).label in ("dog", "tram") and lax.probabilities[0, -1] < 0.1


def test_claps_margin_accepts_nine_of_ten_known_sounds(clap_folder, shipped) -> None:
    files = ("bus_01", "cow_01", "bell_02", "bird_01", "guitar_03")
    known = [(file.split("_")[0], shipped(f"{file}.flac").cut(0.0, 2.0)) for file in files]
    model = CLAP(["cow"], clap_folder, margin=0.0)
    margin = model.calibrated_margin(known)
    each = sorted(model.calibrated_margin([pair]) for pair in known)
    assert each[0] <= margin <= each[1]


def test_silence_is_unknown_to_every_tagger(ast_folder, clap_folder) -> None:
    silence = Recording.from_samples(np.zeros((2, 32_000), np.float32), 16_000)
    taggers = (
        get_tagger(),
        get_tagger(f"ast:{ast_folder}"),
        CLAP(["dog"], clap_folder, margin=0.0),
    )
    for model in taggers:
        found = model.scores(silence)
        assert found.probabilities.shape == (0, len(found.labels))
        assert summarize(found, model.threshold).label is None
        assert spans(found, model.threshold) == []


def test_excerpts_leave_silence_out_and_keep_their_times() -> None:
    samples = noise(16.0, 8_000, 1).samples.copy()
    samples[:, 39_000:81_000] = 0.0  # a little more than one excerpt
    kept = list(excerpts(Recording.from_samples(samples, 8_000), 16_000))
    assert [start for _, start, _ in kept] == [0.0, 10.0, 15.0]
    assert [len(wave) for wave, *_ in kept] == [80_000, 80_000, 16_000]


def test_weights_that_are_not_to_be_had_are_a_clear_error(monkeypatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = {}

    def offline(repository: str, **how: object) -> str:
        asked.update(how, repository=repository)
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(CueError, match=r"ast-finetuned.*no connection.*embedded"):
        get_tagger("ast")
    assert len(asked["revision"]) == 40 and "model.safetensors" in asked["allow_patterns"]
    with pytest.raises(CueError, match="clap-htsat-unfused"):
        get_tagger("clap", ["dog"])
    assert len(asked["revision"]) == 40


def test_auto_takes_what_lies_in_the_cache_and_fetches_nothing(
    monkeypatch, tmp_path, clap_folder
) -> None:
    import huggingface_hub

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    assert not AST_WEIGHTS.cached()
    assert get_tagger("auto").name == get_tagger().name == "embedded"
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda repository, file, revision: str(clap_folder) if "clap" in repository else None,
    )
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(clap_folder))
    monkeypatch.setattr(CLAP, "calibrated_margin", lambda self, known: 0.0)
    assert get_tagger("auto").name == "CLAP"


def test_a_repository_is_asked_for_its_commit_and_files_only(monkeypatch, tmp_path) -> None:
    import huggingface_hub

    def found(repository: str, *, revision: str, allow_patterns: list[str]) -> str:
        assert (repository, revision, allow_patterns) == ("a/b", "c" * 40, ["d"])
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", found)
    assert Weights("a/b", "c" * 40, ("d",)).folder() == tmp_path


@pytest.mark.parametrize(
    ("tagger", "labels", "message"),
    [
        ("yamnet", None, "one of: auto, embedded, ast, clap"),
        ("embedded:/tmp", None, "no tagger"),
        ("embedded", ["dog"], "only clap takes labels"),
        ("ast", ["dog"], "only clap takes labels"),
        ("auto", ["dog"], "only clap takes labels"),
        ("clap", [], "are ambiguous"),
        ("clap", ["dog", " dog"], "are ambiguous"),
        ("clap:/no/such/folder", ["dog"], "no folder"),
        (object(), None, "is no tagger"),
    ],
)
def test_what_cannot_be_asked_is_a_clear_error(tagger, labels, message: str) -> None:
    with pytest.raises(CueError, match=message):
        get_tagger(tagger, labels)


def test_a_folder_of_something_else_is_a_clear_error(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CueError, match="does not hold this tagger's weights"):
        get_tagger(f"ast:{tmp_path}")


def test_anything_that_answers_is_a_tagger() -> None:
    class Mine:
        name, threshold = "mine", 0.5

        def scores(self, sound: Recording) -> TagScores:
            one = np.array([0.0]), np.array([sound.duration_s])
            return TagScores(("kettle", UNKNOWN), *one, np.array([[0.8, 0.2]]))

    mine = Mine()
    assert get_tagger(mine) is mine
    tagged, (span,) = identify(mine, noise(1.0))
    assert tagged.label == span.label == "kettle" and span.end_s == 1.0


def test_damaged_weights_are_refused_by_the_name_of_their_folder(ast_folder, tmp_path) -> None:
    from safetensors.numpy import load_file, save_file

    whole = load_file(ast_folder / "model.safetensors")
    first = next(iter(whole))
    damages = {
        "1 are missing": {name: value for name, value in whole.items() if name != first},
        "1 hold NaN": {**whole, first: whole[first] * np.nan},
        "size mismatch|shape|mismatched": {**whole, first: whole[first].ravel()[:3]},
    }
    for number, (reason, state) in enumerate(damages.items()):
        folder = shutil.copytree(ast_folder, tmp_path / str(number))
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(CueError, match=rf"{number} does not hold this tagger's .*({reason})"):
            get_tagger(f"ast:{folder}")
    (folder / "model.safetensors").write_bytes(b"\x80\x04N.")  # a pickle
    with pytest.raises(CueError, match="does not hold this tagger's weights"):
        get_tagger(f"ast:{folder}")
