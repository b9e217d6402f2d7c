"""Score and loss figures show the values that they were given."""

import math

from spa2v_lab.viz.scores import loss_figure, score_figure, score_table

SCENES = [
    {"plain": {"IoU": 0.2, "consistency": 0.5}, "grounded": {"IoU": 0.6, "consistency": math.nan}},
    {"plain": {"IoU": 0.4, "consistency": 0.7}, "grounded": {"IoU": 0.8, "consistency": math.nan}},
]


def test_bars_are_means_and_dots_are_scenes() -> None:
    bar, dots, consistency, _ = score_figure(SCENES).data
    assert [round(x, 3) for x in bar.x] == [0.3, 0.7] and list(bar.y) == ["plain", "grounded"]
    assert list(dots.x) == [0.2, 0.4, 0.6, 0.8]
    assert list(dots.y) == ["plain", "plain", "grounded", "grounded"]
    assert consistency.x[1] is None


def test_losses_stand_at_the_steps_that_were_done() -> None:
    logs = {
        "base": {"steps": 400, "every": 200, "losses": [0.5, 0.4]},
        "motion": {"steps": 250, "every": 100, "losses": [0.3, 0.2, 0.1]},
    }
    base, motion = loss_figure(logs).data
    assert (list(base.x), list(base.y)) == ([200, 400], [0.5, 0.4])
    assert list(motion.x) == [100, 200, 250]


def test_a_table_has_every_value_once_and_escapes_names() -> None:
    table = score_table({"a<b": {"IoU": 0.256, "consistency": math.nan}})
    assert "<th style='text-align:left'>a&lt;b</th><td>0.26</td><td>–</td>" in table
    assert table.count("<th>") == 3
