// Explorer: how strongly a video is grounded, and how it forms step by step, from sheets of frames
// that were sampled beforehand.

const MARKUP = `
<div class="spa2v-explorer-controls">
  <label>Strength <input type="range" name="strength" min="0" step="1"></label>
  <label>Step <input type="range" name="step" min="0" step="1"></label>
  <label><input type="checkbox" name="boxes" checked> boxes</label>
  <button type="button" class="spa2v-play">▶ Play the steps</button>
</div>
<p class="spa2v-place" aria-live="polite" data-name="state"></p>
<div class="spa2v-sheet"><img alt=""><svg aria-hidden="true"></svg></div>
<div class="spa2v-times" aria-hidden="true"></div>
<p class="spa2v-note" data-name="iou"></p>`;

const PAUSE_MS = 350; // between steps, while they play

/** What is shown, in words. */
export function stateText(data, strength, step) {
  return `Strength ${data.strengths[strength].label} × default, step ${step + 1} of `
    + `${data.sheets[strength].length}`;
}

/** The overlap of the finished video with the boxes, in words. */
export function overlapText({ label, iou }) {
  return iou === null ? "" : `The finished video at strength ${label}: IoU with the boxes `
    + `${iou.toFixed(2)}.`;
}

function drawBoxes(root, { boxes, tile, gap }) {
  const [width, height] = tile, count = boxes.length;
  root.setAttribute("viewBox", `0 0 ${count * (width + gap) - gap} ${height}`);
  boxes.forEach((objects, column) => objects.forEach((corners) => {
    if (!corners) return;
    const [x0, y0, x1, y1] = corners;
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const shape = { x: column * (width + gap) + x0 * width, y: y0 * height,
      width: (x1 - x0) * width, height: (y1 - y0) * height };
    for (const [name, value] of Object.entries(shape)) rect.setAttribute(name, value.toFixed(1));
    root.append(rect);
  }));
}

/** Turn an element into the explorer; `element.explorer` is its state, for tests. */
export function mount(element, data) {
  element.innerHTML = MARKUP;
  const find = (selector) => element.querySelector(selector);
  const strength = find("[name=strength]"), step = find("[name=step]"), play = find(".spa2v-play");
  const picture = find("img"), outlines = find("svg");
  strength.max = data.sheets.length - 1;
  step.max = data.sheets[0].length - 1;
  [strength.value, step.value] = [strength.max, step.max];
  find(".spa2v-times").replaceChildren(...data.times.map((time) => {
    const place = document.createElement("span");
    place.textContent = time;
    return place;
  }));
  drawBoxes(outlines, data);
  const state = { strength: 0, step: 0, playing: null };
  element.explorer = state;

  function show() {
    [state.strength, state.step] = [+strength.value, +step.value];
    const text = stateText(data, state.strength, state.step);
    find("[data-name=state]").textContent = text;
    find("[data-name=iou]").textContent = overlapText(data.strengths[state.strength]);
    strength.setAttribute("aria-valuetext", `${data.strengths[state.strength].label} × default`);
    step.setAttribute("aria-valuetext", `${state.step + 1}`);
    picture.src = data.sheets[state.strength][state.step];
    picture.alt = `${data.caption}; the video that the model predicts. ${text}`;
  }
  function stop() {
    clearInterval(state.playing);
    state.playing = null;
    play.textContent = "▶ Play the steps";
  }
  function advance() {
    step.value = +step.value + 1;
    show();
    if (step.value === step.max) stop();
  }
  play.addEventListener("click", () => {
    if (state.playing) return stop();
    step.value = 0;
    show();
    play.textContent = "❚❚ Pause";
    state.playing = setInterval(advance, PAUSE_MS);
  });
  strength.addEventListener("input", show);
  step.addEventListener("input", () => {
    stop();
    show();
  });
  find("[name=boxes]").addEventListener("change", ({ target }) => {
    outlines.style.visibility = target.checked ? "visible" : "hidden";
  });
  show();
}
