"""Places hear of the objects they lie in, and of no others."""

import torch

from spa2v_lib.sampling.grounding.box_maps import cell_boxes, coverage
from spa2v_lib.sampling.grounding.gligen_layers import MaskedBoxTokens, MaskedFuser


def test_coverage_is_the_share_of_each_cell():
    boxes = torch.tensor([[[0.0, 0.0, 0.75, 0.5], [0.0, 0.0, 0.0, 0.0]]])
    covered = coverage(cell_boxes(2, boxes), boxes)
    assert torch.equal(covered[0, :, 0], torch.tensor([1.0, 0.5, 0.0, 0.0]))
    assert covered[0, :, 1].sum() == 0


def test_cells_are_counted_row_by_row_from_the_top_left():
    cells = cell_boxes(4, torch.zeros(1))
    assert cells[1].tolist() == [0.25, 0.0, 0.5, 0.25]
    assert cells[4].tolist() == [0.0, 0.25, 0.25, 0.5]


def test_only_places_inside_a_box_hear_its_object_directly():
    torch.manual_seed(0)
    fuser = MaskedFuser(16, 8, 2, 8).eval()
    fuser.alpha_attn.data.fill_(1.0)
    tokens = MaskedBoxTokens(positive_len=8, out_dim=8).eval()
    box, there = torch.tensor([[[0.0, 0.0, 0.5, 0.5]]]), torch.ones(1, 1)
    x = torch.randn(1, 16, 16)
    with torch.no_grad():
        one = fuser(x, tokens(box, there, torch.zeros(1, 1, 8)))
        other = fuser(x, tokens(box, there, torch.full((1, 1, 8), 5.0)))
    change = (one - other).abs().amax(-1).reshape(4, 4)
    inside = change[:2, :2]
    assert inside.min() > 100 * change[2:].max()
    assert inside.min() > 100 * change[:, 2:].max()


def test_an_absent_object_is_not_heard_anywhere():
    torch.manual_seed(0)
    fuser = MaskedFuser(16, 8, 2, 8).eval()
    fuser.alpha_attn.data.fill_(1.0)
    tokens = MaskedBoxTokens(positive_len=8, out_dim=8).eval()
    x, absent = torch.randn(1, 16, 16), torch.zeros(1, 1)
    with torch.no_grad():
        here = fuser(x, tokens(torch.tensor([[[0.0, 0.0, 0.5, 0.5]]]), absent, torch.ones(1, 1, 8)))
        there = fuser(
            x, tokens(torch.tensor([[[0.5, 0.5, 1.0, 1.0]]]), absent, torch.ones(1, 1, 8))
        )
    assert torch.equal(here, there)


def test_what_is_kept_from_step_to_step_is_told_anew_for_other_objects():
    torch.manual_seed(0)
    fuser = MaskedFuser(16, 8, 2, 8).eval()
    fuser.alpha_attn.data.fill_(1.0)
    tokens = MaskedBoxTokens(positive_len=8, out_dim=8).eval()
    left, right = (torch.tensor([[[x, 0.0, x + 0.5, 0.5]]]) for x in (0.0, 0.5))
    x, there = torch.randn(1, 16, 16), torch.ones(1, 1)
    with torch.no_grad():
        told = [tokens(box, there, torch.ones(1, 1, 8)) for box in (left, right)]
        first, again, other = fuser(x, told[0]), fuser(x, told[0]), fuser(x, told[1])
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert torch.allclose(fuser(x, told[1].clone()), other, atol=1e-6)  # as in training
