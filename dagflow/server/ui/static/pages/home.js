// Home: how things stand, at a glance.
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { card, head, query, table } from "../lib/parts.js";
import { badge } from "../lib/states.js";
import { lasting, moment } from "../lib/time.js";
import { strip } from "../lib/strip.js";
import { bytes } from "../lib/words.js";
import { steps } from "./start.js";

const HOURS = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d" };

export async function show(page) {
  const place = h("div");
  const first = steps();
  page.append(head("Home", { tools: [h("a.button", { href: "/flows" }, "Flows"), h("a.button", { href: "/runs" }, "All runs")] }), place);
  const choice = h("div.filters", { role: "group", "aria-label": "Time shown" });
  const fresh = { now: () => null };
  let hours = Number(query.get("hours", 6));
  const drawChoice = () => fill(choice, Object.entries(HOURS).map(([value, text]) => h("button", { type: "button", class: Number(value) === hours ? "chosen" : null, "aria-pressed": String(Number(value) === hours), onclick: () => {
    hours = Number(value);
    query.set({ hours: hours === 6 ? null : hours });
    drawChoice();
    fresh.now();
  } }, text)));
  drawChoice();
  let shown = "";

  Object.assign(fresh, await keepFresh(async () => {
    const now = Date.now();
    const since = new Date(now - hours * 3_600_000), until = new Date(now + hours * 600_000);
    const [summary, timeline, running] = await Promise.all([
      get("summary"), get("timeline", { since: since.toISOString(), until: until.toISOString(), limit: 500 }),
      get("flow_runs", { state: ["Running", "Cancelling"], order: "start", limit: 20 }),
    ]);
    if (!timeline.runs.length && !running.items.length && !summary.upcoming.length && !Object.keys(summary.finished).length) {
      const any = await get("flow_runs", { limit: 1 });
      if (!any.items.length) {
        await first.load();
        if (shown !== "first") fill(place, h("p", "Nothing has run here yet. Four commands to a first run:"), first.element);
        shown = "first";
        return;
      }
    }
    shown = "all";
    fill(place, health(summary), card("Timeline", choice, strip(timeline.runs, since, until)),
      h("div.cards",
        card(`Running (${summary.running})`, runs(running.items, [["For", (run) => lasting(run.start_time, null)]], "Nothing runs right now.")),
        card("Late", late(summary.late)),
        card("Failed lately", runs(summary.failed, [["Ended", (run) => moment(run.end_time)]], "Nothing failed lately.")),
        card("Upcoming", runs(summary.upcoming.slice(0, 8), [["Starts", (run) => moment(run.start_time)]], "Nothing is planned."))));
  }));
}

function runs(items, more, none) {
  return table([
    { head: "Run", cell: (run) => h("div", h("a", { href: `/runs/${run.id}` }, run.name), h("div.soft.small", run.flow_name)) },
    { head: "State", cell: (run) => badge(run.state, { message: run.message ?? run.state_message, late: run.late }) },
    ...more.map(([title, cell]) => ({ head: title, cell })),
  ], items, { empty: none });
}

function late(items) {
  if (!items.length) return h("p.none", "Nothing is late.");
  const reasons = {};
  for (const run of items) {
    const reason = run.reasons[0] ?? { code: "", text: "No reason is known." };
    (reasons[reason.text] ??= { code: reason.code, runs: [] }).runs.push(run);
  }
  return h("div", Object.entries(reasons).map(([text, { code, runs: some }]) => h("div.reason", h("p", h("strong", text), " ", remedy(code)),
    h("ul.plain-list", some.map((run) => h("li", h("a", { href: `/runs/${run.id}` }, run.name), h("span.soft", ` · ${run.flow_name} · due `), moment(run.start_time)))))));
}

function remedy(code) {
  const places = { NO_AGENT: ["/start", "Start an agent"], SILENT_AGENTS: ["/agents", "See the agents"], LABELS: ["/agents", "See the agents' labels"], LABEL_LIMIT: ["/queue", "See the limits"], POOL_PAUSED: ["/agents", "See the pools"], POOL_FULL: ["/agents", "See the pools"], POOL_GONE: ["/agents", "See the pools"] };
  return places[code] ? h("a", { href: places[code][0] }, places[code][1]) : null;
}

// One line of signs: what is well has a tick, what is not has a word about it.
function health({ server, agents, finished, waiting }) {
  const problems = server.services.filter((one) => one.problem);
  const done = Object.values(finished).reduce((sum, count) => sum + count, 0);
  const failed = ["Failed", "TimedOut", "TriggerFailed", "ValidationFailed"].reduce((sum, name) => sum + (finished[name] ?? 0), 0);
  const scheduler = server.services.find((one) => one.name === "scheduler");
  const items = [
    ["Server", true, h("span", `version ${server.version}, up `, lasting(server.started, null))],
    ["Scheduler", !problems.length, problems.length ? problems[0].problem : scheduler?.last ? h("span", "last pass ", moment(scheduler.last)) : "not run yet"],
    ["Database", true, `${server.database.kind}, ${bytes(server.database.bytes)}`],
    ["Agents", agents.healthy > 0, agents.healthy ? `${agents.healthy} asking for work${agents.silent ? `, ${agents.silent} silent` : ""}` : h("a", { href: "/start" }, "none asks for work")],
    ["Last 24 hours", !failed, h("span", `${done} finished, `, h("a", { href: "/runs?state=failed&range=24h" }, `${failed} failed`), ", ", h("a", { href: "/queue" }, `${waiting} waiting`))],
  ];
  return h("section.health", { "aria-label": "Health" }, items.map(([name, well, text]) => h("div.health-item", h(`span.mark.${well ? "good" : "warn"}`, { role: "img", "aria-label": well ? "well" : "look here" }, well ? "✓" : "!"), h("div", h("strong", name), h("div.soft.small", text)))));
}
