"""MIGC's layers compute what the authors' do, and their file is loaded by its keys.

``golden/migc_upstream_soft.npz`` holds another call of their processor, for three boxes that
overlap, end off the cell borders or are smaller than a cell.

``golden/migc_upstream.npz`` holds what the authors' own code (github.com/limuloo/MIGC, effd6cc)
computed once, under torch 2.13, from random numbers. ``layer_*`` is one call of their MIGC module
with 32 channels on a map of 8 x 12 cells: its cross-attention outputs for the text (``whole``) and
for three phrases (``heard``), which there were random numbers too, and masks of 0 and 1.
``processor_*`` is one call of their attention processor, for a picture of 192 x 128 pixels and two
boxes whose sides lie on cell borders: an unconditional and a conditional input, the texts of both
and of the two phrases, and what came out. ``order`` is the shuffled order that their module drew
for its 28 places. The weights are not kept: `_weights` draws them from a seed (1 the layer, 2 the
cross-attention around the processor, 3 the processor's layer), one parameter after the other in the
order of their names.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from diffusers.models.attention_processor import Attention

from spa2v_lab.training.grounding import layer_parameters
from spa2v_lib.errors import DataError
from spa2v_lib.sampling.grounding import migc_weights
from spa2v_lib.sampling.grounding.migc import Objects, _Grounded, _Regions
from spa2v_lib.sampling.grounding.migc_layers import MIGCLayer, Region


def _weights(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    rng, state = np.random.default_rng(seed), {}
    for name, old in sorted(module.state_dict().items()):
        drawn = rng.standard_normal(tuple(old.shape))
        if name == "norm.weight":
            drawn = 1 + 0.2 * drawn
        else:
            drawn *= 0.3 if old.ndim == 1 else 1.5 / np.sqrt(np.prod(old.shape[1:]))
        state[name] = torch.from_numpy(drawn.astype(np.float32))
    module.load_state_dict(state)
    return module.eval()


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    with np.load(Path(__file__).parent / "golden" / "migc_upstream.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@torch.no_grad()
def test_one_layer_computes_what_the_authors_module_does(golden):
    given = {n.removeprefix("layer_"): v for n, v in golden.items() if n.startswith("layer_")}
    region = Region(
        cover=given["cover"],
        boxes=given["boxes"],
        present=torch.ones(1, 3, dtype=torch.bool),
        pooled=given["pooled"],
        places=given["order"].argsort()[:3],
    )
    layer = _weights(MIGCLayer(32, 768, 8), seed=1)
    found = layer(given["x"], given["whole"], given["heard"], region)
    assert (found - given["out"]).abs().max() < 1e-4
    assert (given["out"] - given["whole"]).abs().max() > 1


@torch.no_grad()
def test_boxes_off_the_cell_borders_have_the_authors_soft_masks():
    with np.load(Path(__file__).parent / "golden" / "migc_upstream_soft.npz") as stored:
        given = {name: torch.from_numpy(stored[name]) for name in stored.files}
    attention = _weights(Attention(32, cross_attention_dim=768, heads=8, dim_head=4), seed=2)
    plain = attention(given["x"], given["text"][:2])
    attention.migc = _weights(MIGCLayer(32, 768, 8), seed=3)
    objects = Objects(
        boxes=given["boxes"][None],
        present=torch.ones(1, 3),
        which=torch.arange(3)[None],
        words=given["text"][2:],
        pooled=given["pooled"],
        places=given["order"].argsort()[:3],
        picture=(192, 128),
    )
    sizes = {attention: (8, 12)}
    attention.set_processor(_Grounded(attention.processor, _Regions(objects), sizes, 1.0))
    found = attention(given["x"], given["text"][:2])
    assert (found - given["out"]).abs().max() < 1e-5
    assert (found[1] - plain[1]).abs().max() > 1


@torch.no_grad()
def test_a_cross_attention_with_boxes_computes_what_the_authors_processor_does(golden):
    attention = _weights(Attention(32, cross_attention_dim=768, heads=8, dim_head=4), seed=2)
    text = golden["processor_text"]
    plain = attention(golden["processor_x"], text[:2])
    attention.migc = _weights(MIGCLayer(32, 768, 8), seed=3)
    objects = Objects(
        boxes=golden["processor_boxes"],
        present=torch.ones(1, 2),
        which=torch.tensor([[0, 1]]),
        words=text[2:],
        pooled=golden["processor_pooled"],
        places=golden["processor_order"].argsort()[:2],
        picture=(192, 128),
    )
    sizes = {attention: (8, 12)}
    attention.set_processor(_Grounded(attention.processor, _Regions(objects), sizes, 1.0))
    found = attention(golden["processor_x"], text[:2])
    assert (found - golden["processor_out"]).abs().max() < 1e-4
    assert torch.equal(found[0], plain[0]), "the unconditional half is left alone"
    assert (found[1] - plain[1]).abs().max() > 1


_PREFIXES = tuple(
    f"model.diffusion_model.{block}.1.transformer_blocks.0.attn2.migc."
    for block in ("middle_block", "output_blocks.3", "output_blocks.4", "output_blocks.5")
)


def _published(dim: int, context: int, hidden: int = 512) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of one layer's weights, as the authors' module has them."""
    shapes = {f"{a}.to_q.weight": (dim, dim) for a in ("ea", "la")}
    for part, width in (("ea", context), ("la", dim)):
        shapes |= {f"{part}.to_{x}.weight": (dim, width) for x in "kv"}
        shapes |= {f"{part}.to_out.0.weight": (dim, dim), f"{part}.to_out.0.bias": (dim,)}
    shapes |= {"norm.weight": (dim,), "norm.bias": (dim,)}
    shapes |= {"sac.conv1.weight": (dim, dim + 1, 1, 1), "sac.conv1.bias": (dim,)}
    shapes |= {"sac.conv2.weight": (1, dim, 1, 1), "sac.conv2.bias": (1,)}
    for cbam, channels, inner in (("sac.cbam1", dim, dim // 16), ("sac.cbam2", 30, 30)):
        shapes |= {f"{cbam}.ChannelGate.mlp.1.weight": (inner, channels)}
        shapes |= {f"{cbam}.ChannelGate.mlp.1.bias": (inner,)}
        shapes |= {f"{cbam}.ChannelGate.mlp.3.weight": (channels, inner)}
        shapes |= {f"{cbam}.ChannelGate.mlp.3.bias": (channels,)}
        shapes |= {f"{cbam}.SpatialGate.spatial.conv.weight": (1, 2, 7, 7)}
    for i, (out, into) in {0: (hidden, 64), 2: (hidden, hidden), 4: (context, hidden)}.items():
        shapes |= {f"pos_net.linears_position.{i}.weight": (out, into)}
        shapes |= {f"pos_net.linears_position.{i}.bias": (out,)}
    return shapes


def _checkpoint(path: Path, dim: int = 1280, context: int = 768, **changes) -> Path:
    """Write zeros in the published form; `changes` replace entries, None drops one."""
    state = {
        prefix + name: torch.zeros(1).expand(shape)  # one number each in the file
        for prefix in _PREFIXES
        for name, shape in _published(dim, context).items()
    }
    state |= changes
    torch.save({"state_dict": {k: v for k, v in state.items() if v is not None}}, path)
    return path


@pytest.fixture(scope="module")
def wide() -> UNetMotionModel:
    """Stable Diffusion 1.5 with AnimateDiff's motion modules, without numbers."""
    widths = (320, 640, 1280, 1280)
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=widths, cross_attention_dim=768, attention_head_dim=8
        )
        adapter = MotionAdapter(block_out_channels=widths, use_motion_mid_block=False)
        return UNetMotionModel.from_unet2d(unet, adapter)


def test_the_published_file_is_loaded_by_its_keys_at_full_width(wide, tmp_path):
    migc_weights.load(wide, _checkpoint(tmp_path / "MIGC_SD14.ckpt"))
    found = migc_weights.attached(wide)
    assert set(found) == {
        "mid_block.attentions.0.transformer_blocks.0.attn2",
        *(f"up_blocks.1.attentions.{i}.transformer_blocks.0.attn2" for i in range(3)),
    }
    for attention in found.values():
        state = attention.migc.state_dict()
        assert {name: tuple(v.shape) for name, v in state.items()} == _published(1280, 768)
        assert type(attention.migc) is MIGCLayer and attention.heads == 8
    count = sum(p.numel() for p in layer_parameters(wide).values())
    assert round(4 * count / 2**20) == 219, "the published file has 219 MB"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({_PREFIXES[0] + "ea.to_k.weight": None},
         r"1 missing \(mid_block\.attentions\.0\.transformer_blocks\.0\.attn2\.migc\.ea\.to_k"),
        ({_PREFIXES[1] + "pos_net.linears_position.0.weight": None},
         r"up_blocks\.1\.attentions\.0\.\S*pos_net\.linears_position\.0\.weight"),
        ({_PREFIXES[2] + "sac.conv1.weight": torch.zeros(1280, 1280, 1, 1)},
         r"1 of another shape \(up_blocks\.1\.attentions\.1\.\S*sac\.conv1\.weight\)"),
        ({_PREFIXES[3] + "gate.weight": torch.zeros(1)},
         r"1 unknown \(up_blocks\.1\.attentions\.2\.\S*gate\.weight\)"),
        ({_PREFIXES[3].replace("blocks.5", "blocks.0") + "norm.bias": torch.zeros(1)},
         r"this UNet lacks: up_blocks\.0\.attentions\.0"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_with_the_keys_it_missed(
    wide, tmp_path, changes, message
):
    path = _checkpoint(tmp_path / "wrong.ckpt", **changes)
    with pytest.raises(DataError, match=rf"wrong\.ckpt.*{message}"):
        migc_weights.load(wide, path)


def test_files_without_migc_weights_are_refused(wide, tmp_path):
    other = tmp_path / "gligen.bin"
    torch.save(
        {"mid_block.attentions.0.transformer_blocks.0.fuser.alpha_attn": torch.zeros(1)}, other
    )
    with pytest.raises(DataError, match=r"gligen\.bin holds no MIGC weights: of its 1 keys none"):
        migc_weights.load(wide, other)
    other.write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match=r"gligen\.bin does not hold MIGC weights: "):
        migc_weights.load(wide, other)
    with pytest.raises(DataError, match=r"gligen\.bin does not hold MIGC weights: "):
        migc_weights.load(wide, other)
    torch.save({"state_dict": SimpleNamespace()}, other)  # would run code if it were trusted
    with pytest.raises(DataError, match=r"gligen\.bin does not hold MIGC weights: "):
        migc_weights.load(wide, other)
