"""Bases, LoRA and few steps that a user asks for: loaded on the real classes, refused early."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from spa2v_lab.bench.random_weights import Widths, lora_weights, write_random_weights
from spa2v_lib.audio.recording import Recording
from spa2v_lib.errors import DataError, SamplingError, SettingsError
from spa2v_lib.runs import Settings, check_settings, generate_run, rerun, verify
from spa2v_lib.sampling import check, generate, loading, presets, variant, weight_hashes
from spa2v_lib.sampling.fit import check_fit
from spa2v_lib.sampling.selfcheck import known_layout

LAYOUT = known_layout(1.6).model_copy(update={"duration_s": 0.25})
GLIGEN = "sd15-gligen"
SD15 = presets.PRESETS[GLIGEN].sources["base"].repository
LCM = presets.PRESETS[GLIGEN].fast.source.repository


def _frames(preset, **how):
    how = {"steps": 2, "device": "cpu", **how}
    return generate(LAYOUT, preset, **how).frames


def _lora(path, widths, **how):
    torch.manual_seed(3)
    save_file(lora_weights(widths, **how), path)
    return path


@pytest.fixture
def base_unet(small_weights):
    """Return the weights of the preset's own base."""
    folder = small_weights / SD15 / "unet"
    return load_file(folder / "diffusion_pytorch_model.fp16.safetensors")


def test_a_lora_adds_its_weighted_product_to_the_layers_that_it_names(
    small_presets, small_widths, base_unet, tmp_path
):
    path = _lora(tmp_path / "style.safetensors", small_widths)
    pipeline = loading.load(variant(GLIGEN, lora=[f"{path}:0.5"]), "cpu")
    layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    stored = {key.split(".", 1)[1]: v.float() for key, v in load_file(path).items()
              if key.startswith(f"lora_unet_{layer.replace('.', '_')}.")}  # fmt: skip
    wanted = base_unet[f"{layer}.weight"].float()
    wanted = wanted + 0.5 * stored["lora_up.weight"] @ stored["lora_down.weight"]
    found = pipeline.unet.state_dict()
    assert torch.allclose(found[f"{layer}.weight"], wanted, atol=1e-6)
    assert not any("lora" in name for name in found)  # grounding finds the layers that it knows
    untouched = "conv_in.weight"
    assert torch.equal(found[untouched], base_unet[untouched].float())


def test_several_lora_add_up_and_each_weight_counts(small_presets, small_widths, tmp_path):
    one = _lora(tmp_path / "one.safetensors", small_widths)
    two = _lora(tmp_path / "two.safetensors", small_widths, rank=2)
    asked = [(), (one,), (two,), (one, two), (f"{one}:0", f"{two}:0"), (f"{one}:-1",)]
    videos = [_frames(variant(GLIGEN, lora=[str(x) for x in lora])) for lora in asked]
    assert np.array_equal(videos[0], videos[4])
    assert len({video.tobytes() for video in videos}) == len(videos) - 1


def test_a_motion_lora_changes_the_motion_modules(small_presets, small_widths, tmp_path):
    plain = loading.load(GLIGEN, "cpu").unet.state_dict()
    name = "down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_q"
    rank, width = 2, plain[f"{name}.weight"].shape[0]
    weights = {"lora_A": torch.randn(rank, width), "lora_B": torch.randn(width, rank)}
    path = tmp_path / "zoom.safetensors"
    save_file({f"unet.{name}.{k}.weight": v for k, v in weights.items()}, path)
    found = loading.load(variant(GLIGEN, lora=[str(path)]), "cpu").unet.state_dict()
    assert {key for key in found if not torch.equal(found[key], plain[key])} == {f"{name}.weight"}


def test_another_base_is_a_folder_of_any_precision_and_the_preset_keeps_its_own(
    small_presets, small_widths, small_weights, tmp_path
):
    write_random_weights(tmp_path, GLIGEN, small_widths, seed=5)
    other = tmp_path / SD15
    for folder in ("unet", "vae", "text_encoder"):
        (path,) = (other / folder).glob("*.fp16.safetensors")
        path.rename(path.with_name(path.name.replace(".fp16", "")))
    chosen = variant(GLIGEN, base=str(other))
    hashes = weight_hashes(chosen)
    assert "stable-diffusion-v1-5/unet/diffusion_pytorch_model.safetensors" in hashes
    videos = [_frames(one) for one in (GLIGEN, chosen, GLIGEN)]
    assert np.array_equal(videos[0], videos[2]) and not np.array_equal(videos[0], videos[1])


def test_a_base_in_one_file_gives_the_frames_of_the_same_weights_in_a_folder(
    small_presets, small_weights, tmp_path
):
    base = small_weights / SD15
    path = tmp_path / "all.safetensors"
    save_file(_as_checkpoint(base), path)
    (base / "model_index.json").write_text(json.dumps(_INDEX))
    try:
        videos = [_frames(one) for one in (GLIGEN, variant(GLIGEN, base=str(path)))]
    finally:
        (base / "model_index.json").unlink()
    assert np.array_equal(*videos)


_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.6.0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def _as_checkpoint(base) -> dict[str, torch.Tensor]:
    """Return a base's weights under the names of Stable Diffusion's authors.

    Diffusers' own reader says which of their names becomes which of its own.
    """
    from diffusers.loaders import single_file_utils as reader

    stored = {}
    for part, prefix, names, convert in (
        ("unet", "model.diffusion_model.", _unet_names(), reader.convert_ldm_unet_checkpoint),
        ("vae", "first_stage_model.", _vae_names(), reader.convert_ldm_vae_checkpoint),
    ):
        (path,) = (base / part).glob("*.safetensors")
        weights = load_file(path)
        config = json.loads((base / part / "config.json").read_text())
        numbers = {prefix + name: torch.tensor(i) for i, name in enumerate(names)}
        ours = {key: int(i) for key, i in convert(dict(numbers), config).items()}
        assert set(ours) == set(weights)
        squared = (".to_q.weight", ".to_k.weight", ".to_v.weight", ".to_out.0.weight")
        for key, number in ours.items():
            value = weights[key]
            if part == "vae" and key.endswith(squared):
                value = value[..., None, None]  # theirs are convolutions of one pixel
            stored[prefix + names[number]] = value.contiguous()
    (path,) = (base / "text_encoder").glob("*.safetensors")
    for key, value in load_file(path).items():
        inner = key if key.startswith("text_model.") else f"text_model.{key}"
        stored[f"cond_stage_model.transformer.{inner}"] = value
    return stored


def _both(names):
    return [f"{name}.{end}" for name in names for end in ("weight", "bias")]


def _unet_names() -> list[str]:
    def residual(place, shortcut):
        parts = ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3"]
        return _both([f"{place}.{part}" for part in parts + ["skip_connection"] * shortcut])

    def attention(place):
        inside = f"{place}.transformer_blocks.0"
        to = [f"{inside}.{attn}.to_{x}.weight" for attn in ("attn1", "attn2") for x in "qkv"]
        ends = [f"{inside}.{attn}.to_out.0" for attn in ("attn1", "attn2")]
        parts = [f"{place}.{x}" for x in ("norm", "proj_in", "proj_out")]
        parts += [f"{inside}.{x}" for x in ("norm1", "norm2", "norm3", "ff.net.0.proj", "ff.net.2")]
        return to + _both(parts + ends)

    channels = (32, 32, 64, 64)
    names = _both(["time_embed.0", "time_embed.2", "input_blocks.0.0", "out.0", "out.2"])
    for block in range(12):
        level, part = divmod(block, 3)
        place = f"input_blocks.{block + 1}"
        if part == 2:
            names += _both([f"{place}.0.op"]) if level < 3 else []
            continue
        before = channels[max(level - 1, 0)] if part == 0 else channels[level]
        names += residual(f"{place}.0", before != channels[level])
        names += attention(f"{place}.1") if level < 3 else []
    names += residual("middle_block.0", False) + attention("middle_block.1")
    names += residual("middle_block.2", False)
    for block in range(12):
        level, part = divmod(block, 3)
        names += residual(f"output_blocks.{block}.0", True)
        names += attention(f"output_blocks.{block}.1") if level > 0 else []
        if part == 2 and level < 3:
            names += _both([f"output_blocks.{block}.{2 if level else 1}.conv"])
    return names


def _vae_names() -> list[str]:
    residual = ["norm1", "conv1", "norm2", "conv2"]
    middle = [f"mid.block_{i}.{part}" for i in (1, 2) for part in residual]
    middle += [f"mid.attn_1.{part}" for part in ("norm", "q", "k", "v", "proj_out")]
    names = ["quant_conv", "post_quant_conv"]
    for side, blocks, move in (("encoder", 2, "down"), ("decoder", 3, "up")):
        names += [f"{side}.{part}" for part in ["conv_in", "norm_out", "conv_out", *middle]]
        for level in range(4):
            for block in range(blocks):
                names += [f"{side}.{move}.{level}.block.{block}.{part}" for part in residual]
            last = level == (3 if move == "down" else 0)
            names += [] if last else [f"{side}.{move}.{level}.{move}sample.conv"]
    return _both(names)


@pytest.mark.parametrize(
    ("preset", "grounding"),
    [(GLIGEN, "default"), (GLIGEN, "attention"), (GLIGEN, "lvd"), ("sd15-migc", "default")],
)
def test_few_steps_sample_with_every_grounding(small_presets, preset, grounding):
    chosen = variant(preset, speed="fast")
    done = []
    frames = _frames(
        chosen, steps=None, grounding=grounding, progress=lambda step, of: done.append((step, of))
    )
    assert done[-1] == (6, 6) and frames.shape == (2, 40, 64, 3)
    assert type(loading.load(chosen, "cpu").scheduler).__name__ == "LCMScheduler"
    again = _frames(chosen, steps=None, grounding=grounding)
    assert np.array_equal(frames, again)  # its scheduler draws noise: from the seed alone


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"speed": "warp"}, "no speed 'warp'; one of: full, fast"),
        ({"speed": "fast", "preset": "tiny"}, "'tiny' has no weights for few steps"),
        ({"speed": "fast", "preset": "wan-vace"}, "'wan-vace' has no weights for few steps"),
        ({"lora": "a/b", "preset": "tiny"}, "'tiny' takes no other base, motion adapter or LoRA"),
        ({"speed": "fast", "steps": 60}, "60 sampling steps; speed fast takes 1 to 50"),
        ({"speed": "fast", "guidance_scale": 7.5}, "guidance_scale is 7.5; speed fast takes 1"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 10_000}, "steps is 10000"),
        ({"lora": "a/b:7"}, "weight of LoRA a/b is 7; it must lie between -2 and 2"),
        ({"size": "500x300"}, "multiples of 8"),
        ({"size": "wide"}, "size is 'wide'; it should be WIDTHxHEIGHT"),
        ({"size": "256x256", "preset": "tiny"}, "'tiny' draws 128x128 pixels and no others"),
        ({"lora": "no/such/style.ckpt"}, "no/such/style.ckpt does not exist"),
        ({"base": "nowhere.safetensors"}, "nowhere.safetensors does not exist"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_loaded(small_presets, asked, words):
    asked = {"preset": GLIGEN, "device": "cpu", **asked}
    with pytest.raises((SamplingError, DataError, SettingsError), match=words):
        check_settings(Settings.of(asked))


def test_a_pickle_is_refused_for_the_code_that_it_may_hold(small_presets, tmp_path):
    path = tmp_path / "style.pt"
    torch.save({}, path)
    with pytest.raises(DataError, match=r"style\.pt does not end in \.safetensors.*run code"):
        variant(GLIGEN, lora=[str(path)])
    path = path.rename(tmp_path / "style.safetensors")
    with pytest.raises(DataError, match="style.safetensors is no safetensors file"):
        check(LAYOUT, variant(GLIGEN, lora=[str(path)]), device="cpu")


WIDER = Widths((32, 32, 64, 64), text=64, text_layers=1, vocabulary=54, picture=(32,) * 4)


def test_a_lora_or_lcm_weights_of_another_architecture_are_refused_before_loading(
    small_presets, small_weights, monkeypatch, tmp_path
):
    monkeypatch.setattr(loading, "assemble", pytest.fail)
    path = _lora(tmp_path / "xl.safetensors", WIDER)
    with pytest.raises(DataError, match=r"xl.* does not fit: it changes .*attn2.* 64 inputs.* 32"):
        check(LAYOUT, variant(GLIGEN, lora=[str(path)]), device="cpu")
    save_file({"lora_unet_nowhere_1_to_q.lora_down.weight": torch.ones(2, 32)}, path)
    with pytest.raises(DataError, match=r"xl\.safetensors does not hold a LoRA"):
        check(LAYOUT, variant(GLIGEN, lora=[str(path)]), device="cpu")
    lcm = LCM
    root = tmp_path / "own"
    shutil.copytree(small_weights, root)
    monkeypatch.setenv("SPA2V_WEIGHTS", str(root))
    _lora(root / lcm / "pytorch_lora_weights.safetensors", WIDER)
    with pytest.raises(DataError, match=rf"LoRA {LCM}/pytorch_lora_weights.safetensors does not"):
        check_settings(Settings(preset=GLIGEN, speed="fast", device="cpu"))


def test_a_motion_lora_for_another_adapter_says_so(small_presets, tmp_path):
    name = "unet.mid_block.motion_modules.0.transformer_blocks.0.attn1.to_q"
    weights = {"lora_A": torch.ones(2, 64), "lora_B": torch.ones(64, 2)}
    path = tmp_path / "zoom.safetensors"
    save_file({f"{name}.{k}.weight": v for k, v in weights.items()}, path)
    with pytest.raises(DataError, match=r"no such layer; take the motion adapter .*--motion"):
        check(LAYOUT, variant(GLIGEN, lora=[str(path)]), device="cpu")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cross_attention_dim": 1024}, "width 1024 .Stable Diffusion 2."),
        ({"in_channels": 9}, "9 input channels .inpainting."),
        ({"block_out_channels": (32, 64, 64, 64)}, r"its UNet has \[32, 64, 64, 64\]"),
    ],
)
def test_a_base_of_another_architecture_is_refused_before_loading(
    small_presets, small_weights, tmp_path, monkeypatch, changed, words
):
    monkeypatch.setattr(loading, "assemble", pytest.fail)
    base = shutil.copytree(small_weights / SD15, tmp_path / "base")
    config = json.loads((base / "unet/config.json").read_text())
    (base / "unet/config.json").write_text(json.dumps(config | changed))
    with pytest.raises(DataError, match=words):
        check(LAYOUT, variant(GLIGEN, base=str(base)), device="cpu")


def test_a_file_that_is_no_checkpoint_is_refused_as_a_base(
    small_presets, small_widths, small_weights, tmp_path
):
    (small_weights / SD15 / "model_index.json").write_text("{}")
    path = _lora(tmp_path / "style.safetensors", small_widths)
    with pytest.raises(DataError, match="no model.diffusion_model.*a LoRA is given with --lora"):
        check(LAYOUT, variant(GLIGEN, base=str(path)), device="cpu")
    (small_weights / SD15 / "model_index.json").unlink()


def test_a_folder_that_is_no_base_is_refused_by_what_it_lacks(small_presets, tmp_path):
    with pytest.raises(DataError, match="lacks unet/config.json"):
        variant(GLIGEN, base=str(tmp_path))


def test_a_repository_of_several_lora_asks_for_one(small_presets, small_widths, tmp_path):
    for name in ("one", "two"):
        _lora(tmp_path / f"{name}.safetensors", small_widths)
    with pytest.raises(DataError, match="several weights: one.safetensors, two.safetensors"):
        check(LAYOUT, variant(GLIGEN, lora=[str(tmp_path)]), device="cpu")


def test_a_run_records_its_lora_and_is_verified_and_made_again_with_it(
    small_presets, small_widths, tmp_path
):
    samples = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    audio = Recording.from_samples(samples, 16_000).save(tmp_path / "dog.wav")
    style = _lora(tmp_path / "style.safetensors", small_widths)
    asked = {"label": "dog", "preset": GLIGEN, "device": "cpu", "speed": "fast", "size": "72x64"}
    run = generate_run(audio, tmp_path / "run", lora=[f"{style}:0.5"], **asked)
    record = json.loads((run / "run.json").read_text())
    assert record["parameters"]["lora"] == [f"{style}:0.5"]
    assert (record["parameters"]["speed"], record["parameters"]["steps"]) == ("fast", 6)
    assert (record["frames"]["width"], record["frames"]["height"]) == (72, 64)
    lcm = f"{LCM}/pytorch_lora_weights.safetensors"
    assert len(record["weights"][lcm]) == 64
    assert len(record["weights"][f"{tmp_path.name}/style.safetensors"]) == 64
    assert verify(run).reproduced
    again = rerun(run, tmp_path / "again", seed=0)
    frames = [json.loads((r / "run.json").read_text())["frames"]["sha256"] for r in (run, again)]
    assert frames[0] == frames[1]
    _lora(style, small_widths, rank=3)
    found = {(one.category, one.name) for one in verify(run).differences}
    assert ("weights", f"{tmp_path.name}/style.safetensors") in found
    assert ("result", "frames") in found


def test_lora_written_as_text_are_split_at_commas():
    assert Settings.of({"lora": "a/b:0.5, c/d"}).lora == ("a/b:0.5", "c/d")
    assert Settings.of({"lora": ""}).lora == ()


def test_full_width_lora_of_stable_diffusion_are_known_by_shape(tmp_path, monkeypatch):
    from spa2v_lab.bench.random_weights import FULL

    monkeypatch.setenv("SPA2V_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    path = _lora(tmp_path / "style.safetensors", FULL, rank=1)
    changed = load_file(path)
    assert len(changed) == 3 * 128
    check_fit(variant(GLIGEN, lora=[str(path)]))
    save_file(
        {name.replace("down_blocks_0", "down_blocks_3"): v for name, v in changed.items()}, path
    )
    with pytest.raises(DataError, match="down_blocks.3.* no such layer"):
        check_fit(variant(GLIGEN, lora=[str(path)]))


def test_fetch_checks_what_was_asked_for_beside_the_preset(small_presets, small_widths, tmp_path):
    from typer.testing import CliRunner

    from spa2v_lib.cli import app

    fits = _lora(tmp_path / "style.safetensors", small_widths)
    asked = ["fetch", GLIGEN, "--speed", "fast", "--lora", f"{fits}:0.5"]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0
    assert LCM in found.output and str(tmp_path) in found.output
    wider = _lora(tmp_path / "xl.safetensors", WIDER)
    refused = CliRunner().invoke(app, ["fetch", GLIGEN, "--lora", str(wider)])
    assert isinstance(refused.exception, DataError) and "does not fit" in str(refused.exception)
