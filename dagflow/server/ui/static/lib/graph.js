// A flow as a picture: laid out by the server, drawn here. Only what is seen is drawn, and a new state changes one
// element, so that thousands of tasks stay smooth.
import { fill, h, s } from "./dom.js";
import { grouped } from "./groups.js";
import { FAILED, isFinished, sign } from "./states.js";

const LEAST_SCALE = 0.02;
const MOST_SCALE = 2.5;
const WORDS_FROM = 0.42; // below this scale texts could not be read, so nodes are blocks of colour
const READABLE = 0.75;
const CELL = 600; // of the grid in which nodes are found, in units of the layout
const AIR = 40;
const GROUPS_FROM = 150; // tasks, from which on those of like names are shown as one at first

// layout: as GET /api/flows/{id}/layout answers. states: {slug: {state, children: {state: count}}}.
// Returns {element, update(states), set(slug, state), select(slug), fit(), stop()}.
export function graph(layout, { states = {}, onSelect = () => {} } = {}) {
  const view = { layout, all: layout, onSelect, states: {}, chosen: null, drawn: new Map(), dirty: new Set(), scale: 1, x: 0, y: 0, frame: 0, touched: false };
  view.groups = layout.nodes.length >= GROUPS_FROM ? grouped(layout) : null;
  if (view.groups) view.layout = view.groups;
  index(view);
  view.edges = s("path.graph-edges");
  view.near = s("path.graph-near");
  view.arrows = s("path.graph-arrows");
  view.nodes = s("g");
  view.world = s("g", view.edges, view.arrows, view.near, view.nodes);
  view.picture = s("svg.graph-picture", { role: "application", tabindex: "0", "aria-label": `Graph of ${layout.nodes.length} tasks; the table of tasks says the same. Arrows move it, + and - zoom, 0 fits.` }, view.world);
  view.tip = h("div.graph-note", { role: "status" });
  const element = h("section.graph", bar(view), h("div.graph-frame", view.picture, view.tip));
  listen(view);
  const watch = new ResizeObserver(() => (view.touched ? later(view) : begin(view)));
  watch.observe(view.picture);
  Object.assign(view.states, states);
  return {
    element,
    update: (wanted) => update(view, wanted),
    set: (slug, state) => set(view, slug, state),
    select: (slug) => select(view, slug),
    fit: () => fit(view),
    stop: () => watch.disconnect(),
  };
}

// Where nodes and edges are, so that those in a rectangle are found without looking at all.
function index(view) {
  view.bySlug = new Map(view.layout.nodes.map((node) => [node.slug, node]));
  view.byId = new Map(view.layout.nodes.map((node) => [node.task_id, node]));
  view.cells = new Map();
  for (const node of view.layout.nodes) {
    put(view.cells, node, [node.x, node.y, node.x + node.width, node.y + node.height]);
    Object.assign(node, { up: [], down: [] });
  }
  view.edgeCells = new Map();
  for (const edge of view.layout.edges) {
    const from = nodeOf(view, edge.from);
    const to = nodeOf(view, edge.to);
    if (!from || !to) continue;
    from.down.push(edge);
    to.up.push(edge);
    edge.ends = [from, to];
    edge.points = edge.points?.length ? edge.points : [[from.x + from.width / 2, from.y + from.height / 2], [to.x + to.width / 2, to.y + to.height / 2]];
    edge.path = `M${edge.points.map(([x, y]) => `${Math.round(x)} ${Math.round(y)}`).join("L")}`;
    for (let place = 1; place < edge.points.length; place++) put(view.edgeCells, edge, boxOf(edge.points[place - 1], edge.points[place]));
  }
}

const nodeOf = (view, name) => view.byId.get(name) ?? view.bySlug.get(name);
const boxOf = ([ax, ay], [bx, by]) => [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];

function* cellsIn([left, top, right, bottom]) {
  for (let x = Math.floor(left / CELL); x <= Math.floor(right / CELL); x++) {
    for (let y = Math.floor(top / CELL); y <= Math.floor(bottom / CELL); y++) yield `${x},${y}`;
  }
}

function put(cells, what, box) {
  for (const cell of cellsIn(box)) {
    if (!cells.has(cell)) cells.set(cell, new Set());
    cells.get(cell).add(what);
  }
}

function within(cells, box) {
  const found = new Set();
  for (const cell of cellsIn(box)) for (const one of cells.get(cell) ?? []) found.add(one);
  return found;
}

// Show groups, or all tasks.
function show(view, layout) {
  view.layout = layout;
  view.toggle?.setAttribute("aria-pressed", String(layout === view.groups));
  index(view);
  forget(view);
  Object.assign(view, { chosen: null, lineage: null, edgeText: null });
  begin(view);
}

// --- states --------------------------------------------------------------------------------------------------------

function update(view, wanted) {
  for (const [slug, state] of Object.entries(wanted)) set(view, slug, state);
}

function set(view, slug, state) {
  const before = view.states[slug];
  view.states[slug] = { ...before, ...state };
  if (before && before.state === view.states[slug].state && JSON.stringify(before.children) === JSON.stringify(view.states[slug].children)) return;
  view.dirty.add(view.bySlug.has(slug) ? slug : view.groups?.groupOf(slug));
  later(view);
}

// --- drawing -------------------------------------------------------------------------------------------------------

function later(view) {
  view.frame ||= requestAnimationFrame(() => {
    view.frame = 0;
    draw(view);
  });
}

function draw(view) {
  const { width, height } = view.picture.getBoundingClientRect();
  if (!width) return;
  view.world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
  const seen = [(-view.x - AIR) / view.scale, (-view.y - AIR) / view.scale, (width - view.x + AIR) / view.scale, (height - view.y + AIR) / view.scale];
  const hasWords = view.scale >= WORDS_FROM;
  if (hasWords !== view.hasWords) forget(view);
  view.hasWords = hasWords;
  drawNodes(view, seen);
  drawEdges(view, seen);
}

function forget(view) {
  view.drawn.clear();
  view.nodes.replaceChildren();
}

function drawNodes(view, seen) {
  const wanted = within(view.cells, seen);
  for (const [node, element] of view.drawn) {
    if (wanted.has(node)) continue;
    element.remove();
    view.drawn.delete(node);
  }
  for (const node of wanted) {
    if (!view.drawn.has(node)) {
      view.drawn.set(node, make(view, node));
      view.nodes.append(view.drawn.get(node));
    }
  }
  for (const slug of view.dirty) {
    const node = view.bySlug.get(slug);
    if (node && view.drawn.has(node)) paint(view, node, view.drawn.get(node));
  }
  view.dirty.clear();
}

// One path for all edges that are seen: a picture of thousands stays three elements.
function drawEdges(view, seen) {
  const edges = within(view.edgeCells, seen);
  const text = [...edges].map((edge) => edge.path).join("");
  if (text !== view.edgeText) view.edges.setAttribute("d", text);
  view.edgeText = text;
  view.arrows.setAttribute("d", view.hasWords ? [...edges].map(arrow).join("") : "");
  view.near.setAttribute("d", nearEdges(view).map((edge) => edge.path).join(""));
}

function arrow(edge) {
  const [[ax, ay], [bx, by]] = edge.points.slice(-2);
  const long = Math.hypot(bx - ax, by - ay) || 1;
  const [dx, dy] = [((bx - ax) / long) * 7, ((by - ay) / long) * 7];
  return `M${bx} ${by}l${-dx - dy * 0.5} ${-dy + dx * 0.5}l${dy} ${-dx}z`;
}

function nearEdges(view) {
  const node = view.bySlug.get(view.chosen);
  return node ? [...node.up, ...node.down] : [];
}

function make(view, node) {
  const element = s("g.node", { transform: `translate(${node.x} ${node.y})`, "data-slug": node.slug });
  element.append(s("rect.node-box", { width: node.width, height: node.height, rx: 6 }));
  if (view.hasWords) {
    element.append(s("rect.node-state", { width: 24, height: node.height, rx: 6 }), s("text.node-sign", { x: 12, y: node.height / 2 + 4, "text-anchor": "middle" }),
      s("text.node-name", { x: 32, y: node.height / 2 - 3 }, cut(node.name ?? node.slug, node.width - 36, 6.6)), s("text.node-word", { x: 32, y: node.height / 2 + 13 }), s("title"));
  }
  paint(view, node, element);
  return element;
}

// The state of a node; of a group, how many of its tasks are in which.
function stateOf(view, node) {
  if (!node.members) return view.states[node.slug] ?? {};
  const children = {};
  for (const slug of node.members) {
    const { state } = view.states[slug] ?? {};
    if (state) children[state] = (children[state] ?? 0) + 1;
  }
  const names = Object.keys(children);
  if (node.members.length === 1) return view.states[node.members[0]] ?? {};
  return { state: names.length === 1 ? names[0] : names.every(isFinished) && names.length ? "Success" : null, children };
}

function paint(view, node, element) {
  const { state = null, children = null } = stateOf(view, node);
  const kind = worst(state, children);
  element.setAttribute("class", `node state-${kind ?? "None"}${view.hasWords ? "" : " small"}${node.auto_generated ? " auto" : ""}${node.mapped ? " mapped" : ""}${marks(view, node)}`);
  if (!view.hasWords) return;
  const words = node.mapped || hasAny(children) ? countText(state, children) : node.members?.length > 1 ? `${node.members.length} tasks` : state ?? "";
  element.querySelector(".node-sign").textContent = kind ? sign(kind) : "";
  const room = node.width - 34;
  const isLong = hasAny(children) && words.length * 5.2 > room;
  element.querySelector(".node-word").textContent = cut(isLong ? signText(children) : words, room, 5.2);
  element.querySelector("title").textContent = `${node.slug}${node.mapped ? " (mapped)" : ""}\n${words}`;
}

// The state that a mapped task is shown in: what is wrong with its children, then what goes on among them.
function worst(state, children) {
  const has = Object.keys(children ?? {}).filter((name) => children[name]);
  if (!has.length || (FAILED.has(state) && !has.some((name) => !isFinished(name)))) return state;
  return has.find((name) => FAILED.has(name)) ?? has.find((name) => name === "Running") ?? has.find((name) => !isFinished(name)) ?? state;
}

const hasAny = (children) => Boolean(children && Object.values(children).some(Boolean));

function countText(state, children) {
  if (!hasAny(children)) return `${state ?? ""} × ?`.trim();
  return Object.entries(children).filter(([, count]) => count).map(([name, count]) => `${count} ${name}`).join(", ");
}

// The counts in short, where their words find no room; the title has the words.
const signText = (children) => Object.entries(children).filter(([, count]) => count).map(([name, count]) => `${sign(name)} ${count}`).join("  ");

const cut = (text, width, letter) => {
  const most = Math.max(3, Math.floor(width / letter));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
};

// --- choosing ------------------------------------------------------------------------------------------------------

function marks(view, node) {
  if (!view.chosen) return "";
  if (node.slug === view.chosen) return " chosen";
  return view.lineage?.has(node.slug) ? "" : " far";
}

// What is chosen is brought into sight, or into the middle and to a readable size if that is asked for.
function select(view, slug, middle = false) {
  if (slug && !view.bySlug.has(slug) && view.layout !== view.all && view.all.nodes.some((node) => node.slug === slug)) {
    show(view, view.all);
    middle = true;
  }
  view.chosen = view.bySlug.has(slug) ? slug : null;
  view.lineage = view.chosen ? lineage(view, view.bySlug.get(slug)) : null;
  for (const [node, element] of view.drawn) paint(view, node, element);
  const node = view.bySlug.get(view.chosen);
  if (node && (middle || (view.touched && isOutside(view, node)))) center(view, node, middle ? 0.7 : 0);
  later(view);
}

// All that a node depends on, and all that depends on it.
function lineage(view, node) {
  const found = new Set([node.slug]);
  for (const way of ["up", "down"]) {
    const waiting = [node];
    while (waiting.length) {
      for (const edge of waiting.pop()[way]) {
        const next = edge.ends[way === "up" ? 0 : 1];
        if (found.has(next.slug)) continue;
        found.add(next.slug);
        waiting.push(next);
      }
    }
  }
  return found;
}

// --- moving about --------------------------------------------------------------------------------------------------

// Groups are to be read, from their beginning; tasks are seen all at first.
const begin = (view) => fit(view, view.layout === view.groups ? READABLE : LEAST_SCALE);

function fit(view, least = LEAST_SCALE) {
  const { width, height } = view.picture.getBoundingClientRect();
  if (!width) return;
  const scale = Math.min(width / (view.layout.width + 2 * AIR), height / (view.layout.height + 2 * AIR), 1);
  view.scale = Math.max(least, scale);
  const middle = (room, size) => (size * view.scale > room && least > scale ? AIR / 2 : (room - size * view.scale) / 2);
  view.x = middle(width, view.layout.width);
  view.y = middle(height, view.layout.height);
  view.touched = false;
  later(view);
}

function isOutside(view, node) {
  const { width, height } = view.picture.getBoundingClientRect();
  const [x, y] = [view.x + node.x * view.scale, view.y + node.y * view.scale];
  return x < 0 || y < 0 || x + node.width * view.scale > width || y + node.height * view.scale > height;
}

function center(view, node, least) {
  const { width, height } = view.picture.getBoundingClientRect();
  const scale = Math.max(view.scale, least);
  Object.assign(view, { scale, touched: true, x: width / 2 - (node.x + node.width / 2) * scale, y: height / 2 - (node.y + node.height / 2) * scale });
  later(view);
}

function zoom(view, factor, at = null) {
  const { width, height } = view.picture.getBoundingClientRect();
  const [x, y] = at ?? [width / 2, height / 2];
  const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, view.scale * factor));
  view.x = x - ((x - view.x) / view.scale) * scale;
  view.y = y - ((y - view.y) / view.scale) * scale;
  Object.assign(view, { scale, touched: true });
  later(view);
}

function move(view, x, y) {
  Object.assign(view, { x: view.x + x, y: view.y + y, touched: true });
  later(view);
}

function bar(view) {
  const list = h("datalist", { id: "graph-tasks" }, view.all.nodes.map((node) => h("option", { value: node.slug })));
  const field = h("input", { type: "search", list: "graph-tasks", placeholder: "Find a task", "aria-label": "Find a task", onchange: () => find(view, field.value) });
  const button = (label, words, work) => h("button", { type: "button", "aria-label": words, title: words, onclick: work }, label);
  view.toggle = view.groups ? h("button", { type: "button", "aria-pressed": "true", title: "Show tasks of like names as one", onclick: () => show(view, view.layout === view.all ? view.groups : view.all) }, "Groups") : null;
  return h("div.filters", field, list, button("+", "Zoom in", () => zoom(view, 1.4)), button("−", "Zoom out", () => zoom(view, 1 / 1.4)), button("Fit", "Show all", () => fit(view)), view.toggle,
    h("span.soft", `${view.all.nodes.length.toLocaleString("en")} tasks`));
}

function find(view, text) {
  const wanted = text.trim().toLowerCase();
  const { nodes } = view.all;
  const node = wanted && (nodes.find((one) => one.slug === text.trim()) ?? nodes.find((one) => one.slug.toLowerCase().includes(wanted) || one.name?.toLowerCase().includes(wanted)));
  fill(view.tip, wanted && !node ? "No task is called that." : null);
  if (!node) return;
  select(view, node.slug, true);
  view.onSelect(node);
}

const KEYS = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };

function listen(view) {
  const { picture } = view;
  const pointers = new Map();
  let moved = 0;
  const place = (event) => {
    const box = picture.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(view, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), place(event));
  }, { passive: false });
  picture.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, place(event));
    moved = 0;
  });
  picture.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = pointers.get(event.pointerId);
    const now = place(event);
    moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    if (moved > 4 && !picture.hasPointerCapture(event.pointerId)) picture.setPointerCapture(event.pointerId);
    if (pointers.size === 2) pinch(view, pointers, event.pointerId, now);
    else if (moved > 4) move(view, now[0] - before[0], now[1] - before[1]);
    pointers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) picture.addEventListener(name, (event) => pointers.delete(event.pointerId));
  picture.addEventListener("click", (event) => {
    if (moved > 4) return;
    const slug = event.target.closest(".node")?.dataset.slug ?? null;
    const { members } = view.bySlug.get(slug) ?? {};
    if (members) return open(view, members);
    select(view, slug);
    view.onSelect(slug ? view.bySlug.get(slug) : null);
  });
  picture.addEventListener("keydown", (event) => {
    if (KEYS[event.key]) move(view, ...KEYS[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(view, 1.4);
    else if (event.key === "-") zoom(view, 1 / 1.4);
    else if (event.key === "0") fit(view);
    else return;
    event.preventDefault();
  });
}

// What is in a group: all tasks, with those of the group in sight; or its only task.
function open(view, members) {
  show(view, view.all);
  if (members.length === 1) {
    select(view, members[0], true);
    view.onSelect(view.bySlug.get(members[0]));
    return;
  }
  const nodes = members.map((slug) => view.bySlug.get(slug));
  const [left, top] = [Math.min(...nodes.map((one) => one.x)), Math.min(...nodes.map((one) => one.y))];
  const [right, bottom] = [Math.max(...nodes.map((one) => one.x + one.width)), Math.max(...nodes.map((one) => one.y + one.height))];
  const { width, height } = view.picture.getBoundingClientRect();
  const scale = Math.min(1, Math.max(LEAST_SCALE, Math.min(width / (right - left + 2 * AIR), height / (bottom - top + 2 * AIR))));
  Object.assign(view, { scale, touched: true, x: width / 2 - ((left + right) / 2) * scale, y: height / 2 - ((top + bottom) / 2) * scale });
  later(view);
}

function pinch(view, pointers, id, now) {
  const [other] = [...pointers].filter(([one]) => one !== id).map(([, at]) => at);
  const before = pointers.get(id);
  const factor = Math.hypot(now[0] - other[0], now[1] - other[1]) / (Math.hypot(before[0] - other[0], before[1] - other[1]) || 1);
  zoom(view, factor, other);
}
