"""What the doctor and the provenance say about this installation."""

import re
from importlib import metadata
from pathlib import Path

import pytest

import spa2v_lib
from spa2v_lib.doctor import PACKAGES, environment, examine, git_state

ROOT = Path(__file__).resolve().parent.parent


def test_the_environment_names_versions_and_device():
    found = environment()
    assert found["spa2v"] == spa2v_lib.__version__
    assert re.match(r"\d", found["packages"]["torch"])
    assert found["device"].startswith(("cpu:", "cuda:"))


def test_every_recorded_package_is_one_that_the_project_declares():
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [name for name in PACKAGES if f'"{name}>=' not in declared] == []


def test_the_commit_is_named_in_a_checkout_only():
    state = git_state()
    assert (ROOT / ".git").exists() or state is None
    assert state is None or re.fullmatch(r"[0-9a-f]{40}(\+changes)?", state)


def test_the_doctor_looks_at_data_packages_encoders_device_and_weights():
    groups = {finding.group for finding in examine()}
    assert groups == {"SpA2V", "data", "packages", "encoders", "device", "weights"}


def test_a_missing_package_is_found(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert {f.value for f in examine() if f.group == "packages"} == {"missing"}
    assert not any(f.good for f in examine() if f.group == "packages")


def test_the_doctor_counts_no_published_weights_that_are_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("SPA2V_WEIGHTS", str(tmp_path / "own"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    (migc,) = [f for f in examine() if f.group == "weights" and f.name == "sd15-migc"]
    assert migc.value.startswith(
        "base: to be fetched, about 2.13 GB; motion adapter: to be fetched, about 1.67 GB; "
        "MIGC: to be put there by hand, about 0.22 GB; needs 6.5 GB of GPU memory"
    )


@pytest.mark.parametrize(
    ("free_gb", "words"),
    [
        (12.0, "fits this machine's GPU;"),
        (6.3, "fits this machine's GPU with offload;"),
        (2.0, "not on this machine;"),
    ],
)
def test_the_doctor_says_whether_a_preset_fits(monkeypatch, free_gb, words):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: False)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (free_gb * 1e9, 80e9))
    (migc,) = [f for f in examine() if f.group == "weights" and f.name == "sd15-migc"]
    assert f"needs 6.5 GB of GPU memory, 6.1 with offload: {words}" in migc.value


def test_missing_weights_of_the_embedded_preset_are_not_good(monkeypatch, tmp_path):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    monkeypatch.setattr(
        "spa2v_lib.sampling.weights.resource", lambda *parts: tmp_path.joinpath(*parts)
    )
    (tiny,) = [f for f in examine() if f.group == "weights" and f.name == "tiny"]
    assert not tiny.good and "lacks weights" in tiny.value
