"""Where published weights are, and what is refused because they cannot come."""

import re
from types import SimpleNamespace

import pytest

from spa2v_lab.metrics.clip_score import CLIP
from spa2v_lab.metrics.frechet import VIDEOMAE
from spa2v_lib.errors import DataError
from spa2v_lib.runs import Settings, check_settings, generate_run
from spa2v_lib.sampling import check, loading, presets, weights
from spa2v_lib.sampling.detection import OWLVIT
from spa2v_lib.sampling.selfcheck import known_layout
from spa2v_lib.sampling.sources import FOLDER_VARIABLE
from spa2v_lib.sampling.weights import check_weights, whereabouts

WAN = presets.PRESETS["wan-vace"].sources["Wan VACE"]


def test_weights_that_only_a_person_can_get_are_asked_for_before_anything_is_loaded(
    monkeypatch, tmp_path
):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=r"sd15-migc.*MIGC_SD14\.ckpt.*limuloo/MIGC"):
        check(known_layout(1.6), "sd15-migc", device="cpu")


@pytest.fixture
def hub_cache(monkeypatch, tmp_path):
    """Give an empty cache of the hub, and no weights of the user's; return the cache."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "own"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    loading.unload()
    return tmp_path / "cache"


def _keep(cache, source, *files):
    """Put empty files where the hub's client would keep them."""
    commit = source.revision
    folder = cache / f"models--{source.repository.replace('/', '--')}"
    for name in files:
        path = folder / "snapshots" / commit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_every_published_file_is_pinned_to_a_commit():
    sources = [s for preset in presets.PRESETS.values() for s in preset.sources.values()]
    revisions = [source.revision for source in sources if source.revision]
    revisions += [revision for _, revision in (CLIP, VIDEOMAE, OWLVIT)]
    assert len(revisions) > 5
    assert all(re.fullmatch(r"[0-9a-f]{40}", revision) for revision in revisions)


def test_a_hub_that_does_not_answer_is_named(hub_cache, monkeypatch):
    monkeypatch.setattr(loading, "check_weights", lambda preset: None)
    with pytest.raises(DataError, match="stable-diffusion-v1-5.* neither in .* nor to be had"):
        loading.load("sd15-gligen", "cpu")


def test_fetch_announces_repository_files_and_size_before_it_downloads(hub_cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    events = []
    sizes = {"model_index.json": 500, "vae/config.json": 500, "vae/a.safetensors": 2_000_000_000}
    sizes["tokenizer/spiece.model"] = 500
    files = [SimpleNamespace(rfilename=name, size=size) for name, size in sizes.items()]
    files.append(SimpleNamespace(rfilename="README.md", size=9e9))
    monkeypatch.setattr(
        "huggingface_hub.HfApi.model_info", lambda *_, **__: SimpleNamespace(siblings=files)
    )
    monkeypatch.setattr(weights, "locate", lambda source: events.append(source) or hub_cache)
    usage = SimpleNamespace(free=3e9)
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage)
    weights.fetch("wan-vace", events.append)
    assert "4 files of Wan-AI/Wan2.1-VACE-1.3B-diffusers, 2.00 GB" in events[0]
    assert "3.0 GB are free" in events[1] and events[2] is WAN
    usage.free = 1e9
    with pytest.raises(DataError, match=r"2\.0 GB are to be fetched and 1\.0 GB are free"):
        weights.fetch("wan-vace", events.append)


def test_a_run_whose_weights_cannot_come_is_refused_before_anything_is_read(hub_cache, monkeypatch):
    monkeypatch.setattr("spa2v_lib.audio.read_audio", pytest.fail)
    asked = {"audio": "any.wav", "out": hub_cache / "out", "device": "cpu"}
    with pytest.raises(DataError, match="base.* neither in .* HF_HUB_OFFLINE forbids"):
        generate_run(preset="sd15-gligen", **asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    check_settings(Settings(preset="sd15-gligen", device="cpu"))  # they may be fetched
    with pytest.raises(DataError, match=r"MIGC_SD14\.ckpt"):
        generate_run(preset="sd15-migc", **asked)


def test_where_weights_are_is_known_without_the_hub(hub_cache, monkeypatch, tmp_path):
    preset = presets.PRESETS["sd15-migc"]
    _keep(hub_cache, WAN, "model_index.json", "vae/config.json")
    assert whereabouts(presets.PRESETS["wan-vace"]) == {
        "Wan VACE": "to be fetched, about 19.00 GB"  # broken off
    }
    _keep(hub_cache, WAN, "vae/a.safetensors", "tokenizer/spiece.model")
    assert whereabouts(presets.PRESETS["wan-vace"]) == {"Wan VACE": "in the hub's cache, 0.00 GB"}
    check_weights(presets.PRESETS["wan-vace"])
    assert whereabouts(preset) == {
        "base": "to be fetched, about 2.13 GB",
        "motion adapter": "to be fetched, about 1.67 GB",
        "MIGC": "to be put there by hand, about 0.22 GB",
    }
    migc = preset.sources["MIGC"]
    own = tmp_path / "own" / migc.repository
    own.mkdir(parents=True)
    (own / migc.files[0]).touch()
    assert whereabouts(preset)["MIGC"] == "on disk, 0.00 GB"
