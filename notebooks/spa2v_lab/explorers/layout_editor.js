// The boxes of a layout, to be moved and resized by mouse, touch and keyboard.
//
// Boxes are [x0, y0, x1, y1] in [0, 1], origin top left; null where a thing is out of the picture.
// The model holds: scene {times, aspect, objects: [{name, colour}]}, boxes [object][key frame],
// pictures [key frame] (data URLs, may be empty), film (data URL), note, busy, asked, and live,
// which is true where a kernel can sample.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 400;
const LEAST = 0.02; // least width and height of a box
const STEP = 0.01; // of one press of an arrow key

const within = (value, low, high) => Math.min(Math.max(value, low), high);
const rounded = (box) => box.map((value) => Math.round(value * 1e4) / 1e4);

function moved(box, dx, dy) {
  const [x0, y0, x1, y1] = box;
  dx = within(dx, -x0, 1 - x1);
  dy = within(dy, -y0, 1 - y1);
  return rounded([x0 + dx, y0 + dy, x1 + dx, y1 + dy]);
}

// `corner` is the two places of the box that change, such as [2, 3] for the lower right.
function resized(box, corner, dx, dy) {
  const next = [...box];
  [dx, dy].forEach((change, axis) => {
    const place = corner[axis];
    const low = place === axis ? 0 : box[axis] + LEAST;
    const high = place === axis ? box[axis + 2] - LEAST : 1;
    next[place] = within(box[place] + change, Math.min(low, high), Math.max(low, high));
  });
  return rounded(next);
}

function make(kind, attributes = {}, parent = null) {
  const drawn = ["svg", "g", "rect", "image", "circle"].includes(kind);
  const node = drawn ? document.createElementNS(SVG, kind) : document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else node.setAttribute(name, value);
  }
  if (parent) parent.append(node);
  return node;
}

const CORNERS = { nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] };

function render({ model, el }) {
  const scene = model.get("scene");
  const height = Math.round(WIDTH / scene.aspect);
  let frame = Math.floor((scene.times.length - 1) / 2); // the key frame that is shown

  const root = make("div", { class: "spa2v-editor", "data-lm-suppress-shortcuts": "true" }, el);
  root.style.cssText = `max-width:${WIDTH}px;font:14px system-ui,sans-serif`;
  const canvas = make("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "group" }, root);
  canvas.setAttribute("aria-label", "Boxes of the layout");
  canvas.style.cssText = "width:100%;display:block;touch-action:none;background:#8883";
  const picture = make("image", { width: WIDTH, height, preserveAspectRatio: "none" }, canvas);
  const things = scene.objects.map((thing, index) => drawThing(thing, index));

  const row = make("div", {}, root);
  row.style.cssText = "display:flex;flex-wrap:wrap;gap:.3rem .8rem;align-items:center;margin:.4rem 0";
  const time = make("input", { type: "range", min: 0, max: scene.times.length - 1, value: 0 }, row);
  time.setAttribute("aria-label", "Key frame");
  time.style.flex = "1";
  const moment = make("output", {}, row);
  moment.style.cssText = "min-width:9em;font-variant-numeric:tabular-nums";
  const whole = make("label", { text: " all key frames together" }, row);
  const together = make("input", { type: "checkbox" });
  whole.prepend(together);
  const switches = scene.objects.map((thing, index) => drawSwitch(thing, index));
  const sample = make("button", { type: "button", text: "Sample again" }, row);
  const said = make("p", { role: "status" }, root);
  said.style.cssText = "min-height:1.3em;margin:.2rem 0;opacity:.85";
  const film = make("video", { controls: "", loop: "", playsinline: "" }, root);
  film.style.cssText = "width:100%";
  film.setAttribute("aria-label", "The video that was sampled");

  function drawThing(thing, index) {
    const group = make("g", { tabindex: 0, role: "button" }, canvas);
    group.style.cursor = "move";
    const body = make("rect", { fill: thing.colour, "fill-opacity": 0.2 }, group);
    body.setAttribute("stroke", thing.colour);
    body.setAttribute("stroke-width", 3);
    body.onpointerdown = (event) => drag(event, index, moved);
    const handles = Object.entries(CORNERS).map(([name, corner]) => {
      const handle = make("circle", { r: 9, fill: thing.colour, "fill-opacity": 0.9 }, group);
      handle.style.cursor = `${name}-resize`;
      handle.dataset.corner = name;
      const resize = (box, dx, dy) => resized(box, corner, dx, dy);
      handle.onpointerdown = (event) => drag(event, index, resize);
      return { handle, corner };
    });
    group.onkeydown = (event) => press(event, index);
    return { group, body, handles };
  }

  function drawSwitch(thing, index) {
    const label = make("label", { text: ` ${thing.name} in the picture` }, row);
    const box = make("input", { type: "checkbox" });
    label.prepend(box);
    box.onchange = () => change(index, (old) => (box.checked ? old || nearest(index) : null));
    return box;
  }

  // Where a thing was out of the picture, it comes back with its box of the nearest key frame.
  function nearest(index) {
    const track = model.get("boxes")[index];
    const known = track.map((box, at) => [Math.abs(at - frame), box]).filter(([, box]) => box);
    known.sort((a, b) => a[0] - b[0]);
    return known.length ? known[0][1] : [0.4, 0.4, 0.6, 0.6];
  }

  function change(index, edit) {
    const boxes = model.get("boxes").map((track) => [...track]);
    boxes[index] = boxes[index].map((box, at) =>
      together.checked || at === frame ? edit(box) : box,
    );
    model.set("boxes", boxes);
    model.save_changes();
    draw();
  }

  function drag(event, index, edit) {
    if (event.button > 0) return;
    event.preventDefault();
    const target = event.currentTarget;
    const area = canvas.getBoundingClientRect();
    const start = model.get("boxes")[index];
    const [fromX, fromY] = [event.clientX, event.clientY];
    things[index].group.focus();
    try {
      target.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that has gone by now cannot be captured; its moves still arrive.
    }
    target.onpointermove = (at) => {
      const dx = (at.clientX - fromX) / area.width;
      const dy = (at.clientY - fromY) / area.height;
      const boxes = model.get("boxes").map((track) => [...track]);
      boxes[index] = start.map((box, k) =>
        box && (together.checked || k === frame) ? edit(box, dx, dy) : model.get("boxes")[index][k],
      );
      model.set("boxes", boxes);
      draw();
    };
    target.onpointerup = target.onpointercancel = () => {
      target.onpointermove = target.onpointerup = target.onpointercancel = null;
      model.save_changes();
    };
  }

  function press(event, index) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const pages = { PageUp: -1, PageDown: 1 };
    event.stopPropagation();
    if (event.key in pages) show(frame + pages[event.key]);
    else if (event.key === "Delete") change(index, () => null);
    else if (event.key in arrows) {
      const [dx, dy] = arrows[event.key].map((way) => way * STEP);
      const edit = event.shiftKey ? (box) => resized(box, CORNERS.se, dx, dy) : (box) => moved(box, dx, dy);
      change(index, (box) => box && edit(box));
    } else return;
    event.preventDefault();
  }

  function show(number) {
    frame = within(number, 0, scene.times.length - 1);
    draw();
  }

  function draw() {
    const boxes = model.get("boxes");
    time.value = frame;
    moment.textContent = `key frame ${frame + 1} of ${scene.times.length}, ${scene.times[frame].toFixed(2)} s`;
    time.setAttribute("aria-valuetext", moment.textContent);
    const shown = model.get("pictures")[frame];
    if (shown) picture.setAttribute("href", shown);
    else picture.removeAttribute("href");
    things.forEach((thing, index) => {
      const box = boxes[index][frame];
      switches[index].checked = Boolean(box);
      thing.group.style.display = box ? "" : "none";
      if (box) place(thing, scene.objects[index].name, box);
    });
  }

  function place({ group, body, handles }, name, box) {
    const [x0, y0, x1, y1] = box.map((value, k) => value * (k % 2 ? height : WIDTH));
    const sizes = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
    for (const [key, value] of Object.entries(sizes)) body.setAttribute(key, value);
    handles.forEach(({ handle, corner }) => {
      handle.setAttribute("cx", corner[0] ? x1 : x0);
      handle.setAttribute("cy", corner[1] === 3 ? y1 : y0);
    });
    const [left, top, right, bottom] = box.map((value) => value.toFixed(2));
    group.setAttribute(
      "aria-label",
      `${name}: x ${left} to ${right}, y ${top} to ${bottom}. Arrows move, shift and arrows resize, ` +
        "page up and down change the key frame, delete takes it out of the picture.",
    );
  }

  function tell() {
    const live = model.get("live");
    sample.style.display = live ? "" : "none";
    sample.disabled = model.get("busy");
    said.textContent = model.get("note");
    const source = model.get("film");
    film.style.display = source ? "" : "none";
    if (source && film.getAttribute("src") !== source) film.src = source;
  }

  time.oninput = () => show(Number(time.value));
  sample.onclick = () => {
    model.set("asked", model.get("asked") + 1);
    model.save_changes();
  };
  for (const name of ["boxes", "pictures"]) model.on(`change:${name}`, draw);
  for (const name of ["busy", "note", "film", "live"]) model.on(`change:${name}`, tell);
  draw();
  tell();
  try {
    model.send({ kind: "hello" }); // a kernel answers by setting `live`
  } catch {
    // A static page: there is nobody to sample.
  }
}

export default { render, moved, resized };
