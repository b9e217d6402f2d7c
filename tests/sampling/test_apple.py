"""Apple's GPU, as far as a processor can test it: what is chosen, refused and computed there."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spa2v_lib.doctor import device
from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling import generate, loading, presets
from spa2v_lib.sampling.selfcheck import known_layout

LAYOUT = known_layout(1.6).model_copy(update={"duration_s": 0.25})
MIGC = "sd15-migc"


@pytest.fixture
def apple(monkeypatch):
    """Let torch find an Apple GPU, no other, and as much memory as is set."""
    memory = SimpleNamespace(available=16e9)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    monkeypatch.setattr("torch.backends.mps.is_macos_or_newer", lambda *version: version <= (14, 0))
    monkeypatch.setattr("torch.mps.empty_cache", lambda: None)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    return memory


def test_it_is_taken_for_published_weights_alone(apple):
    assert loading.check_device(presets.get_preset(MIGC)) == "mps"
    assert loading.check_device(presets.get_preset("tiny")) == "cpu"
    assert loading.check_device(presets.get_preset("tiny"), "mps") == "mps"
    assert device().endswith("; mps for published weights")
    with pytest.raises(SamplingError, match="no GPU that torch can use"):
        loading.check_device(presets.get_preset(MIGC), "cuda")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="says what happens without one")
def test_it_is_refused_where_there_is_none():
    for name in ("tiny", MIGC):
        with pytest.raises(SamplingError, match="no Apple GPU .mps. here"):
            loading.check_device(presets.get_preset(name), "mps")


def test_its_memory_is_the_machines(apple, monkeypatch):
    preset = presets.get_preset(MIGC)
    apple.available = 6e9
    with pytest.raises(SamplingError, match=r"needs 6\.5 GB of memory for 16 frames .*; 6\.0 GB"):
        loading.check_device(preset, "mps")
    assert loading.check_device(preset, "mps", frames=8) == "mps"
    with pytest.raises(SamplingError, match=r"needs 10\.\d GB of memory for 8 frames"):
        loading.check_device(preset, "mps", frames=8, gradients=True)
    monkeypatch.setattr(loading, "_gpu_bytes", lambda pipeline: 3e9)
    monkeypatch.setitem(loading._LOADED, (MIGC, "mps"), None)
    assert loading.check_device(preset, "mps") == "mps"  # counts what is loaded


def test_bfloat16_needs_a_system_that_has_it(apple, monkeypatch):
    preset = presets.get_preset("wan-vace")
    apple.available = 32e9
    assert loading.check_device(preset, "mps") == "mps"
    monkeypatch.setattr("torch.backends.mps.is_macos_or_newer", lambda *version: False)
    with pytest.raises(SamplingError, match="bfloat16, which Apple GPUs have from macOS 14 on"):
        loading.check_device(preset, "mps")


def test_weights_go_there_in_half_precision(small_presets, apple, monkeypatch):
    gone = []

    def go(pipeline, where):
        gone.append((where, pipeline.unet.dtype, pipeline.vae.dtype, pipeline.text_encoder.dtype))
        return pipeline

    monkeypatch.setattr("diffusers.AnimateDiffPipeline.to", go)
    loading.load(MIGC, "mps")
    loading.load("tiny", "mps")
    half, single = (torch.float16,) * 3, (torch.float32,) * 3
    assert gone == [("mps", *half), ("mps", *single)]


def test_running_out_of_its_memory_is_one_sentence():
    said = "MPS backend out of memory (MPS allocated: 17.9 GB, max allowed: 18.1 GB)"
    with (
        pytest.raises(SamplingError, match="memory ran out while sampling 16 frames"),
        loading.clear_memory_errors(presets.get_preset(MIGC), 16),
    ):
        raise RuntimeError(said)


class _SinglePrecision(TorchDispatchMode):
    """Refuse numbers of double precision, which Apple's GPUs do not have."""

    def __torch_dispatch__(self, operation, types, arguments=(), named=None):
        found = operation(*arguments, **(named or {}))
        for value in tree_leaves((arguments, named, found)):
            if isinstance(value, torch.Tensor) and value.dtype in _DOUBLE and value.dim():
                raise TypeError(f"{operation} uses {value.dtype}, shape {tuple(value.shape)}")
        return found


_DOUBLE = (torch.float64, torch.complex128)


@pytest.mark.parametrize(
    ("preset", "grounding"),
    [
        (MIGC, "migc"),
        ("sd15-gligen", "gligen"),
        (MIGC, "attention:noise=on"),
        (MIGC, "lvd"),
        (MIGC, "none"),
    ],
)
def test_sampling_needs_no_double_precision(small_presets, preset, grounding):
    loading.load(preset, "cpu", layers=[grounding] if grounding in ("migc", "gligen") else [])
    with _SinglePrecision():
        video = generate(LAYOUT, preset, steps=2, grounding=grounding, device="cpu")
    assert video.frames.shape == (2, 40, 64, 3)
    with pytest.raises(TypeError, match="float64"), _SinglePrecision():
        torch.zeros(1).double()
