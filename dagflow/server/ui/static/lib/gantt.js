// A run over time: a row for each task in their order, thin while it waits, thick while it runs.
import { fill, h, s } from "./dom.js";
import { labelOf, plural } from "./control.js";
import { FAILED, group, sign } from "./states.js";
import { duration, exact } from "./time.js";

const ROW = 26;
const AXIS = 28;
const LEAST_SPAN = 50; // milliseconds; nobody zooms further in
const ORDER = ["Done", "Failed", "Running", "Waiting"];
const AROUND = 4; // rows drawn beyond what is seen
const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5];

// Returns {element, update(data), resize()}; data as GET /api/flow_runs/{id}/timeline answers.
export function gantt({ onSelect = () => {} } = {}) {
  const view = { data: null, attempt: null, window: null, rows: [], onSelect, chosen: null, wanted: "" };
  view.labels = h("div.gantt-labels");
  view.picture = s("svg.gantt-bars", { role: "img", "aria-label": "Tasks over time; the table of task runs says the same" });
  view.axis = s("svg.gantt-axis", { "aria-hidden": "true" });
  view.body = h("div.gantt-body", view.labels, h("div.gantt-picture", view.picture));
  view.box = h("div.gantt-box", { tabindex: "0", "aria-label": "Timeline", onscroll: () => draw(view) }, h("div.gantt-head", h("div.gantt-corner"), view.axis), view.body);
  view.attempts = h("select", { "aria-label": "Attempt", onchange: () => chooseAttempt(view, view.attempts.value) });
  view.note = h("span.soft");
  view.box.addEventListener("wheel", (event) => wheel(view, event), { passive: false });
  dragging(view);
  const watch = new ResizeObserver(() => draw(view));
  watch.observe(view.box);
  const element = h("section.gantt", tools(view), view.box, legend());
  return { element, update: (data) => update(view, data), stop: () => watch.disconnect() };
}

function tools(view) {
  const filter = h("input", { type: "search", placeholder: "Filter tasks", "aria-label": "Filter tasks", oninput: () => {
    view.wanted = filter.value.toLowerCase();
    list(view);
    draw(view);
  } });
  return h("div.filters", view.attempts, filter,
    h("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoom(view, 0.6) }, "+"),
    h("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoom(view, 1 / 0.6) }, "−"),
    h("button", { type: "button", onclick: () => { view.window = null; draw(view); } }, "Fit"), view.note);
}

function legend() {
  return h("p.legend.soft", h("span.legend-thin"), "waits ", h("span.legend-thick"), "runs ", h("span.legend-path"), "critical path: the chain of tasks that the end waited for",
    h("span.wide", " · Zoom with Ctrl and the wheel, drag to move"));
}

// --- what is shown -------------------------------------------------------------------------------------------------

function update(view, data) {
  view.data = data;
  view.path = new Set(data.critical_path ?? []);
  const numbers = (data.attempts ?? []).map((one) => String(one.number));
  if (view.attempt === null || (view.attempt !== "all" && !numbers.includes(view.attempt))) view.attempt = numbers.at(-1) ?? "all";
  if (view.attempt !== "all" && view.newest === view.attempt && numbers.at(-1) !== view.attempt) view.attempt = numbers.at(-1);
  view.newest = numbers.at(-1);
  view.attempts.hidden = numbers.length < 2;
  fill(view.attempts, numbers.map((number) => h("option", { value: number, selected: number === view.attempt }, `Attempt ${number}`)),
    h("option", { value: "all", selected: view.attempt === "all" }, "All attempts"));
  list(view);
  draw(view);
}

function list(view) {
  const fits = (one) => !view.wanted || labelOf(one).toLowerCase().includes(view.wanted) || (one.name ?? "").toLowerCase().includes(view.wanted);
  view.rows = view.data.tasks.filter(fits).map((task) => ({ task, spans: spansOf(view, task) }));
  fill(view.note, plural(view.rows.length, "task"));
}

const spansOf = (view, task) => (task.spans ?? []).filter((span) => view.attempt === "all" || span.attempt === undefined || String(span.attempt) === view.attempt);

function chooseAttempt(view, attempt) {
  Object.assign(view, { attempt, window: null });
  list(view);
  draw(view);
}

// First and last moment of the attempt, with a little air.
function extent(view) {
  const { data, attempt } = view;
  const one = attempt === "all" ? null : data.attempts.find((each) => String(each.number) === attempt);
  let from = ms(one?.start ?? data.start);
  let to = one ? ms(one.end) : ms(data.end);
  for (const row of view.rows) {
    for (const span of row.spans) {
      from = Math.min(from ?? ms(span.start), ms(span.start));
      if (span.end) to = Math.max(to ?? 0, ms(span.end));
    }
  }
  const isOpen = view.rows.some((row) => row.spans.some((span) => !span.end)) || !(one ? one.end : data.end);
  if (isOpen || to === null) to = Math.max(to ?? 0, Date.now());
  from ??= to - 1000;
  const air = Math.max(LEAST_SPAN, (to - from) * 0.02);
  return [from - air, to + air];
}

const ms = (value) => (value ? new Date(value).getTime() : null);
const shown = (view) => view.window ?? extent(view);

// --- drawing: only the rows that are seen --------------------------------------------------------------------------

function draw(view) {
  if (!view.data) return;
  const labelWidth = view.labels.offsetWidth || 200;
  const width = Math.max(120, view.box.clientWidth - labelWidth);
  const height = view.rows.length * ROW;
  view.body.style.height = `${height}px`;
  view.picture.setAttribute("width", width);
  view.picture.setAttribute("height", height);
  view.axis.setAttribute("width", width);
  view.axis.setAttribute("height", AXIS);
  const [from, to] = shown(view);
  const x = (moment) => ((moment - from) / (to - from)) * width;
  const first = Math.max(0, Math.floor(view.box.scrollTop / ROW) - AROUND);
  const last = Math.min(view.rows.length, Math.ceil((view.box.scrollTop + view.box.clientHeight) / ROW) + AROUND);
  const rows = view.rows.slice(first, last).map((row, place) => ({ ...row, y: (first + place) * ROW }));
  const ticks = ticksOf(view, from, to, width);
  fill(view.axis, ticks.filter((at) => x(at) > 24 && x(at) < width - 24).map((at) => s("text", { x: x(at), y: 18, "text-anchor": "middle" }, tickText(at, ticks[1] - ticks[0], beginning(view)))));
  fill(view.picture,
    ticks.map((at) => s("line.gantt-grid", { x1: x(at), x2: x(at), y1: 0, y2: height })),
    moments(view, from, to).map((one) => s("line.gantt-moment", { x1: x(one.at), x2: x(one.at), y1: 0, y2: height }, s("title", `${one.state}: ${exact(one.at)}${one.message ? `\n${one.message}` : ""}`))),
    rows.map((row) => bars(view, row, { x, width, from, to })));
  drawLabels(view, rows);
}

function drawLabels(view, rows) {
  const focused = document.activeElement?.closest?.(".gantt-label")?.dataset.slug;
  fill(view.labels, rows.map((row) => {
    const onPath = view.path.has(row.task.slug);
    return h("button.gantt-label", { type: "button", style: { top: `${row.y}px` }, "data-slug": row.task.slug, title: `${labelOf(row.task)}\n${row.task.state ?? "not run"}${onPath ? "\non the critical path" : ""}`,
      class: `${onPath ? "on-path " : ""}${view.chosen === row.task.slug ? "chosen" : ""}`, onclick: () => choose(view, row.task) },
    h(`span.sign.state-${row.task.state ?? "None"}`, { "aria-hidden": "true" }, sign(row.task.state ?? "Pending")),
    h("span.gantt-name", labelOf(row.task)), h("span.hidden-text", ` ${row.task.state ?? "not run"}`), counts(row.task));
  }));
  if (focused) view.labels.querySelector(`[data-slug="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function counts(task) {
  const total = Object.values(task.children ?? {}).reduce((sum, one) => sum + one, 0);
  if (!total) return null;
  const failed = Object.entries(task.children).reduce((sum, [state, one]) => sum + (FAILED.has(state) ? one : 0), 0);
  return h("span.gantt-count", failed ? h("span.bad", `${failed} failed of `) : null, `× ${total}`);
}

function bars(view, row, { x, width, from, to }) {
  const now = Date.now();
  const parts = [s("rect.gantt-row", { x: 0, y: row.y, width, height: ROW, class: view.chosen === row.task.slug ? "chosen" : null, onclick: () => choose(view, row.task) })];
  if (!row.spans.length) parts.push(s("text.gantt-none", { x: 8, y: row.y + 17 }, row.task.state && row.task.spans?.length ? "not in this attempt" : "not run"));
  for (const span of row.spans) {
    const start = ms(span.start);
    const end = ms(span.end) ?? now;
    if (end < from || start > to) continue;
    const left = Math.max(-4, x(start));
    const long = Math.max(2, Math.min(width + 4, x(end)) - left);
    parts.push(bar(view, row, { span, left, long, start, end }));
  }
  return parts;
}

function bar(view, row, { span, left, long, start, end }) {
  const { task, y } = row;
  const state = span.state ?? task.state;
  const words = `${labelOf(task)}\n${span.kind}${span.state ? `, then ${span.state}` : ""}\n${exact(start)} · ${duration(end - start)}`;
  const picked = { onclick: () => choose(view, task) };
  if (span.kind !== "running") {
    return s("rect.gantt-thin", { x: left, y: y + ROW / 2 - 2, width: long, height: 4, class: `state-${span.kind === "queued" ? "Queued" : "Scheduled"}`, ...picked }, s("title", words));
  }
  const onPath = view.path.has(task.slug);
  return s("g", picked, s("title", words), task.children ? split(task.children, left, long, y) :
    s("rect.gantt-bar", { x: left, y: y + 5, width: long, height: ROW - 10, rx: 2, class: `state-${state ?? "Running"}` }),
  onPath ? s("rect.gantt-path", { x: left, y: y + ROW - 4, width: long, height: 3 }) : null,
  long > 46 ? s("text.gantt-text", { x: left + 6, y: y + 17, class: `state-${task.children ? "Mapped" : state ?? "Running"}` }, duration(end - start)) : null);
}

// The bar of a mapped task: as much of each colour as it has children in that state.
function split(children, left, long, y) {
  const total = Object.values(children).reduce((sum, one) => sum + one, 0) || 1;
  let at = left;
  const parts = Object.entries(children).sort(([a], [b]) => ORDER.indexOf(group(a)) - ORDER.indexOf(group(b)));
  return parts.map(([state, count]) => {
    const part = (count / total) * long;
    at += part;
    return s("rect.gantt-bar", { x: at - part, y: y + 5, width: part, height: ROW - 10, class: `state-${state}` });
  });
}

// When the run itself changed its state.
const moments = (view, from, to) => (view.data.states ?? []).map((one) => ({ ...one, at: ms(one.timestamp) })).filter((one) => one.at >= from && one.at <= to);

const beginning = (view) => ms(view.data.attempts?.find((each) => String(each.number) === view.attempt)?.start ?? view.data.start);

// Round moments, and parts of seconds counted from the beginning.
function ticksOf(view, from, to, width) {
  if (!beginning(view)) return [];
  const least = (to - from) / Math.max(2, width / 110);
  const step = TICKS.find((one) => one >= least) ?? TICKS.at(-1);
  const offset = step < 1000 ? beginning(view) % step : step >= 36e5 ? new Date(from).getTimezoneOffset() * 60_000 : 0;
  const ticks = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at < to && ticks.length < 60; at += step) ticks.push(at);
  return ticks;
}

function tickText(at, step, from) {
  const text = exact(at).replace(" UTC", "");
  if (step < 1000) return at === from ? "0" : `${at > from ? "+" : "−"}${duration(Math.abs(at - from))}`;
  return step >= 864e5 ? text.slice(5, 10) : step >= 6e4 ? text.slice(11, 16) : text.slice(11);
}

// --- moving about --------------------------------------------------------------------------------------------------

function choose(view, task) {
  view.chosen = task.slug;
  draw(view);
  view.onSelect(task);
}

function zoom(view, factor, at = 0.5) {
  const [from, to] = shown(view);
  const [least, most] = extent(view);
  const middle = from + (to - from) * at;
  const span = Math.max(LEAST_SPAN, (to - from) * factor);
  if (span >= most - least) view.window = null;
  else {
    const start = Math.min(Math.max(middle - span * at, least), most - span);
    view.window = [start, start + span];
  }
  draw(view);
}

function wheel(view, event) {
  if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
  event.preventDefault();
  const box = view.picture.getBoundingClientRect();
  const at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  if (event.shiftKey && !event.ctrlKey) return move(view, (event.deltaX || event.deltaY) / box.width);
  zoom(view, event.deltaY > 0 ? 1.25 : 0.8, at);
}

function move(view, part) {
  if (!view.window) return;
  const [from, to] = view.window;
  const [least, most] = extent(view);
  const by = Math.min(Math.max((to - from) * part, least - from), most - to);
  view.window = [from + by, to + by];
  draw(view);
}

function dragging(view) {
  let last = null;
  view.picture.addEventListener("pointerdown", (event) => (last = event.clientX));
  addEventListener("pointerup", () => (last = null));
  view.picture.addEventListener("pointermove", (event) => {
    if (last === null || !view.window || !event.buttons) return;
    move(view, (last - event.clientX) / view.picture.getBoundingClientRect().width);
    last = event.clientX;
  });
  view.box.addEventListener("keydown", (event) => {
    if (event.key === "+") zoom(view, 0.6);
    if (event.key === "-") zoom(view, 1 / 0.6);
    if (event.key === "0") zoom(view, Infinity);
  });
}
