"""The model card and the logs are found and say what they must."""

import json

import pytest

from spa2v_lab.training.loop import card_section, training_logs
from spa2v_lib.errors import DataError


def test_every_part_of_the_suite_has_a_log_with_its_plan_and_losses() -> None:
    logs = training_logs()
    assert {"autoencoder", "base", "motion", "gligen", "detector"} <= set(logs)
    for log in logs.values():
        assert log["plan"]["steps"] > 0 and all(loss > 0 for loss in log["losses"])


def test_all_parts_of_a_training_are_told_the_first_one_first(tmp_path, monkeypatch) -> None:
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
