"""Image prompts: diffusers' IP-Adapter beside a motion adapter and our grounding, end to end."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from spa2v_lab.viz.attention_maps import Recorder
from spa2v_lib.audio.recording import Recording
from spa2v_lib.errors import DataError, SamplingError
from spa2v_lib.runs import generate_run, rerun, verify
from spa2v_lib.sampling import check, generate, image_prompt, loading, presets, variant
from spa2v_lib.sampling.grounding import chosen_grounding
from spa2v_lib.sampling.grounding.cross_attention import layers
from spa2v_lib.sampling.pipeline import grounding_inputs, sample
from spa2v_lib.sampling.selfcheck import known_layout
from spa2v_lib.sampling.tensors import as_pixels
from spa2v_lib.sampling.texts import encode_texts

LAYOUT = known_layout(1.6).model_copy(update={"duration_s": 0.25})
GLIGEN, MIGC = "sd15-gligen", "sd15-migc"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two pictures that differ, of other sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, size, seed in (("one.png", (90, 60), 1), ("two.jpg", (40, 80), 2)):
        pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def _frames(preset, grounding="default", **how):
    return generate(LAYOUT, preset, grounding=grounding, device="cpu", **how).frames


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_without_grounding_the_frames_are_those_of_the_pipeline_itself(
    small_presets, pictures, scale
):
    chosen = variant(GLIGEN, image=f"{pictures / 'one.png'}:0.7")
    pipeline = loading.load(chosen, "cpu")
    how = {"seed": 4, "steps": 3, "guidance_scale": scale, "captions": "global"}
    ours = sample(pipeline, chosen, LAYOUT, None, **how)
    pipeline.set_ip_adapter_scale(0.7)
    with torch.no_grad():
        theirs = pipeline(
            prompt=LAYOUT.caption,
            negative_prompt="",
            num_frames=LAYOUT.frame_count,
            width=chosen.size[0],
            height=chosen.size[1],
            num_inference_steps=3,
            guidance_scale=scale,
            generator=torch.Generator("cpu").manual_seed(4),
            ip_adapter_image=Image.open(pictures / "one.png").resize((224, 224)),
            output_type="np",
        ).frames[0]
    assert np.array_equal(ours, as_pixels(theirs))


@pytest.mark.parametrize(
    ("preset", "grounding", "speed"),
    [
        (GLIGEN, "gligen", "full"),
        (GLIGEN, "attention:noise=on", "full"),
        (GLIGEN, "lvd", "full"),
        (MIGC, "migc:strength=0.8", "full"),
        (MIGC, "migc", "fast"),
    ],
)
def test_every_grounding_acts_beside_an_image_prompt(
    small_presets, pictures, preset, grounding, speed
):
    one, two = (
        variant(preset, speed=speed, image=f"{pictures / name}:0.9")
        for name in ("one.png", "two.jpg")
    )
    recorder = Recorder(frames=0)
    asked = [(one, grounding), (two, grounding), (one, "none"), (one, grounding)]
    videos = [_frames(*each, steps=4, recorder=recorder) for each in asked]
    assert len({video.tobytes() for video in videos}) == 3
    assert np.array_equal(videos[0], videos[3])  # a method leaves the layers as it found them
    assert recorder.steps[0].maps.any()


@pytest.mark.parametrize(
    ("preset", "grounding"),
    [(GLIGEN, "gligen"), (GLIGEN, "attention"), (GLIGEN, "lvd"), (MIGC, "migc")],
)
def test_an_image_prompt_without_weight_changes_no_grounding(
    small_presets, pictures, preset, grounding
):
    nothing = variant(preset, image=f"{pictures / 'one.png'}:0")
    videos = [_frames(chosen, steps=3, grounding=grounding) for chosen in (preset, nothing)]
    assert np.abs(videos[0].astype(int) - videos[1]).max() <= 1


@pytest.mark.parametrize(
    ("preset", "grounding"), [(GLIGEN, "attention:strength=0.5,stop=1"), (MIGC, "migc:stop=1")]
)
def test_grounding_adds_the_same_with_a_picture_as_without(
    small_presets, pictures, preset, grounding
):
    """Within one layer, what a method changes does not depend on the picture."""
    chosen = variant(preset, image=f"{pictures / 'one.png'}:0.9")
    pipeline = loading.load(chosen, "cpu", layers=["migc"] if preset == MIGC else [])
    texts = encode_texts(pipeline, LAYOUT, "mixed")
    how = {"steps": 2, "guided": True, "seed": 0}
    inputs = grounding_inputs(chosen, LAYOUT, texts, **how)
    with torch.no_grad():
        pipeline.set_ip_adapter_scale(0.9)
        image = image_prompt.embedded(pipeline, chosen, guided=True)
        tokens = [
            part.repeat_interleave(LAYOUT.frame_count, 0)
            for part in pipeline.unet.encoder_hid_proj(image)
        ]
        text = torch.cat([texts.unconditional, texts.conditional])
        method = chosen_grounding(grounding, chosen)
        name = "up_blocks.1.attentions.0.transformer_blocks.0.attn2"
        layer = layers(pipeline.unet)[name]
        cells = torch.randn(len(text), 5 * 8, layer.to_q.in_features)
        plain = [layer(cells, states) for states in ((text, []), (text, tokens))]
        with method.applied(pipeline, inputs):
            sizes = layer.processor.sizes
            sizes[layer] = (5, 8)
            grounded = [layer(cells, states) for states in ((text, []), (text, tokens))]
    effects = [after - before for after, before in zip(grounded, plain, strict=True)]
    assert effects[0].abs().max() > 1e-3 and (plain[1] - plain[0]).abs().max() > 1e-3
    assert (effects[0] - effects[1]).abs().max() <= 1e-5


def test_windows_steps_without_guidance_and_another_weight_work_with_a_picture(
    small_presets, pictures, monkeypatch
):
    layout = known_layout(1.6).model_copy(update={"duration_s": 2.5})
    one = variant(MIGC, image=f"{pictures / 'one.png'}:0.9")
    how = {"steps": 3, "device": "cpu", "guidance_start": 0.4, "guidance_stop": 0.7}
    long = generate(layout, one, **how)
    assert len(long.frames) == 20
    built = []
    plain = loading.assemble
    monkeypatch.setattr(loading, "assemble", lambda *a: built.append(a) or plain(*a))
    weaker = generate(layout, variant(MIGC, image=f"{pictures / 'one.png'}:0.2"), **how)
    other = generate(layout, variant(MIGC, image=f"{pictures / 'two.jpg'}:0.9"), **how)
    assert not built  # the picture and its weight need no other pipeline
    assert len({video.sha256() for video in (long, weaker, other)}) == 3


def test_the_adapters_layers_are_counted_as_the_published_file_counts_them():
    from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

    from spa2v_lab.bench.random_weights import FULL

    with torch.device("meta"):
        base = UNet2DConditionModel(**FULL.unet)
        adapter = MotionAdapter(block_out_channels=FULL.channels, use_motion_mid_block=False)
        motion = UNetMotionModel.from_unet2d(base, adapter)
    orders = [
        [name for name in unet.attn_processors if name.removesuffix(".processor") in layers(unet)]
        for unet in (base, motion)
    ]
    assert len(orders[0]) == 16 and orders[0] == orders[1]


@pytest.mark.parametrize(
    ("preset", "image", "words"),
    [
        ("tiny", "one.png", "'tiny' takes no image prompt; those that do: sd15-migc"),
        ("wan-vace", "one.png", "'wan-vace' takes no image prompt"),
        (GLIGEN, "none.png", "none.png does not exist"),
        (GLIGEN, ".", "the image .* is no file; give the path of a picture"),
        (GLIGEN, "one.png:1.5", "weight of image .*one.png is 1.5; it must lie between 0 and 1"),
        (GLIGEN, "text.png", "text.png is no picture that can be read; one of: JPEG, PNG"),
        (GLIGEN, "page.eps", "page.eps is no picture that can be read"),
        (GLIGEN, "huge.png", "huge.png has 10000x6000 pixels; at most 50 million"),
    ],
)
def test_a_picture_that_cannot_be_used_is_refused(pictures, preset, image, words):
    (pictures / "text.png").write_text("no picture")
    Image.new("L", (8, 8)).save(pictures / "page.eps")
    Image.new("1", (10_000, 6_000)).save(pictures / "huge.png")
    with pytest.raises((DataError, SamplingError), match=words):
        variant(preset, image=str(pictures / image))


def test_a_picture_of_too_many_bytes_is_refused(pictures, monkeypatch):
    monkeypatch.setattr(image_prompt, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="one.png has 0 MB; at most 0 are read"):
        variant(GLIGEN, image=str(pictures / "one.png"))


def test_a_picture_that_is_cut_short_is_refused_before_loading(
    small_presets, pictures, monkeypatch, tmp_path
):
    whole = (pictures / "one.png").read_bytes()
    path = tmp_path / "short.png"
    path.write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(loading, "assemble", pytest.fail)
    with pytest.raises(DataError, match="short.png is damaged"):
        check(LAYOUT, variant(GLIGEN, image=str(path)), device="cpu")


def test_pictures_of_every_mode_are_read_upright(tmp_path):
    for mode in ("1", "L", "P", "RGBA", "CMYK", "I;16"):
        path = tmp_path / f"{mode.replace(';', '')}.tif"
        Image.new(mode, (6, 4)).save(path)
        assert image_prompt.read_picture(str(path)).mode == "RGB"
    turned = Image.new("RGB", (6, 4)).getexif()
    turned[0x0112] = 6  # a camera that was held upright
    Image.new("RGB", (6, 4)).save(tmp_path / "turned.jpg", exif=turned)
    assert image_prompt.read_picture(str(tmp_path / "turned.jpg")).size == (4, 6)


def test_an_adapter_of_another_unet_or_encoder_is_refused_before_loading(
    small_presets, small_weights, pictures, monkeypatch, tmp_path
):
    root = shutil.copytree(small_weights, tmp_path / "own")
    monkeypatch.setenv("SPA2V_WEIGHTS", str(root))
    folder = root / presets.PRESETS[GLIGEN].adapter.repository / "models"
    chosen = variant(GLIGEN, image=str(pictures / "one.png"))
    file = folder / "ip-adapter_sd15.safetensors"
    weights = load_file(file)
    lacking = "ip-adapter_sd15.safetensors does not fit: 1 of its weights .* ip_adapter.31.to_v_ip"
    save_file({k: v for k, v in weights.items() if k != "ip_adapter.31.to_v_ip.weight"}, file)
    with pytest.raises(DataError, match=lacking):
        check(LAYOUT, chosen, device="cpu")
    damaged = {k: torch.full_like(v, torch.nan) if "31" in k else v for k, v in weights.items()}
    save_file(damaged, file)
    with pytest.raises(DataError, match="ip-adapter_sd15.safetensors is damaged: NaN"):
        generate(LAYOUT, chosen, steps=1, device="cpu")
    save_file(weights, file)
    config = json.loads((folder / "image_encoder/config.json").read_text())
    (folder / "image_encoder/config.json").write_text(json.dumps(config | {"projection_dim": 64}))
    with pytest.raises(DataError, match="image_proj.proj.weight.* with its own image encoder"):
        check(LAYOUT, chosen, device="cpu")
    (folder / "image_encoder/model.safetensors").unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="needs IP-Adapter: .*h94/IP-Adapter"):
        check(LAYOUT, chosen, device="cpu")


def test_a_run_records_its_picture_and_is_verified_and_made_again_with_it(
    small_presets, pictures, tmp_path, monkeypatch
):
    samples = 0.1 * np.random.default_rng(0).standard_normal((2, 8000))
    audio = Recording.from_samples(samples, 16_000).save(tmp_path / "dog.wav")
    image = tmp_path / "photo.png"
    image.write_bytes((pictures / "one.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    asked = {"label": "dog", "preset": GLIGEN, "device": "cpu", "steps": 2}
    run = generate_run(audio, tmp_path / "run", image="photo.png:0.6", **asked)
    record = json.loads((run / "run.json").read_text())
    assert record["parameters"]["image"] == "photo.png:0.6"
    assert len(record["weights"]["image photo.png"]) == 64
    adapter = f"{presets.PRESETS[GLIGEN].adapter.repository}/models/ip-adapter_sd15.safetensors"
    assert len(record["weights"][adapter]) == 64
    said = "photo.png conditions every frame; where it has its objects was not compared"
    assert any(said in note and "not on this machine" in note for note in record["notes"])
    assert said in (run / "report.html").read_text()
    assert verify(run).reproduced
    again = rerun(run, tmp_path / "again", image="photo.png:0.1")
    frames = [json.loads((r / "run.json").read_text())["frames"]["sha256"] for r in (run, again)]
    assert frames[0] != frames[1]
    image.write_bytes((pictures / "two.jpg").read_bytes())
    found = {(one.category, one.name) for one in verify(run).differences}
    assert ("weights", "image photo.png") in found and ("result", "frames") in found


def test_memory_counts_the_image_encoder_unless_it_waits(pictures):
    plain = presets.get_preset(MIGC)
    chosen = variant(MIGC, image=str(pictures / "one.png"))
    assert chosen.gpu_gb == pytest.approx(plain.gpu_gb + 1.31)
    assert chosen.offload_gb == pytest.approx(plain.offload_gb)
    assert chosen.memory.main_gb == pytest.approx(plain.memory.main_gb + 1.31)
