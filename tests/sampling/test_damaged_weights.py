"""Weights that are cut short, incomplete, misshapen, not finite or a pickle: one error each."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from spa2v_lib.cues.tagging import embedded, embedding
from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.resources import resource
from spa2v_lib.sampling import families, generate, loading, tiny_detector, weights
from spa2v_lib.sampling.presets import get_preset
from spa2v_lib.sampling.selfcheck import known_layout
from spa2v_lib.sampling.tensors import as_pixels


class _Bomb:
    def __reduce__(self):
        return pytest.fail, ("code of a pickle ran",)


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path):
    path.write_bytes(b"")


def _pickle(path):
    path.write_bytes(pickle.dumps(_Bomb()))


def _torch_pickle(path):
    torch.save({"weight": torch.zeros(3)}, path)


def _changed(change):
    def damage(path):
        state = load_file(path)
        name = max(state, key=lambda key: state[key].numel())
        state = {key: value for key, value in state.items() if key != name} | change(name, state)
        save_file({key: value.contiguous() for key, value in state.items()}, path)

    return damage


DAMAGES = {
    "truncated": _truncate,
    "empty": _empty,
    "pickle": _pickle,
    "torch pickle": _torch_pickle,
    "missing": _changed(lambda name, state: {}),
    "wrong shape": _changed(lambda name, state: {name: state[name].flatten()[:7]}),
    "NaN": _changed(lambda name, state: {name: state[name] * torch.nan}),
    "infinite": _changed(lambda name, state: {name: state[name].fill_(torch.inf)}),
}
PARTS = ("vae", "unet", "text_encoder", "motion_adapter")
each_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Copy the shipped weights and let the library find the copy."""
    shutil.copytree(resource("models"), tmp_path / "models")

    def find(*parts):
        return tmp_path.joinpath(*parts)

    for module in (families, tiny_detector, weights):
        monkeypatch.setattr(module, "resource", find)
    loading.unload()
    tiny_detector.shipped_detector.cache_clear()
    yield tmp_path / "models"
    loading.unload()
    tiny_detector.shipped_detector.cache_clear()


@each_damage
def test_a_damaged_part_of_the_suite_is_named(models, damage):
    for part in PARTS:
        (path,) = (models / "tiny" / part).glob("*.safetensors")
        whole = path.read_bytes()
        damage(path)
        with pytest.raises(DataError, match=rf"tiny/{part} .*(fetch the file again|reinstall)"):
            loading.load("tiny", "cpu")
        path.write_bytes(whole)


@each_damage
def test_damaged_grounding_layers_are_named_and_leave_the_denoiser_as_it_was(models, damage):
    pipeline = loading.load("tiny", "cpu")
    for method in get_preset("tiny").layers:
        path = models / "tiny" / "grounding" / f"{method}.safetensors"
        damage(path)
        with pytest.raises(DataError, match=rf"{method}\.safetensors "):
            loading.load("tiny", "cpu", layers=[method])
    assert all(value.isfinite().all() for value in pipeline.unet.parameters())


@each_damage
def test_a_damaged_detector_is_named(models, damage):
    damage(models / "tiny" / "detector" / "model.safetensors")
    with pytest.raises(DataError, match=r"model\.safetensors "):
        tiny_detector.shipped_detector()


@each_damage
def test_a_damaged_tagger_is_named(models, damage):
    path = models / "tagger" / "tagger.safetensors"
    damage(path)
    with pytest.raises(DataError, match=r"tagger\.safetensors does not hold a tagger's weights: "):
        embedded.load_embedded(path)


@each_damage
def test_a_damaged_embedding_is_named(models, damage):
    path = models / "tagger" / "embedding.safetensors"
    damage(path)
    with pytest.raises(DataError, match=r"embedding\.safetensors does not hold the tagger's "):
        embedding.load_embedding(path)


def test_numbers_that_are_none_end_a_video_instead_of_blackening_it():
    layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    pipeline = loading.load("tiny", "cpu")
    try:
        with torch.no_grad():
            next(pipeline.unet.parameters()).fill_(torch.nan)
        with pytest.raises(SamplingError, match="latents after step 1 of 2 hold NaN"):
            generate(layout, steps=2, device="cpu")
    finally:
        loading.unload()
    with pytest.raises(SamplingError, match="decoded frames hold NaN"):
        as_pixels(np.full((1, 2, 2, 3), np.nan, np.float32))
