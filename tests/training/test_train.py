"""The training command leaves, stage by stage, the files that sampling reads."""

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file

from spa2v_lab.training import train
from spa2v_lab.training.loop import Plan
from spa2v_lib.resources import resource

STAGES = ("autoencoder", "base", "motion", "gligen", "migc")


@pytest.fixture
def small_sets(monkeypatch):
    monkeypatch.setattr(train, "_FRAMES", 32)
    monkeypatch.setattr(train, "_AUTOENCODER_FRAMES", 32)
    monkeypatch.setattr(train, "_CLIPS", 3)


def _files(folder) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.parts[len(folder.parts)] not in ("detector", "README.md")
    }


def test_the_stages_write_exactly_the_files_of_the_shipped_suite(small_sets, monkeypatch, tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    for stage in STAGES:
        options = [stage, "--work", str(work), "--out", str(out), "--threads", "1"]
        options += ["--steps", "1", "--batch", "3"]
        monkeypatch.setattr(sys, "argv", ["train", *options])
        train.main()
    shipped = resource("models", "tiny")
    assert _files(out) == _files(shipped) - {"training/detector.json"}
    log = json.loads((out / "training" / "gligen.json").read_text())
    assert log["plan"]["steps"] == 1 and log["device"] == "1 processor threads"
    for name in ("unet/config.json", "vae/config.json", "motion_adapter/config.json"):
        ours, theirs = (json.loads((f / name).read_text()) for f in (out, shipped))
        for config in (ours, theirs):
            for changing in ("_diffusers_version", "_name_or_path", "scaling_factor"):
                config.pop(changing, None)
        assert ours == theirs


def test_layers_are_trained_further_and_both_logs_are_kept(small_sets, tmp_path):
    shipped, out = resource("models", "tiny"), tmp_path / "out"
    for part in ("unet", "text_encoder", "tokenizer", "vae"):
        shutil.copytree(shipped / part, out / part)
    job = train.Job(tmp_path, out, start=shipped, count=32)
    for stage in ("gligen", "migc"):
        train.run(stage, job, Plan(1, 3, 0.0))
        name = f"grounding/{stage}.safetensors"
        ours, theirs = load_file(out / name), load_file(shipped / name)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs), "a rate of 0"
        log = json.loads((out / "training" / f"{stage}.json").read_text())
        first = json.loads((shipped / "training" / f"{stage}.json").read_text())
        assert log["steps"] == 1 and log["before"] == first
