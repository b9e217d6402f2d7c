"""LVD's energy: its value, that it falls, and that nothing but latents is changed."""

import dataclasses

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

from spa2v_lib.errors import SamplingError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.sampling import generate
from spa2v_lib.sampling.grounding.lvd import LVDGuidance, centre_energy

FINE = {"coarsest": 8, "finest": 16, "threshold": 0.0}


def _latents() -> torch.Tensor:
    return torch.randn(1, 4, 3, 8, 16, generator=torch.Generator().manual_seed(3))


def _map_energy(method: LVDGuidance, values: list[float], inside: list[float]) -> float:
    maps = torch.tensor(values)[None, None, None]
    return method.map_energy(maps, torch.tensor(inside)[None, None, None]).item()


def test_the_energy_is_the_papers_by_hand():
    method = LVDGuidance(inside=1.0, outside=2.0, share=0.5)
    # Of two cells inside the larger is 0.6, of two outside 0.3.
    energy = _map_energy(method, [0.6, 0.2, 0.3, 0.1], [1.0, 1.0, 0.0, 0.0])
    assert energy == pytest.approx((1 - 0.6) + 2 * 0.3)


def test_of_an_absent_object_only_the_outside_counts():
    method = LVDGuidance(inside=1.0, outside=2.0, share=0.5)
    assert _map_energy(method, [0.6, 0.2, 0.3, 0.1], [0.0] * 4) == pytest.approx(2 * 0.45)


def test_the_centre_of_mass_has_no_energy_in_the_boxes_centre_and_some_elsewhere():
    maps = torch.zeros(2, 1, 1, 8)
    maps[0, ..., 1] = maps[1, ..., 2] = 0.7  # second, then third of four columns, upper row
    boxes = torch.tensor([[0.25, 0.0, 0.5, 0.5], [0.5, 0.0, 0.75, 0.5]])
    there = torch.ones(2)
    assert centre_energy(maps, boxes, there, (2, 4)).abs().max() < 1e-10
    away = centre_energy(maps, boxes[[0, 0]], there, (2, 4))[:, 0, 0]
    # The second frame is a quarter too far right, which is an excess of velocity in the first.
    assert away.tolist() == pytest.approx([0.25**2, 0.25**2])
    absent = centre_energy(maps, boxes[[0, 0]], torch.tensor([1.0, 0.0]), (2, 4))
    assert absent.abs().max() < 1e-10


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_energy_falls_from_iteration_to_iteration(bare, asked, prediction):
    bare.scheduler = DDIMScheduler(prediction_type=prediction)
    energies, latents = [], _latents()
    with torch.no_grad():
        for _ in range(4):
            energies.append(LVDGuidance(**FINE).energy(bare, asked, latents, 901)[1])
            once = LVDGuidance(scale=100.0, iterations=1, **FINE)
            with once.applied(bare, asked) as hooks:
                latents = hooks.before_step(0, latents)
    assert all(later < earlier for earlier, later in zip(energies, energies[1:], strict=False))
    assert not latents.requires_grad


def test_only_the_first_share_of_the_steps_is_guided(bare, asked):
    latents = _latents()
    with torch.no_grad(), LVDGuidance(stop=0.2, **FINE).applied(bare, asked) as hooks:
        assert not torch.equal(hooks.before_step(1, latents), latents)
        assert torch.equal(hooks.before_step(2, latents), latents)


@pytest.mark.parametrize("knobs", [{"scale": 0.0}, {"iterations": 0}, {"threshold": 9.0}])
def test_no_scale_no_iterations_or_low_energy_leave_the_latents_alone(bare, asked, knobs):
    with torch.no_grad(), LVDGuidance(**{**FINE, **knobs}).applied(bare, asked) as hooks:
        assert torch.equal(hooks.before_step(0, _latents()), _latents())


def test_objects_that_no_text_names_leave_the_latents_alone(bare, asked):
    last = torch.zeros_like(asked.spans)
    last[..., -1] = True  # a name with nothing behind it
    for spans, following in ((torch.zeros_like(last), 0), (last, 4)):
        named = dataclasses.replace(asked, spans=spans)
        with (
            torch.no_grad(),
            LVDGuidance(following_tokens=following, **FINE).applied(bare, named) as hooks,
        ):
            assert torch.equal(hooks.before_step(0, _latents()), _latents())


def test_unet_and_scheduler_are_left_as_they_were(bare, asked, denoise):
    plain, times = denoise(), bare.scheduler.timesteps
    with torch.no_grad(), LVDGuidance(**FINE).applied(bare, asked) as hooks:
        hooks.before_step(0, _latents())
        assert torch.equal(denoise(), plain)
    assert bare.scheduler.timesteps is times
    assert not [m for m in bare.unet.modules() if m._forward_pre_hooks]
    assert all(p.grad is None for p in bare.unet.parameters())


def test_the_loops_own_hooks_on_the_unet_do_not_see_the_gradient_steps(bare, asked):
    seen = []
    bare.unet.register_forward_pre_hook(lambda *_: seen.append(1))
    with torch.no_grad(), LVDGuidance(**FINE).applied(bare, asked) as hooks:
        hooks.before_step(0, _latents())
    assert not seen


def test_a_scheduler_that_scales_latents_is_refused(bare, asked):
    bare.scheduler = EulerDiscreteScheduler()
    with (
        pytest.raises(SamplingError, match="EulerDiscreteScheduler does not"),
        LVDGuidance().applied(bare, asked),
    ):
        pass


def test_no_map_of_the_sizes_asked_for_is_an_error(bare, asked):
    with pytest.raises(SamplingError, match="no attention map with 32 to 64 cells"):
        LVDGuidance(coarsest=32, finest=64).energy(bare, asked, _latents(), 1)


@pytest.mark.parametrize(("knob", "value"), [("scale", -1.0), ("stop", 1.5), ("share", -0.1)])
def test_knobs_out_of_bounds_are_named(knob, value):
    with pytest.raises(SamplingError, match=f"LVD guidance's {knob} is {value:g}"):
        LVDGuidance(**{knob: value})


def test_gradients_pass_through_the_windows_of_a_long_video_of_the_shipped_suite():
    thing = SceneObject(
        id="one", label="bus", caption="a bus", boxes=[Box(x0=0.6, y0=0.3, x1=0.95, y1=0.7)]
    )
    layout = VideoSceneLayout(
        caption="a bus stands on a city street",
        frame_captions=["a bus on the right, a city street"],
        key_times_s=[0.0],
        objects=[thing],
        duration_s=2.25,  # 18 frames, two windows
    )
    method = LVDGuidance(stop=1.0, iterations=1, scale=50.0, following_tokens=6)
    guided = generate(layout, steps=1, grounding=method).frames
    plain = generate(layout, steps=1, grounding="none").frames
    away = np.abs(guided.astype(float) - plain).mean((1, 2, 3))
    assert away.shape == (18,) and away.min() > 0
