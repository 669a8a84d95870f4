// Runs over time, a row for each flow; what is planned stands right of now.
import { fill, h, s } from "./dom.js";
import { isFinished, sign } from "./states.js";
import { duration, exact } from "./time.js";

const ROW = 30;
const TOP = 26;
const STEPS = [300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400].map((one) => one * 1000);

// runs: as GET /api/timeline answers; since, until: milliseconds.
export function runTimes(runs, since, until) {
  const element = h("div.times");
  const draw = () => fill(element, picture(runs, since, until, Math.max(320, element.clientWidth || 900)));
  const watch = new ResizeObserver(() => element.isConnected && draw());
  watch.observe(element);
  return element;
}

function picture(runs, since, until, width) {
  const left = width < 600 ? 96 : 170;
  const groups = Map.groupBy ? Map.groupBy(runs, (run) => run.flow_group_id) : grouped(runs);
  const rows = [...groups.values()].sort((one, other) => one[0].flow_name.localeCompare(other[0].flow_name));
  const x = (time) => left + ((Math.min(Math.max(time, since), until) - since) / (until - since)) * (width - left - 12);
  const height = TOP + rows.length * ROW + 6;
  const now = Date.now();
  return s("svg.times-picture", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `${runs.length} runs of ${rows.length} flows over time` },
    axis(since, until, { x, height, most: Math.max(2, Math.floor((width - left) / 70)) }), rows.map((list, place) => row(list, TOP + place * ROW, { x, left, width, until, now })),
    now < until ? s("line.times-now", { x1: x(now), x2: x(now), y1: TOP - 8, y2: height }) : null);
}

function grouped(runs) {
  const groups = new Map();
  for (const run of runs) groups.set(run.flow_group_id, [...(groups.get(run.flow_group_id) ?? []), run]);
  return groups;
}

function axis(since, until, { x, height, most }) {
  const step = STEPS.find((one) => (until - since) / one <= Math.min(8, most)) ?? STEPS.at(-1);
  const offset = new Date(since).getTimezoneOffset() * 60_000;
  const marks = [];
  for (let at = Math.ceil((since - offset) / step) * step + offset; at < until; at += step) marks.push(at);
  return marks.map((at) => [s("line.times-line", { x1: x(at), x2: x(at), y1: TOP - 6, y2: height }),
    s("text.times-mark", { x: x(at), y: 13, "text-anchor": "middle" }, exact(at).slice(step >= 86_400_000 ? 5 : 11, step >= 86_400_000 ? 10 : 16))]);
}

function row(runs, y, at) {
  const name = runs[0].flow_name;
  const most = at.left < 100 ? 13 : 23;
  return s("g", s("line.times-line", { x1: 0, x2: at.width, y1: y + ROW, y2: y + ROW }),
    s("a", { href: `/flows/${runs[0].flow_group_id}` }, s("text.times-name", { x: 0, y: y + 20 }, name.length > most ? `${name.slice(0, most - 1)}…` : name, s("title", name))),
    runs.map((run) => bar(run, y, at)));
}

function bar(run, y, at) {
  const start = Date.parse(run.start_time ?? run.scheduled_start_time);
  const end = run.end_time ? Date.parse(run.end_time) : run.start_time && !isFinished(run.state) ? Math.min(at.now, at.until) : start;
  const width = Math.max(5, at.x(end) - at.x(start));
  const planned = !run.start_time && !isFinished(run.state);
  const said = `${run.name} of ${run.flow_name}: ${run.state}, ${exact(start)}${run.start_time ? `, ${duration(end - start)}` : ""}`;
  return s("a", { href: `/runs/${run.id}`, "aria-label": said, class: `state-${run.state} times-run${planned ? " planned" : ""}` }, s("title", said),
    s("rect", { x: at.x(start), y: y + 6, width, height: ROW - 12, rx: 3 }),
    width >= 14 ? s("text", { x: at.x(start) + width / 2, y: y + 19, "text-anchor": "middle" }, sign(run.state)) : null);
}
