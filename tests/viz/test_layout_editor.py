"""The layout editor: what it shows, what it gives back, and its drawing in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

from spa2v_lab.explorers.layout_editor import LayoutEditor, edited, editor_html, editor_state
from spa2v_lib.errors import LayoutError
from spa2v_lib.layout.captions import frame_caption
from spa2v_lib.layout.scene_layout import Box, SceneObject, VideoSceneLayout
from spa2v_lib.video import Video

LEFT = Box(x0=0.1, y0=0.4, x1=0.3, y1=0.6)
SCRIPT = Path(__file__).parents[2] / "notebooks/spa2v_lab/explorers/layout_editor.js"


def layout(**changes: object) -> VideoSceneLayout:
    fields = {
        "caption": "a bus stands on a city street",
        "frame_captions": [frame_caption([("bus", 0.2)], "street"), "said by a person"],
        "key_times_s": [0.0, 0.5],
        "objects": [SceneObject(id="bus-1", label="bus", caption="a bus", boxes=[LEFT, LEFT])],
        "duration_s": 1.0,
        "background": "street",
    }
    return VideoSceneLayout(**(fields | changes))


def video(plan: VideoSceneLayout) -> Video:
    shades = np.linspace(0, 250, plan.frame_count).astype(np.uint8)
    frames = np.broadcast_to(shades[:, None, None, None], (plan.frame_count, 64, 64, 3))
    return Video(np.ascontiguousarray(frames), plan.fps, plan)


def test_the_state_is_json_and_holds_every_box_and_a_picture_a_key_frame() -> None:
    plan = layout(
        objects=[SceneObject(id="b", label="fire_engine", caption="x", boxes=[None, LEFT])]
    )
    state = json.loads(json.dumps(editor_state(plan, video(plan))))
    assert state["boxes"] == [[None, [0.1, 0.4, 0.3, 0.6]]]
    assert state["scene"]["objects"][0]["name"] == "fire engine"
    assert [p.split(",")[0] for p in state["pictures"]] == ["data:image/webp;base64"] * 2
    assert state["pictures"][0] != state["pictures"][1]
    assert editor_state(plan)["pictures"] == []


def test_edited_boxes_change_the_captions_that_spoke_of_them_and_no_other() -> None:
    plan = edited(layout(), [[[0.7, 0.4, 0.9, 0.6], None]])
    assert plan.objects[0].boxes == [Box(x0=0.7, y0=0.4, x1=0.9, y1=0.6), None]
    assert plan.frame_captions == ["a bus on the right, a city street", "said by a person"]
    assert edited(layout(), editor_state(layout())["boxes"]) == layout()


def test_edited_keeps_captions_whose_words_it_does_not_know() -> None:
    odd = layout(
        objects=[SceneObject(id="o", label="zeppelin", caption="a zeppelin", boxes=[LEFT, None])]
    )
    assert edited(odd, [[None, [0.1, 0.1, 0.2, 0.2]]]).frame_captions == odd.frame_captions


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        ([], "boxes of 0 objects; the layout has 1"),
        ([[None]], "1 boxes for 2 key frames"),
        ([[None, [0.1, 0.2, 0.3]]], "3 corners"),
        ([[None, [0.5, 0.2, 0.3, 0.4]]], "x0 must be the smaller"),
    ],
)
def test_edited_refuses_boxes_that_do_not_fit(boxes: list, said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        edited(layout(), boxes)


def test_the_widgets_value_follows_its_boxes_and_the_boxes_its_value() -> None:
    editor, seen = LayoutEditor(layout()), []
    editor.observe(lambda change: seen.append(change["new"]), "value")
    editor.boxes = [[[0.7, 0.4, 0.9, 0.6], [0.1, 0.4, 0.3, 0.6]]]
    assert seen == [editor.value]
    assert editor.value.objects[0].boxes[0].x0 == 0.7
    editor.value = layout()
    assert editor.boxes == editor_state(layout())["boxes"]


def test_a_box_that_is_none_is_said_and_the_valid_value_kept() -> None:
    editor = LayoutEditor(layout())
    editor.boxes = [[[0.9, 0.4, 0.2, 0.6], None]]
    assert editor.value == layout()
    assert "x0" in editor.note


def test_what_cannot_be_sampled_is_said_below_the_boxes() -> None:
    editor = LayoutEditor(layout(), steps=0)
    editor.asked = 1
    assert "steps" in editor.note
    assert not editor.busy and editor.video is None


@pytest.mark.slow
def test_sample_again_samples_the_edited_layout() -> None:
    editor = LayoutEditor(layout(), steps=1)
    editor.boxes = [[[0.6, 0.4, 0.9, 0.7], [0.6, 0.4, 0.9, 0.7]]]
    editor.asked = 1
    assert editor.video.layout == editor.value != layout()
    assert len(editor.pictures) == 2
    assert editor.film.startswith("data:video/mp4;base64,")
    assert not editor.busy


def test_it_offers_to_sample_only_where_a_front_end_reaches_a_kernel() -> None:
    editor = LayoutEditor(layout())
    assert not editor.live
    editor._handle_custom_msg({"kind": "hello"}, [])  # as the front end's message arrives
    assert editor.live


def test_a_page_gets_the_drawing_that_needs_no_kernel_beside_the_widget() -> None:
    bundle, _ = LayoutEditor(layout())._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == editor_html(layout())
    assert "0x" not in bundle["text/plain"]


def test_a_hostile_label_does_not_end_the_script() -> None:
    plan = layout(
        objects=[
            SceneObject(id="o", label="</script><b><!--<script>", caption="x", boxes=[LEFT, None])
        ],
        caption='"><script>alert(1)</script>',
    )
    html = editor_html(plan)
    assert html.count("</script>") == 1 and "<!--" not in html


# --- the drawing itself --------------------------------------------------------------------------

PLAY = """
const said = [], body = () => document.querySelector("svg g rect");
const group = () => document.querySelector("svg g");
const note = (name) => said.push([name, group().getAttribute("aria-label").split(". Arrows")[0],
  group().style.display]);
const press = (key, shiftKey = false) =>
  group().dispatchEvent(new KeyboardEvent("keydown", {key, shiftKey, bubbles: true}));
const pull = (node, dx, dy) => {
  const area = document.querySelector("svg").getBoundingClientRect();
  const at = (x, y) => ({clientX: x * area.width, clientY: y * area.height, bubbles: true});
  node.dispatchEvent(new PointerEvent("pointerdown", at(0.2, 0.5)));
  node.dispatchEvent(new PointerEvent("pointermove", at(0.2 + dx, 0.5 + dy)));
  node.dispatchEvent(new PointerEvent("pointerup", at(0.2 + dx, 0.5 + dy)));
};
note("start");
pull(body(), 0.25, 0.1); note("dragged");
pull(document.querySelector('[data-corner="se"]'), 0.1, 0.05); note("corner");
pull(document.querySelector('[data-corner="nw"]'), 0.9, 0.9); note("corner too far");
pull(body(), 5, 5); note("dragged too far");
press("PageDown"); note("second key frame");
press("ArrowLeft"); note("left");
press("ArrowDown", true); note("taller");
press("Delete"); note("gone");
document.querySelectorAll('input[type="checkbox"]')[1].click(); note("back");
press("PageUp"); note("first key frame");
document.querySelectorAll('input[type="checkbox"]')[0].click();
press("ArrowLeft"); press("PageDown"); note("together");
document.body.textContent = "RESULT" + JSON.stringify(said) + "END";
"""


def played(folder: Path) -> dict[str, tuple[str, str]]:
    """Edit the page in Chromium as a hand would, and return what each box was said to be."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        told = "THE LAYOUT EDITOR IS NOT TESTED IN A BROWSER: chromium is not installed"
        warnings.warn(told, stacklevel=1)
        pytest.skip(told)
    page = folder / "page.html"
    body = f"{editor_html(layout())}<script>{PLAY}</script>"
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{body}</body>", encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120
    )
    found = re.search("RESULT(.*)END", done.stdout)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return {name: (words, shown) for name, words, shown in json.loads(found.group(1))}


@pytest.mark.slow
def test_hand_and_keys_move_and_resize_boxes_within_the_picture(tmp_path: Path) -> None:
    said = played(tmp_path)
    assert {name: words for name, (words, _) in said.items() if name != "gone"} == {
        "start": "bus: x 0.10 to 0.30, y 0.40 to 0.60",
        "dragged": "bus: x 0.35 to 0.55, y 0.50 to 0.70",
        "corner": "bus: x 0.35 to 0.65, y 0.50 to 0.75",
        "corner too far": "bus: x 0.63 to 0.65, y 0.73 to 0.75",
        "dragged too far": "bus: x 0.98 to 1.00, y 0.98 to 1.00",
        "second key frame": "bus: x 0.10 to 0.30, y 0.40 to 0.60",
        "left": "bus: x 0.09 to 0.29, y 0.40 to 0.60",
        "taller": "bus: x 0.09 to 0.29, y 0.40 to 0.61",
        "back": "bus: x 0.98 to 1.00, y 0.98 to 1.00",
        "first key frame": "bus: x 0.98 to 1.00, y 0.98 to 1.00",
        "together": "bus: x 0.97 to 0.99, y 0.98 to 1.00",
    }
    assert (said["gone"][1], said["back"][1]) == ("none", "")


def test_the_script_ends_with_the_line_that_pages_leave_out() -> None:
    assert SCRIPT.read_text(encoding="utf-8").rstrip().endswith("};")
    assert "export" not in editor_html(layout())
