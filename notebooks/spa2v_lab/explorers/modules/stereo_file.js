// Explorer: drop a stereo recording, and see where it sounds from. Nothing leaves the browser.

import { FORMATS, project } from "./acoustics.js";
import { likelyFormat, measure, median, track } from "./analysis.js";

const LONGEST_S = 120;
const TRACK_HEIGHT = 220, PICTURE = { width: 480, height: 270 };

/** Decode a file's first two channels. */
export async function decoded(file) {
  const context = new OfflineAudioContext(2, 1, 44100);
  let buffer;
  try {
    buffer = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} cannot be decoded by this browser; try WAV, FLAC, MP3 or Opus.`);
  }
  if (buffer.numberOfChannels < 2) {
    throw new Error(`${file.name} has one channel; two are needed to localize a source.`);
  }
  const most = Math.min(buffer.length, LONGEST_S * buffer.sampleRate);
  const [left, right] = [0, 1].map((k) => buffer.getChannelData(k).subarray(0, most));
  return { left, right, rate: buffer.sampleRate, seconds: most / buffer.sampleRate };
}

/** Analyze two channels: frames, the format they fit, and the azimuth over time. */
export function analyzed(sound, format = "auto") {
  const frames = measure(sound.left, sound.right, sound.rate);
  const used = format === "auto" ? likelyFormat(frames) : format;
  return { frames, format: used, azimuth: track(frames, used) };
}

/** What was measured, in a sentence. */
export function summary({ frames, format, azimuth }) {
  const known = azimuth.filter((value) => value !== null);
  if (!known.length) return "The recording is silent.";
  const active = frames.filter((frame) => frame.active);
  const ild = median(active.map((f) => f.ild)), itd = 1e6 * median(active.map((f) => f.itd));
  const degrees = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(0)}°`;
  const ends = [median(known.slice(0, 5)), median(known.slice(-5))];
  return `Azimuth ${degrees(median(known))} (median), from ${degrees(ends[0])} to `
    + `${degrees(ends[1])}; capture format ${FORMATS[format]}; ILD ${ild.toFixed(1)} dB, `
    + `ITD ${itd.toFixed(0)} µs (medians).`.replaceAll("-", "−");
}

/** The box of a frame: size falls with the level, as distance would make it. */
export function boxOf({ frames, azimuth }, index) {
  if (azimuth[index] === null) return null;
  const loudest = Math.max(...frames.map((frame) => frame.level));
  const metres = Math.min(8, 2 * 10 ** ((loudest - frames[index].level) / 20));
  return project(azimuth[index], metres, 1, PICTURE.width / PICTURE.height);
}

const MARKUP = `
<div class="spa2v-drop">
  <p><label>Drop a stereo file here, or choose one: <input type="file" accept="audio/*,video/*">
  </label></p>
  <p class="spa2v-note"><strong>Nothing leaves your browser.</strong> The file is decoded and
  analyzed in this page; it is never uploaded. The library does it better: it separates up to three
  sources, gives every estimate an interval, and recognizes the capture format from more evidence;
  <a href="../notebooks/hearing.html">see how</a>.</p>
</div>
<div class="spa2v-explorer-controls">
  <label>Capture format <select><option value="auto">automatic</option>${Object.entries(FORMATS)
    .map(([key, name]) => `<option value="${key}">${name}</option>`).join("")}</select></label>
</div>
<p class="spa2v-place" role="status"></p>
<div class="spa2v-result" hidden>
  <audio controls aria-label="the recording"></audio>
  <canvas class="spa2v-track" role="img"></canvas>
  <canvas class="spa2v-boxes" width="${PICTURE.width}" height="${PICTURE.height}" role="img"
    ></canvas>
</div>`;

/** Turn an element into the explorer; `element.explorer` is its state, for tests. */
export function mount(element) {
  element.innerHTML = MARKUP;
  const find = (selector) => element.querySelector(selector);
  const state = { sound: null, result: null };
  element.explorer = state;
  const status = find("[role=status]"), audio = find("audio");
  const colours = () => {
    const style = getComputedStyle(element);
    return { ink: style.color, source: style.getPropertyValue("--spa2v-source").trim() || "#2f7fd8" };
  };

  function show() {
    if (!state.result) return;
    drawTrack(find(".spa2v-track"), state, audio.currentTime, colours());
    drawBox(find(".spa2v-boxes"), state, audio.currentTime, colours());
  }
  function analyze() {
    if (!state.sound) return;
    state.result = analyzed(state.sound, find("select").value);
    const text = summary(state.result);
    status.textContent = text;
    find(".spa2v-track").setAttribute("aria-label", `Azimuth over time. ${text}`);
    find(".spa2v-boxes").setAttribute("aria-label", "The box in the picture, in time with the sound");
    find(".spa2v-result").hidden = false;
    show();
  }
  async function open(file) {
    if (!file) return;
    status.textContent = `Analyzing ${file.name} …`;
    find(".spa2v-result").hidden = true;
    try {
      state.sound = await decoded(file);
      URL.revokeObjectURL(audio.src);
      audio.src = URL.createObjectURL(file);
      await new Promise((done) => setTimeout(done)); // let the page say so first
      analyze();
    } catch (error) {
      state.sound = state.result = null;
      status.textContent = error.message;
    }
  }
  const drop = find(".spa2v-drop");
  const over = (event) => {
    event.preventDefault();
    drop.classList.toggle("over", event.type === "dragover");
  };
  for (const name of ["dragover", "dragleave"]) drop.addEventListener(name, over);
  drop.addEventListener("drop", (event) => {
    over(event);
    open(event.dataTransfer.files[0]);
  });
  find("input").addEventListener("change", (event) => open(event.target.files[0]));
  find("select").addEventListener("change", analyze);
  const follow = () => {
    show();
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", follow);
  for (const name of ["seeked", "timeupdate"]) audio.addEventListener(name, show);
  new MutationObserver(show).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

function drawTrack(canvas, { sound, result }, now, { ink, source }) {
  const width = canvas.clientWidth || 720, height = TRACK_HEIGHT;
  const sharp = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [width * sharp, height * sharp];
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  const x = (time) => 52 + ((width - 60) * time) / sound.seconds;
  const y = (azimuth) => height / 2 - 14 - (azimuth / 90) * (height / 2 - 26);
  pen.fillStyle = ink;
  pen.globalAlpha = 0.22; // the waveform, behind
  const columns = width - 60, step = Math.max(1, Math.floor(sound.left.length / columns));
  for (let column = 0; column < columns; column++) {
    let most = 0;
    for (let i = column * step; i < Math.min((column + 1) * step, sound.left.length); i++) {
      most = Math.max(most, Math.abs(sound.left[i]), Math.abs(sound.right[i]));
    }
    pen.fillRect(52 + column, y(0) - most * (height / 2 - 26), 1, 2 * most * (height / 2 - 26));
  }
  pen.font = "13px system-ui, sans-serif";
  pen.textAlign = "right";
  for (const azimuth of [-90, -45, 0, 45, 90]) {
    pen.globalAlpha = 0.2;
    pen.fillRect(52, y(azimuth), width - 60, 1);
    pen.globalAlpha = 1;
    const side = { "-90": "left", 0: "ahead", 90: "right" }[azimuth] ?? `${Math.abs(azimuth)}°`;
    pen.fillText(side, 46, y(azimuth) + 4);
  }
  pen.textAlign = "center";
  for (let k = 0; k <= 4; k++) {
    const time = (sound.seconds * k) / 4;
    pen.fillText(`${time.toFixed(1)} s`, Math.min(width - 20, x(time)), height - 4);
  }
  pen.strokeStyle = source;
  pen.lineWidth = 3;
  pen.beginPath();
  result.azimuth.forEach((azimuth, index) => {
    if (azimuth === null) return;
    const begins = !index || result.azimuth[index - 1] === null;
    pen[begins ? "moveTo" : "lineTo"](x(result.frames[index].time), y(azimuth));
  });
  pen.stroke();
  pen.fillRect(x(now), 8, 1.5, height - 30);
}

function drawBox(canvas, { result }, now, { ink, source }) {
  const pen = canvas.getContext("2d"), { width, height } = canvas;
  const index = Math.min(result.frames.length - 1, Math.floor(now / 0.1));
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = "rgba(120, 160, 200, 0.25)";
  pen.fillRect(0, 0, width, height / 2);
  pen.fillStyle = "rgba(120, 150, 90, 0.3)";
  pen.fillRect(0, height / 2, width, height / 2);
  const box = boxOf(result, index);
  canvas.dataset.box = box ? box.map((value) => value.toFixed(3)).join(" ") : "";
  if (box) {
    pen.strokeStyle = source;
    pen.lineWidth = 4;
    pen.strokeRect(box[0] * width, box[1] * height, (box[2] - box[0]) * width,
      (box[3] - box[1]) * height);
  }
  pen.fillStyle = ink;
  pen.font = "14px system-ui, sans-serif";
  pen.fillText(box ? "" : "nothing in view", 10, 20);
}

if (typeof document !== "undefined") {
  document.querySelectorAll('[data-explorer="stereo-file"]').forEach(mount);
}
