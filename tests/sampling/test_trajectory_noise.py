"""Noise that moves with the boxes, and is noise nevertheless."""

import pytest
import torch

from spa2v_lib.sampling.grounding.attention import trajectory_noise

FRAMES = 8


def _noise(seed: int, height: int = 10, width: int = 16) -> torch.Tensor:
    shape = (1, 16, FRAMES, height, width)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _path() -> tuple[torch.Tensor, torch.Tensor]:
    """A box that moves by one of sixteen cells a frame."""
    boxes = torch.tensor([0.0, 0.2, 0.375, 0.8]).repeat(FRAMES, 1, 1)
    boxes[:, 0, ::2] += torch.arange(FRAMES)[:, None] / 16
    return boxes, torch.ones(FRAMES, 1)


def test_the_variance_stays_1_inside_and_outside_the_boxes():
    boxes, present = _path()
    drawn = torch.cat([trajectory_noise(_noise(k), boxes, present, k) for k in range(40)])
    variance = drawn.var((0, 1))
    assert (drawn.square().mean((1, 3, 4)) - 1).abs().max() < 1e-4  # every frame, exactly
    for frame in range(FRAMES):
        inside = variance[frame, 2:8, frame : frame + 6].mean()
        assert abs(inside - 1) < 0.06 and abs(drawn.mean()) < 0.02


def test_with_all_frequencies_low_one_patch_moves_along_the_path():
    boxes, present = _path()
    moved = trajectory_noise(_noise(0), boxes, present, 1, space=50.0, time=50.0)[0]
    patches = [moved[:, f, 2:8, f : f + 6].flatten() for f in range(FRAMES)]
    assert torch.corrcoef(torch.stack(patches)).min() > 0.999
    still = torch.stack([moved[:, f, 2:8, :6].flatten() for f in (0, 7)])
    assert abs(torch.corrcoef(still)[0, 1]) < 0.2


def test_low_frequencies_move_along_and_high_ones_are_the_given_noises():
    boxes, present = _path()
    noise = _noise(0)
    moved = trajectory_noise(noise, boxes, present, 1)
    spectrum, given = (torch.fft.fftn(x, dim=(3, 4)) for x in (moved, noise))
    high = spectrum[..., 5, 8] / given[..., 5, 8]  # the highest frequency in height and width
    assert (high.imag.abs() < 1e-3).all() and (high.real - 1).abs().max() < 0.2
    assert (spectrum[..., 0, 0] - given[..., 0, 0]).abs().max() > 1


@pytest.mark.parametrize(
    ("box", "there"),
    [
        ((0.3, 0.3, 0.3, 0.8), 1.0),  # no area
        ((1.1, 0.2, 1.4, 0.6), 1.0),  # outside
        ((0.0, 0.0, 0.0, 0.0), 0.0),  # absent
    ],
)
def test_what_is_not_in_the_picture_leaves_the_noise_alone(box, there):
    noise = _noise(0)
    boxes, present = torch.tensor(box).repeat(FRAMES, 1, 1), torch.full((FRAMES, 1), there)
    assert torch.equal(trajectory_noise(noise, boxes, present, 0), noise)


def test_boxes_at_the_edges_and_smaller_than_a_cell_are_noise_too():
    boxes = torch.tensor([[-0.4, -0.2, 0.2, 0.3], [0.97, 0.99, 1.0, 1.0]]).repeat(FRAMES, 1, 1)
    moved = trajectory_noise(_noise(0), boxes, torch.ones(FRAMES, 2), 0)
    assert moved.isfinite().all() and not torch.equal(moved, _noise(0))


def test_only_the_seed_decides_and_the_global_generator_is_left_alone():
    boxes, present = _path()
    state = torch.get_rng_state()
    one, same, other = (trajectory_noise(_noise(0), boxes, present, s) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)
