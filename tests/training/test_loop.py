"""Training minimises its loss, and goes on exactly where it stopped."""

import json

import pytest
import torch

from spa2v_lab.training.loop import Plan, card_section, fit, training_logs
from spa2v_lib.errors import DataError


def _setting() -> tuple[torch.nn.Linear, callable]:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)

    def loss(generator: torch.Generator) -> torch.Tensor:
        x = torch.randn(16, 4, generator=generator)
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    return model, loss


def test_the_loss_falls(tmp_path):
    model, loss = _setting()
    log = fit("line", model.parameters(), loss, Plan(300, 16, 0.05, warmup=5), tmp_path, every=50)
    assert log["losses"][-1] < 0.05 * log["losses"][0]


def test_a_resumed_training_ends_with_the_same_weights(tmp_path):
    plan = Plan(40, 16, 0.05, warmup=5)
    whole, loss = _setting()
    fit("line", whole.parameters(), loss, plan, tmp_path, every=10)

    class Interrupted(Exception):
        pass

    broken, loss = _setting()
    calls = 0

    def until_30(generator: torch.Generator) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls > 30:
            raise Interrupted
        return loss(generator)

    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(Interrupted):
        fit("line", broken.parameters(), until_30, plan, again, every=10, between_s=0)
    resumed, loss = _setting()
    fit("line", resumed.parameters(), loss, plan, again, every=10)
    assert torch.equal(whole.weight, resumed.weight)


def test_the_rate_falls_to_zero_with_steps_or_seconds_whichever_run_out_first():
    plan = Plan(steps=1000, batch=1, lr=1.0, warmup=1, seconds=60.0)
    assert plan.rate(0, 0.0) == 1.0
    assert plan.rate(500, 0.0) == pytest.approx(0.5) == plan.rate(0, 30.0)
    assert plan.rate(1000, 1.0) == 0.0 == plan.rate(10, 60.0)
    assert plan.rate(500, 3600.0) == 0.0


def test_a_training_ends_when_its_seconds_are_over(tmp_path):
    model, loss = _setting()
    plan = Plan(10**9, 16, 0.05, warmup=5, seconds=0.05)
    log = fit("line", model.parameters(), loss, plan, tmp_path)
    assert 0 < log["steps"] < plan.steps and len(log["losses"]) >= 1
    again = fit("line", model.parameters(), loss, plan, tmp_path)
    assert again["steps"] == log["steps"], "a finished training is not begun again"


def test_frozen_parameters_stay(tmp_path):
    model, loss = _setting()
    model.bias.requires_grad_(False)
    before = model.bias.clone()
    fit("line", model.parameters(), loss, Plan(10, 16, 0.1), tmp_path)
    assert torch.equal(model.bias, before)


def test_every_part_of_the_suite_has_a_log_with_its_plan_and_losses() -> None:
    logs = training_logs()
    assert {"autoencoder", "base", "motion", "gligen", "detector"} <= set(logs)
    for log in logs.values():
        assert log["plan"]["steps"] > 0 and all(loss > 0 for loss in log["losses"])


def test_all_parts_of_a_training_are_listed_the_first_one_first(tmp_path, monkeypatch) -> None:
    log = {"steps": 3, "before": {"steps": 2, "before": {"steps": 1}}}
    (tmp_path / "migc.json").write_text(json.dumps(log), encoding="utf-8")
    monkeypatch.setattr("spa2v_lab.training.loop.resource", lambda *_parts: tmp_path)
    steps = [(name, part["steps"]) for name, part in training_logs().items()]
    assert steps == [("migc", 1), ("migc, part 2", 2), ("migc, part 3", 3)]


@pytest.mark.parametrize("heading", ["How they were made", "How well it does"])
def test_the_card_has_the_sections_that_the_book_shows(heading: str) -> None:
    section = card_section(heading)
    assert "|---" in section and "\n## " not in section


def test_a_section_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no section 'Poems'; there is: How"):
        card_section("Poems")
