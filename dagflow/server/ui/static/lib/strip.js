// The timeline of many runs: a row for each flow, a bar for each run, planned ones ahead of now.
import { h, s } from "./dom.js";
import { sign } from "./states.js";
import { duration, exact } from "./time.js";

const ROW = 22, LEFT = 170, TOP = 20, WIDTH = 1200;

export function strip(runs, since, until) {
  const flows = [...new Set(runs.map((run) => run.flow_name))].sort();
  if (!flows.length) return h("p.none", "Nothing ran or is planned in this time.");
  const height = TOP + flows.length * ROW + 6;
  const x = (time) => LEFT + ((Math.min(Math.max(new Date(time), since), until) - since) / (until - since)) * (WIDTH - LEFT);
  const picture = s("svg.strip", { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": `${runs.length} runs of ${flows.length} flows` });
  for (let part = 0; part <= 6; part++) {
    const time = new Date(+since + ((until - since) * part) / 6);
    const text = until - since > 2 * 86_400_000 ? exact(time).slice(5, 16) : exact(time).slice(11, 16);
    picture.append(s("line.strip-line", { x1: x(time), x2: x(time), y1: TOP - 4, y2: height }), s("text.strip-time", { x: x(time), y: 12, "text-anchor": part === 6 ? "end" : part ? "middle" : "start" }, text));
  }
  flows.forEach((name, number) => picture.append(s("text.strip-flow", { x: 0, y: TOP + number * ROW + 15 }, name.length > 24 ? `${name.slice(0, 23)}…` : name)));
  const now = Date.now();
  for (const run of runs) {
    const begin = run.start_time ?? run.scheduled_start_time, end = run.end_time ?? (run.start_time ? now : begin);
    const y = TOP + flows.indexOf(run.flow_name) * ROW + 3;
    const width = Math.max(7, x(end) - x(begin));
    const words = `${run.name} (${run.flow_name}): ${run.state}, ${exact(begin)}${run.end_time && run.start_time ? `, ${duration(new Date(run.end_time) - new Date(run.start_time))}` : ""}`;
    picture.append(s("a", { href: `/runs/${run.id}`, "aria-label": words }, s("title", words), s(`rect.strip-run.state-${run.state}`, { x: x(begin), y, width, height: ROW - 7, rx: 3 }),
      width > 12 ? s(`text.strip-sign.state-${run.state}`, { x: x(begin) + 3, y: y + 11 }, sign(run.state)) : null));
  }
  picture.append(s("line.strip-now", { x1: x(now), x2: x(now), y1: TOP - 4, y2: height }));
  return h("div.scroll", picture);
}
