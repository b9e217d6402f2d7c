"""A recorder sees the maps and the picture to come, and changes nothing."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from spa2v_lab.viz.attention_maps import Recorder
from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.grounding.attention import AttentionGuidance
from spa2v_lib.sampling.grounding.cross_attention import layers, probabilities
from spa2v_lib.sampling.grounding.lvd import LVDGuidance
from spa2v_lib.sampling.selfcheck import known_layout


def test_maps_are_those_of_the_objects_words_frame_by_frame(bare, asked, denoise):
    kept = {}

    def keep(layer, arguments, named):
        kept[layer] = probabilities(layer, arguments[0], named["encoder_hidden_states"])

    handles = [
        a.register_forward_pre_hook(keep, with_kwargs=True) for a in layers(bare.unet).values()
    ]
    recorder = Recorder(frames=0, cells=16)
    with recorder.recording(bare, asked):
        denoise()
        recorder.after_step(bare, 0, 500, {})
    for handle in handles:
        handle.remove()
    fine = torch.stack([m for m in kept.values() if m.shape[2] == 8 * 16]).mean((0, 2))
    (record,) = recorder.steps
    assert record.maps.shape == (3, 2, 8, 16) and record.maps.dtype == np.float16
    for index, token in enumerate((1, 3)):
        wanted = fine[3:, :, token].unflatten(1, (8, 16)).numpy()
        assert np.abs(record.maps[:, index] - wanted).max() < 1e-3


def test_the_resolution_nearest_to_the_one_asked_for_is_kept(bare, asked, denoise):
    recorder = Recorder(frames=0, cells=7)
    with recorder.recording(bare, asked):
        for step in (0, 1):
            denoise()
            recorder.after_step(bare, step, 500, {})
    assert [r.maps.shape for r in recorder.steps] == [(3, 2, 4, 8)] * 2


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_the_preview_is_the_clean_picture_that_the_guided_prediction_means(
    bare, asked, monkeypatch, prediction
):
    bare.scheduler = DDIMScheduler(prediction_type=prediction)
    clear = bare.scheduler.alphas_cumprod[500]
    clean, noise = torch.randn(2, 1, 4, 3, 8, 16).unbind(0)
    given = clear.sqrt() * clean + (1 - clear).sqrt() * noise
    told = {
        "epsilon": noise,
        "v_prediction": clear.sqrt() * noise - (1 - clear).sqrt() * clean,
        "sample": clean,
    }[prediction]
    recorder = Recorder(frames=2, side=99)
    with recorder.recording(bare, asked):
        # Guidance of 2 doubles what the text adds: a plain half of zero needs half the prediction.
        halves = torch.cat([0 * told, told / 2])
        monkeypatch.setattr(bare.unet, "forward", lambda *_: (halves,))
        bare.unet(torch.cat([given] * 2))
        recorder.after_step(bare, 0, 500, {})
    pixels = (clean[0, :3, [0, 2]] / 2 + 0.5).clip(0, 1).permute(1, 2, 3, 0)
    wanted = (255 * pixels).numpy()
    assert np.abs(recorder.steps[0].preview - wanted).max() < 1


def test_large_latents_are_shown_small(bare, asked, denoise):
    recorder = Recorder(frames=2, side=8)
    with recorder.recording(bare, asked):
        denoise()
        recorder.after_step(bare, 0, 500, {})
    assert recorder.steps[0].preview.shape == (2, 4, 8, 3)


def test_recording_changes_no_bit_and_leaves_no_hook(bare, asked, denoise):
    plain = denoise()
    with Recorder().recording(bare, asked):
        assert torch.equal(denoise(), plain)
    assert not [m for m in bare.unet.modules() if m._forward_pre_hooks or m._forward_hooks]


def test_beside_energy_guidance_only_the_sampling_loops_own_calls_are_kept(bare, asked, denoise):
    recorder, alone = Recorder(frames=0), Recorder(frames=0)
    with alone.recording(bare, asked):
        denoise()
        alone.after_step(bare, 0, 500, {})
    with recorder.recording(bare, asked), LVDGuidance().applied(bare, asked) as hooks:
        denoise()
        hooks.before_step(0, torch.randn(1, 4, 3, 8, 16))
        recorder.after_step(bare, 0, 500, {})
    assert np.array_equal(recorder.steps[0].maps, alone.steps[0].maps)


def test_beside_attention_guidance_the_maps_are_the_models_own(bare, asked, denoise):
    recorder = Recorder(frames=0)
    with recorder.recording(bare, asked), AttentionGuidance().applied(bare, asked):
        denoise()
        recorder.after_step(bare, 0, 500, {})
    assert recorder.steps[0].maps.min() > 0 and recorder.steps[0].maps.max() < 1


def test_steps_are_told_as_they_come(bare, asked, denoise):
    told = []
    recorder = Recorder(frames=0, on_step=told.append)
    with recorder.recording(bare, asked):
        denoise()
        assert recorder.after_step(bare, 4, 500, {"latents": 1}) == {"latents": 1}
    assert told == recorder.steps and told[0].step == 4 and told[0].timestep == 500


def test_a_recorder_that_saw_nothing_says_so(bare):
    with pytest.raises(SamplingError, match="saw no step"):
        Recorder().after_step(bare, 0, 1, {})


def test_the_last_preview_of_the_shipped_suite_is_the_video():
    layout = known_layout(1.0).model_copy(update={"duration_s": 0.25})
    recorder = Recorder(frames=2)
    video = generate(layout, steps=2, recorder=recorder)
    assert [r.maps.shape[:2] for r in recorder.steps] == [(2, 1)] * 2
    differences = recorder.steps[-1].preview.astype(int) - video.frames.astype(int)
    assert np.abs(differences).max() <= 2
