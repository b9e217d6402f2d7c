"""Names of planners."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from spa2v_lib.audio import Recording
from spa2v_lib.errors import PlanningError, SamplingError
from spa2v_lib.planning import check_planner
from spa2v_lib.planning.backends import make_backend
from spa2v_lib.planning.backends.base import PlannerSpec, parse_planner
from spa2v_lib.planning.backends.hosted import HostedModel
from spa2v_lib.planning.backends.local import LocalModel
from spa2v_lib.runs import Settings, generate_run
from spa2v_lib.sampling import get_preset

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("acoustic", ("acoustic", "", "")),
        ("smollm", ("smollm", "", "")),
        ("google:gemini-3.8-flash", ("google", "gemini-3.8-flash", "")),
        ("openai-chat:gpt-audio", ("openai-chat", "gpt-audio", "")),
        (
            "openai-chat:Qwen/Qwen2.5-Omni-7B@http://127.0.0.1:8000/v1",
            ("openai-chat", "Qwen/Qwen2.5-Omni-7B", "http://127.0.0.1:8000/v1"),
        ),
        ("openai-chat:a:b@https://host/v1", ("openai-chat", "a:b", "https://host/v1")),
        ("transformers:Qwen/Qwen2-Audio", ("transformers", "Qwen/Qwen2-Audio", "")),
        ("transformers:/a/fol@der", ("transformers", "/a/fol@der", "")),
    ],
)
def test_a_name_is_taken_apart_and_put_together(text, parts):
    spec = parse_planner(text)
    assert (spec.provider, spec.model, spec.url) == parts
    assert str(spec) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no planner ''; one of: acoustic, google:MODEL"),
        ("magic", "no planner 'magic'; one of: acoustic"),
        ("google", "no planner 'google'"),
        ("google:", "no planner 'google:'"),
        ("acoustic:x", "no planner 'acoustic:x'"),
        ("openai:gpt", "Responses, which take no sound: write openai-chat:"),
        ("openai-chat:@http://x/v1", "needs both"),
        ("openai-chat:x@", "needs both"),
        ("openai-chat:x@host/v1", "'host/v1' is not a server's URL"),
        ("openai-chat:x@ftp://host/v1", "is not a server's URL"),
    ],
)
def test_other_names_are_refused_with_what_would_be_right(text, words):
    with pytest.raises(PlanningError, match=words):
        parse_planner(text)


@pytest.mark.parametrize("url", ["http://me:hunter2@host/v1", "http://host/v1?key=hunter2"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(url):
    with pytest.raises(PlanningError, match="taken from the environment only") as error:
        parse_planner(f"openai-chat:x@{url}")
    assert "hunter2" not in str(error.value)


def test_a_backend_is_made_without_loading_or_sending(monkeypatch):
    hosted = make_backend(parse_planner("google:gemini-3.8-flash"), seed=3)
    assert isinstance(hosted, HostedModel)
    assert hosted.parameters == {"temperature": 0.5, "seed": 3}
    local = make_backend(parse_planner("transformers:/nowhere"))
    assert isinstance(local, LocalModel) and local.temperature == 0.0
    with pytest.raises(PlanningError, match="asks no model"):
        make_backend(PlannerSpec("acoustic"))


@pytest.mark.parametrize(
    ("text", "takes_audio"),
    [
        ("google:gemini-3.8-flash", True),
        ("openai-chat:gpt-audio", True),
        ("openai-chat:gpt-6", False),
        ("openai-chat:Qwen/Qwen2.5-Omni-7B@http://127.0.0.1:8000/v1", True),
        ("openai-chat:llama@http://127.0.0.1:8000/v1", False),
    ],
)
def test_sound_goes_to_models_that_take_it(text, takes_audio):
    assert make_backend(parse_planner(text)).takes_audio is takes_audio


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"planner": "gemini"}, "no planner 'gemini'"),
        ({"planner": "acoustic", "placement": "both"}, "no placement 'both'"),
        ({"planner": "acoustic", "exemplars": "best"}, "no choice of exemplars 'best'"),
        ({"planner": "acoustic", "shots": -1}, "0 or more"),
    ],
)
def test_what_cannot_be_planned_with_is_refused_early(asked, said):
    with pytest.raises(PlanningError, match=said):
        check_planner(**asked)


def test_a_missing_key_is_named_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(PlanningError, match="needs a key in the environment variable OPENAI"):
        check_planner("openai-chat:gpt-audio")
    monkeypatch.setenv("OPENAI_API_KEY", "made up")
    check_planner("openai-chat:gpt-audio")
    check_planner("openai-chat:any@http://127.0.0.1:9/v1")
    check_planner("acoustic")


def test_a_run_refuses_the_same_before_it_reads_the_recording(tmp_path):
    for wrong in ({"placement": "both"}, {"exemplars": "best"}, {"planner": "gemini"}):
        with pytest.raises(PlanningError):
            generate_run(tmp_path / "missing.wav", tmp_path / "out", **wrong)


def test_a_class_that_cannot_be_drawn_is_refused_before_a_model_is_asked(tmp_path, monkeypatch):
    def ask(*_):
        pytest.fail("the model was asked")

    monkeypatch.setattr(HostedModel, "ask", ask)
    few = dataclasses.replace(get_preset("tiny"), labels=("dog",))
    monkeypatch.setattr(Settings, "sampled_with", lambda _: few)
    noise = np.random.default_rng(0).normal(0.0, 0.1, 32_000)
    sound = Recording.from_samples(np.stack([0.5 * noise, noise]), 16_000).save(tmp_path / "a.wav")
    asked = {"planner": "openai-chat:some@http://127.0.0.1:9/v1", "label": "bus", "capture": "xy"}
    with pytest.raises(SamplingError, match="cannot draw bus"):
        generate_run(sound, tmp_path / "run", **asked)


def test_models_that_are_named_to_readers_exist_today():
    """Of those that the client knows, or knows the price of: names of models are shut down."""
    models = pytest.importorskip("pydantic_ai.models")
    prices = pytest.importorskip("genai_prices")
    known = set(get_args(getattr(models.KnownModelName, "__value__", models.KnownModelName)))
    texts = [
        path.read_text(encoding="utf-8")
        for pattern in ("*.md", "book/*.md", "notebooks/*.py", "spa2v_lib/**/*.py")
        for path in ROOT.glob(pattern)
    ]
    named = set(
        re.findall(r"\b((?:google|openai-chat):[a-z]+-[\w.-]*\w)(?![\w@])", "\n".join(texts))
    )
    assert named
    for name in named - known:  # audio models are not among those that the client lists
        usage = prices.Usage(input_tokens=1000, output_tokens=100)
        provider, model = name.split(":")
        found = prices.calc_price(usage, model, provider_id=provider.removesuffix("-chat"))
        assert "audio" in model and found.total_price > 0, name
