"""MIGC layers learn from the first step, where they were asked for, and the base stays as it is."""

import torch

from spa2v_lab.training import data
from spa2v_lab.training.base import new_unet
from spa2v_lab.training.encoded import EncodedSet
from spa2v_lab.training.grounding import train_migc
from spa2v_lab.training.loop import Plan
from spa2v_lab.training.text import new_text_encoder, new_tokenizer
from spa2v_lib.sampling.grounding import migc_layers as migc_weights


def test_migc_layers_learn_and_the_base_stays_as_it_was(tmp_path):
    torch.manual_seed(0)
    drawn, unet, tokenizer = data.frames(8, seed=5), new_unet().eval(), new_tokenizer()
    text, side = new_text_encoder(tokenizer).eval(), unet.config.sample_size
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    latents = torch.randn(8, unet.config.in_channels, side, side)
    truth = (torch.from_numpy(part) for part in (drawn.boxes, drawn.phrases))
    encoded, plan = EncodedSet(latents, drawn.captions, *truth), Plan(4, 4, 1e-2, warmup=1)
    base, parts = (unet, text, tokenizer), ("mid_block", "up_blocks.1")
    log = train_migc(*base, encoded, None, plan, tmp_path, parts=parts)
    assert all(torch.equal(unet.state_dict()[name], value) for name, value in before.items())
    layers = migc_weights.attached(unet)
    assert {name.split(".attentions")[0] for name in layers} == {"mid_block", "up_blocks.1"}
    for attention in layers.values():
        moved = {n: p.abs().max().item() for n, p in attention.migc.out.named_parameters()}
        assert min(moved.values()) > 0, "starts at zero and must have learnt"
        assert attention.processor.__class__.__name__ == "AttnProcessor2_0"
    assert log["losses"][0] > 0
