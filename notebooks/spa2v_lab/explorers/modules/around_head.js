// Explorer: drag a source around a listener, hear it, and see what two channels know of it.

import {
  FORMATS, channels, differences, distanceGain, frontAzimuth, matches, project, wrapped,
} from "./acoustics.js";

const NEAREST_M = 0.5, FARTHEST_M = 8;
const SCALE = 110 / FARTHEST_M; // drawing units a metre
const PICTURE = { width: 320, height: 180 };

const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "");
const signed = (value, digits = 0) => {
  const text = Math.abs(value).toFixed(digits);
  return (Number(text) === 0 ? "" : sign(value)) + text;
};

/** The place in words. */
export function placeText(azimuth, metres) {
  const side = Math.abs(azimuth) < 0.5 ? "straight ahead"
    : Math.abs(azimuth) > 179.5 ? "straight behind"
    : `${Math.abs(azimuth).toFixed(0)}° to the ${azimuth > 0 ? "right" : "left"}`;
  return `${side}, ${metres.toFixed(1)} m away`;
}

/** All that the explorer says about a source, as texts by name. */
export function readout(format, azimuth, metres) {
  const both = differences(format, azimuth);
  const range = ([low, high]) => (high - low > 15
    ? `${signed(low)}° to ${signed(high)}°` : `${signed((low + high) / 2)}°`);
  const read = frontAzimuth(format, both).azimuth;
  const box = project(azimuth, metres);
  return {
    place: placeText(azimuth, metres),
    ild: `${signed(both.ild, 1)} dB`,
    itd: `${signed(both.itd * 1e6)} µs`,
    same: matches(format, azimuth).map(range).join(", "),
    reading: `${signed(read)}°` + (Math.abs(azimuth) > 90 ? " (the front is assumed)" : ""),
    box: box ? `x from ${box[0].toFixed(2)} to ${box[2].toFixed(2)}` : "none: out of view",
  };
}

/** Rhythmic noise bursts over a hum: broadband, so that both differences can be heard. */
export function sourceSamples(rate, seconds = 2) {
  const samples = new Float32Array(Math.round(rate * seconds));
  let state = 1;
  for (let i = 0; i < samples.length; i++) {
    state = (state * 16807) % 2147483647;
    const beat = ((i / rate) * 4) % 1, noise = state / 1073741823.5 - 1;
    const hum = Math.sin((2 * Math.PI * 220 * i) / rate);
    samples[i] = 0.35 * noise * Math.exp(-9 * beat) + 0.08 * hum;
  }
  return samples;
}

/** The chain of Web Audio nodes: source, distance, and for each channel delay, gain and shadow. */
export function makeSound(context) {
  const source = context.createBufferSource(), distance = context.createGain();
  const merger = context.createChannelMerger(2);
  const buffer = context.createBuffer(1, context.sampleRate * 2, context.sampleRate);
  buffer.copyToChannel(sourceSamples(context.sampleRate), 0);
  source.buffer = buffer;
  source.loop = true;
  source.connect(distance);
  const sides = [0, 1].map((channel) => {
    const delay = context.createDelay(0.01), gain = context.createGain();
    const shadow = context.createBiquadFilter();
    shadow.type = "highshelf";
    shadow.frequency.value = 1250; // twice a head's c / (2 π a)
    distance.connect(delay).connect(gain).connect(shadow).connect(merger, 0, channel);
    return { delay, gain, shadow };
  });
  merger.connect(context.destination);
  source.start();
  return { context, source, distance, sides };
}

/** Set the nodes for a place. */
export function setSound(sound, format, azimuth, metres) {
  const { delays, gains } = channels(format, azimuth), now = sound.context.currentTime;
  const high = format === "binaural" ? channels(format, azimuth, 20000).gains : null;
  const glide = (parameter, value) => parameter.setTargetAtTime(value, now, 0.015);
  glide(sound.distance.gain, Math.min(1, distanceGain(metres)));
  sound.sides.forEach(({ delay, gain, shadow }, channel) => {
    glide(delay.delayTime, delays[channel]);
    glide(gain.gain, high ? 0.6 : gains[channel]); // a head's level is in its shadow
    glide(shadow.gain, high ? 20 * Math.log10(high[channel]) : 0);
  });
}

const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

const MARKUP = `
<div class="spa2v-explorer-controls">
  <button type="button" class="spa2v-play" aria-pressed="false">▶ Play</button>
  <label>Capture format <select>${Object.entries(FORMATS)
    .map(([key, name]) => `<option value="${key}">${name}</option>`).join("")}</select></label>
  <label>Azimuth <input type="range" name="azimuth" min="-180" max="180" step="1"></label>
  <label>Distance <input type="range" name="distance" min="${NEAREST_M}" max="${FARTHEST_M}"
    step="0.1"></label>
</div>
<div class="spa2v-explorer-views">
  <svg class="spa2v-plan" viewBox="-125 -125 250 250" role="group"
    aria-label="Plan view: a listener in the middle, and the source to drag"></svg>
  <svg class="spa2v-picture" viewBox="0 0 ${PICTURE.width} ${PICTURE.height}" role="img"></svg>
</div>
<p class="spa2v-place" aria-live="polite" data-name="place"></p>
<dl>
  <div><dt>Level difference (ILD)</dt><dd data-name="ild"></dd></div>
  <div><dt>Time difference (ITD)</dt><dd data-name="itd"></dd></div>
  <div><dt>Cone of confusion: the same from</dt><dd data-name="same"></dd></div>
  <div><dt>Read as azimuth</dt><dd data-name="reading"></dd></div>
  <div><dt>Box in the picture</dt><dd data-name="box"></dd></div>
</dl>
<p class="spa2v-note">Use headphones. The shaded directions make the same two differences. Drag the dot, or focus it and press the arrow keys: left and
right turn it, up and down move it away and closer. The sound is made in this page.</p>`;

/** Turn an element into the explorer; `element.explorer` is its state, for tests. */
export function mount(element) {
  element.innerHTML = MARKUP;
  const find = (selector) => element.querySelector(selector);
  const state = { format: "binaural", azimuth: 30, metres: 3, sound: null };
  element.explorer = state;
  const plan = drawPlan(find(".spa2v-plan")), picture = drawPicture(find(".spa2v-picture"));
  const inputs = { azimuth: find("[name=azimuth]"), distance: find("[name=distance]") };

  function show() {
    const { format, azimuth, metres } = state;
    inputs.azimuth.value = azimuth;
    inputs.distance.value = metres;
    inputs.azimuth.setAttribute("aria-valuetext", `${azimuth.toFixed(0)} degrees`);
    inputs.distance.setAttribute("aria-valuetext", `${metres.toFixed(1)} metres`);
    const texts = readout(format, azimuth, metres);
    for (const [name, text] of Object.entries(texts)) find(`[data-name=${name}]`).textContent = text;
    plan.place(format, azimuth, metres, texts.place);
    picture.place(azimuth, metres);
    if (state.sound) setSound(state.sound, format, azimuth, metres);
  }
  function move(azimuth, metres) {
    state.azimuth = Math.round(wrapped(azimuth));
    state.metres = Math.min(FARTHEST_M, Math.max(NEAREST_M, Math.round(10 * metres) / 10));
    show();
  }
  function drag(event) {
    const [x, y] = plan.point(event);
    move((Math.atan2(x, -y) * 180) / Math.PI, Math.hypot(x, y) / SCALE);
  }
  plan.svg.addEventListener("pointerdown", (event) => {
    plan.svg.setPointerCapture(event.pointerId);
    plan.handle.focus({ preventScroll: true });
    drag(event);
    event.preventDefault();
  });
  plan.svg.addEventListener("pointermove", (event) => {
    if (plan.svg.hasPointerCapture(event.pointerId)) drag(event);
  });
  plan.handle.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 15 : 5;
    const [turn, away] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, 0.5],
      ArrowDown: [0, -0.5] }[event.key] ?? [0, 0];
    if (!turn && !away) return;
    event.preventDefault();
    move(state.azimuth + turn, state.metres + away);
  });
  inputs.azimuth.addEventListener("input", () => move(+inputs.azimuth.value, state.metres));
  inputs.distance.addEventListener("input", () => move(state.azimuth, +inputs.distance.value));
  find("select").addEventListener("change", (event) => {
    state.format = event.target.value;
    show();
  });
  find(".spa2v-play").addEventListener("click", async (event) => {
    const button = event.currentTarget;
    if (!state.sound) state.sound = makeSound(new AudioContext());
    else if (state.sound.context.state === "running") await state.sound.context.suspend();
    else await state.sound.context.resume();
    if (button.getAttribute("aria-pressed") === "false") await state.sound.context.resume();
    const on = state.sound.context.state === "running";
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "❚❚ Pause" : "▶ Play";
    show();
  });
  show();
}

function drawPlan(root) {
  for (const metres of [2, 4, 8]) {
    root.append(svg("circle", { r: metres * SCALE, class: "ring" }));
    const label = svg("text", { x: 3, y: -metres * SCALE + 11, class: "small" });
    label.textContent = `${metres} m`;
    root.append(label);
  }
  root.append(svg("path", { d: "M0 0L-82 -82M0 0L82 -82", class: "view" }));
  const matching = svg("g", { class: "matching" });
  const line = svg("line", { class: "ray" });
  const head = svg("g", { class: "head" });
  head.append(svg("path", { d: "M-3 -10L0 -15L3 -10" }), svg("circle", { r: 10 }),
    svg("circle", { cx: -10, r: 3 }), svg("circle", { cx: 10, r: 3 }));
  const handle = svg("circle", { r: 9, class: "source", tabindex: 0, role: "slider",
    "aria-label": "source", "aria-valuemin": -180, "aria-valuemax": 180 });
  root.append(matching, line, head, handle);
  const at = (azimuth, metres) => {
    const angle = (azimuth * Math.PI) / 180;
    return [metres * SCALE * Math.sin(angle), -metres * SCALE * Math.cos(angle)];
  };
  return {
    svg: root,
    handle,
    point(event) {
      const place = root.createSVGPoint();
      [place.x, place.y] = [event.clientX, event.clientY];
      const inside = place.matrixTransform(root.getScreenCTM().inverse());
      return [inside.x, inside.y];
    },
    place(format, azimuth, metres, text) {
      const [x, y] = at(azimuth, metres);
      for (const [name, value] of Object.entries({ cx: x, cy: y })) handle.setAttribute(name, value);
      handle.setAttribute("aria-valuenow", azimuth);
      handle.setAttribute("aria-valuetext", text);
      line.setAttribute("x2", x);
      line.setAttribute("y2", y);
      matching.replaceChildren(...matches(format, azimuth).map(([low, high]) => {
        const [[x0, y0], [x1, y1]] = [at(low - 1.5, FARTHEST_M), at(high + 1.5, FARTHEST_M)];
        const large = high - low > 177 ? 1 : 0;
        return svg("path", { d: `M0 0L${x0} ${y0}A110 110 0 ${large} 1 ${x1} ${y1}Z` });
      }));
    },
  };
}

function drawPicture(root) {
  const { width, height } = PICTURE;
  root.append(svg("rect", { width, height: height / 2, class: "sky" }),
    svg("rect", { y: height / 2, width, height: height / 2, class: "ground" }));
  const box = svg("rect", { class: "box", rx: 3 });
  const out = svg("text", { x: width / 2, y: 24, class: "small", "text-anchor": "middle" });
  root.append(box, out);
  return {
    place(azimuth, metres) {
      const corners = project(azimuth, metres, 1, width / height);
      box.setAttribute("visibility", corners ? "visible" : "hidden");
      out.textContent = corners ? "" : "out of the camera’s view";
      root.setAttribute("aria-label", corners
        ? `The camera’s picture: the box is at ${Math.round(50 * (corners[0] + corners[2]))} %`
          + " of the width" : "The camera’s picture: the source is out of view");
      if (!corners) return;
      const [x0, y0, x1, y1] = corners;
      const shape = { x: x0 * width, y: y0 * height, width: (x1 - x0) * width,
        height: (y1 - y0) * height };
      for (const [name, value] of Object.entries(shape)) box.setAttribute(name, value.toFixed(1));
    },
  };
}

if (typeof document !== "undefined") {
  document.querySelectorAll('[data-explorer="around-head"]').forEach(mount);
}
