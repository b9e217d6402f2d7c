"""Presets of published weights, on the real classes: small and random where they compute, full
width on the meta device where names and shapes are compared.
"""

import hashlib
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    MotionAdapter,
    UNet2DConditionModel,
    UNetMotionModel,
    UniPCMultistepScheduler,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from transformers import (
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from spa2v_lab.bench.random_weights import FULL
from spa2v_lib.audio.recording import Recording
from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.runs import generate_run
from spa2v_lib.sampling import check, generate, loading, presets
from spa2v_lib.sampling.control_video import draw_control, frame_times
from spa2v_lib.sampling.grounding import gligen_layers
from spa2v_lib.sampling.sources import FOLDER_VARIABLE
from spa2v_lib.sampling.weights import weight_hashes

SD15, ANIMATEDIFF, GLIGEN = (
    presets.PRESETS["sd15-gligen"].sources[part].repository
    for part in ("base", "motion adapter", "GLIGEN")
)
MIGC = presets.PRESETS["sd15-migc"].sources["MIGC"].repository
WAN = presets.PRESETS["wan-vace"].sources["Wan VACE"].repository
BOX = Box(x0=0.1, y0=0.3, x1=0.5, y1=0.8)


def _layout(seconds: float = 0.5) -> VideoSceneLayout:
    thing = SceneObject(id="one", label="dog", caption="a dog", boxes=[BOX])
    return VideoSceneLayout(
        caption="a dog runs on a meadow",
        frame_captions=["a dog on the left, a meadow"],
        key_times_s=[0.0],
        objects=[thing],
        duration_s=seconds,
    )


@pytest.mark.parametrize("preset", ["sd15-gligen", "sd15-migc"])
def test_layers_on_stable_diffusion_sample_end_to_end_and_follow_the_boxes(small_presets, preset):
    videos = [
        generate(_layout(), preset, steps=4, grounding=kind, device="cpu").frames
        for kind in ("default", "none")
    ]
    assert videos[0].shape == (4, 40, 64, 3)
    assert not np.array_equal(*videos)


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto finds a device there")
@pytest.mark.parametrize("given", [False, True])
def test_a_run_draws_on_the_device_that_was_asked_for(small_presets, tmp_path, given):
    samples = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    audio = Recording.from_samples(samples, 16_000).save(tmp_path / "dog.wav")
    layout = _layout().save(tmp_path / "layout.json") if given else None
    asked = {"label": "dog", "preset": "sd15-gligen", "device": "cpu", "steps": 2}
    run = generate_run(audio, tmp_path / "run", layout=layout, **asked)
    assert (run / "video.mp4").stat().st_size > 1000
    with pytest.raises(SamplingError, match="made for a GPU"):
        generate_run(audio, tmp_path / "auto", layout=layout, **{**asked, "device": "auto"})


def test_published_gligen_layers_are_found_by_name_at_full_width():
    with torch.device("meta"):
        gated = UNet2DConditionModel(**FULL.unet, attention_type="gated")
        adapter = MotionAdapter(
            block_out_channels=FULL.channels, motion_layers_per_block=2, use_motion_mid_block=False
        )
        ours = UNetMotionModel.from_unet2d(UNet2DConditionModel(**FULL.unet), adapter)
        gligen_layers.attach(ours)
    mine, theirs = (
        {
            name: value.shape
            for name, value in unet.state_dict().items()
            if ".fuser." in name or name.startswith("position_net.")
        }
        for unet in (ours, gated)
    )
    assert len(mine) > 200
    assert mine == theirs


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_a_preset_for_a_gpu_is_refused_without_one():
    with pytest.raises(SamplingError, match="sd15-gligen.* made for a GPU .* there is none"):
        loading.load("sd15-gligen")
    with pytest.raises(SamplingError, match="no GPU that torch can use"):
        loading.load("tiny", "cuda")


@pytest.mark.parametrize(
    ("free_gb", "where"), [(12.0, "cuda"), (6.3, "offload"), (2.0, None)]
)  # fmt: skip
def test_free_memory_decides_between_gpu_offload_and_refusal(monkeypatch, free_gb, where):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (free_gb * 1e9, 80e9))
    preset = presets.get_preset("sd15-gligen")
    if where:
        assert loading.check_device(preset) == where
    else:
        with pytest.raises(SamplingError, match=r"needs 6\.1 GB .* 16 frames .*; 2\.0 GB are"):
            loading.check_device(preset)


@pytest.mark.parametrize(
    ("frames", "gradients", "needed_gb"), [(16, False, 6.5), (32, False, 7.9), (16, True, 15.7)]
)
def test_memory_follows_the_number_of_frames_and_the_method(
    monkeypatch, frames, gradients, needed_gb
):
    preset = presets.get_preset("sd15-migc")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for free_gb, fits in ((needed_gb + 0.1, True), (needed_gb - 0.1, False)):
        monkeypatch.setattr("torch.cuda.mem_get_info", lambda gb=free_gb: (gb * 1e9, 80e9))
        where = loading.check_device(preset, frames=frames, gradients=gradients)
        assert (where == "cuda") is fits


def test_a_second_video_counts_what_the_first_one_left_loaded(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (5.4e9, 16e9))
    monkeypatch.setattr(loading, "_gpu_bytes", lambda pipeline: 3.5e9)
    preset = presets.get_preset("sd15-gligen")
    with pytest.raises(SamplingError, match=r"5\.4 GB are free"):
        loading.check_device(preset)
    monkeypatch.setitem(loading._LOADED, ("sd15-gligen", "cuda"), None)
    assert loading.check_device(preset) == "cuda"


def test_running_out_of_memory_is_one_sentence():
    preset = presets.get_preset("sd15-gligen")
    with (
        pytest.raises(SamplingError, match="sampling 40 frames of 512x320 .* video shorter"),
        loading.clear_memory_errors(preset, 40),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="another"), loading.clear_memory_errors(preset, 40):
        raise RuntimeError("another")


def test_only_the_layers_that_are_used_are_loaded(small_presets):
    unet = loading.load("sd15-gligen", "cpu").unet
    assert not hasattr(unet, "position_net")
    generate(_layout(), "sd15-gligen", steps=1, device="cpu", grounding="attention")
    assert not hasattr(unet, "position_net")
    generate(_layout(), "sd15-gligen", steps=1, device="cpu")
    assert hasattr(unet, "position_net")


def test_what_is_recorded_is_the_hash_of_the_files_that_were_read(small_presets, small_weights):
    hashes = weight_hashes(presets.get_preset("sd15-gligen"))
    layers = GLIGEN + "/unet/diffusion_pytorch_model.fp16.bin"
    digest = hashlib.sha256((small_weights / layers).read_bytes()).hexdigest()
    assert hashes[layers] == digest
    assert all(len(value) == 64 for value in hashes.values())


def test_a_missing_package_is_named_before_anything_is_fetched(monkeypatch):
    monkeypatch.setattr("spa2v_lib.sampling.weights.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs the package ftfy.*spa2v\[wan\] @ git"):
        check(_layout(), "wan-vace", device="cpu")


def _small_wan(folder) -> None:
    torch.manual_seed(0)
    words = [(word, 0.0) for word in ("<pad>", "</s>", "<unk>")] + [("\u2581dog", -1.0)]
    tokenizer = T5Tokenizer(vocab=words, extra_ids=0)
    text = UMT5EncoderModel(
        UMT5Config(
            vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4
        )
    )
    transformer = WanVACETransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16,
        out_channels=16, text_dim=32, freq_dim=32, ffn_dim=32, num_layers=3,
        cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32,
        vace_layers=[0, 2], vace_in_channels=96,
    )  # fmt: skip
    vae = AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )  # fmt: skip
    WanVACEPipeline(
        tokenizer=tokenizer,
        text_encoder=text,
        vae=vae,
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        transformer=transformer,
    ).save_pretrained(folder, safe_serialization=True)


def test_wan_vace_samples_a_drawn_layout_end_to_end(small_presets, small_weights):
    _small_wan(small_weights / WAN)
    steps = []
    kept = {"steps": 2, "device": "cpu"}
    boxed = generate(
        _layout(), "wan-vace", progress=lambda done, of: steps.append((done, of)), **kept
    )
    assert boxed.frames.shape == (4, 48, 64, 3)
    assert steps == [(1, 2), (2, 2)]
    schedule = loading.load("wan-vace", "cpu").scheduler
    schedule.set_timesteps(presets.PRESETS["wan-vace"].steps)
    even = np.linspace(0.999, 0, 51)  # diffusers begins at 1
    shifted = 16 * even / (1 + 15 * even)  # as VACE's authors spread their 50 steps
    assert np.allclose(schedule.sigmas, shifted, atol=0.01)
    others = ("none", "boxes:light_on_dark=on", "boxes:conditioning_scale=0.5")
    hashes = [generate(_layout(), "wan-vace", grounding=g, **kept).sha256() for g in others]
    assert len({boxed.sha256(), *hashes}) == 4
    with pytest.raises(SamplingError, match="conditioning_scale is 7"):
        check(_layout(), "wan-vace", grounding="boxes:conditioning_scale=7", device="cpu")


def test_a_layout_that_is_too_long_for_wan_is_refused():
    with pytest.raises(SamplingError, match=r"up to 5 s and the layout lasts 9 s"):
        check(_layout(9.0), "wan-vace")


@pytest.mark.parametrize(("seconds", "count"), [(0.1, 5), (0.5, 9), (2.0, 33), (5.0, 81)])
def test_control_videos_have_one_frame_more_than_a_multiple_of_four(seconds, count):
    times = frame_times(_layout(seconds), 81)
    assert len(times) == count and times[1] == pytest.approx(1 / 16)


def test_boxes_are_drawn_as_thin_outlines_where_they_are():
    (picture,) = draw_control(_layout(), np.zeros(1), (101, 51))
    pixels = np.asarray(picture)[..., 0]
    rows, columns = np.nonzero(pixels == 0)
    assert (columns.min(), columns.max()) == (10, 50) and (rows.min(), rows.max()) == (15, 40)
    assert pixels[25, 30] == 255 and pixels[25, 10] == 0
    (inverse,) = draw_control(_layout(), np.zeros(1), (101, 51), light_on_dark=True)
    assert np.array_equal(255 - np.asarray(inverse)[..., 0], pixels)


def test_outlines_have_their_labels_colour_where_the_table_is(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    table = tmp_path / "ali-vilab/VACE-Annotators/layout/ram_tag_color_list.txt"
    table.parent.mkdir(parents=True)
    table.write_text("0#;#cat#;#(1, 2, 3)\n1#;#Dog#;#(200, 30, 90)\n\nno line\n")
    (picture,) = draw_control(_layout(), np.zeros(1), (101, 51))
    assert picture.getpixel((10, 25)) == (200, 30, 90) and picture.getpixel((30, 25)) == (255,) * 3
    (inverse,) = draw_control(_layout(), np.zeros(1), (101, 51), light_on_dark=True)
    assert inverse.getpixel((10, 25)) == (255, 255, 255)


def test_wan_is_refused_where_it_cannot_run_before_anything_is_fetched(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (15.8e9, 16e9))
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: False)
    preset = presets.get_preset("wan-vace")
    with pytest.raises(SamplingError, match="bfloat16.*a T4 does not"):
        loading.check_device(preset)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
    memory = SimpleNamespace(available=12.7e9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    with pytest.raises(SamplingError, match=r"17\.0 GB through main memory, of which 12\.7 GB"):
        loading.check_device(preset)
    memory.available = 32e9
    assert loading.check_device(preset, frames=33) == "offload"
    with pytest.raises(SamplingError, match="one text for the whole video"):
        check(_layout(), "wan-vace", captions="frame", device="cpu")


def test_damaged_files_in_the_users_folder_are_named(
    small_presets, small_weights, monkeypatch, tmp_path
):
    root = shutil.copytree(small_weights, tmp_path / "own")
    monkeypatch.setenv(FOLDER_VARIABLE, str(root))
    parts = [f"{SD15}/unet", ANIMATEDIFF]
    for part in (*parts, f"{GLIGEN}/unet", MIGC):
        kept = {path: path.read_bytes() for path in (root / part).iterdir() if path.is_file()}
        for path, content in kept.items():
            path.write_bytes(content[: len(content) // 2] if path.suffix != ".json" else content)
        with pytest.raises(DataError, match=r"does not hold \S*\s?(weights|MIGC|GLIGEN)"):
            for preset, layers in (("sd15-gligen", ["gligen"]), ("sd15-migc", ["migc"])):
                loading.load(preset, "cpu", layers=layers)
        for path, content in kept.items():
            path.write_bytes(content)
        loading.unload()
