// Home: whether all is well, what runs, what failed, what is late and why, what comes next.
import { get } from "../lib/api.js";
import { plural, startNow } from "../lib/control.js";
import { fill, h } from "../lib/dom.js";
import { counts, flowLink, refill, runLink } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { card, empty, head, query, table } from "../lib/parts.js";
import { runTimes } from "../lib/runtimes.js";
import { badge } from "../lib/states.js";
import { lasting, moment } from "../lib/time.js";

const HOURS = { "1h": 1, "6h": 6, "24h": 24, "7d": 168 };
const REMEDIES = {
  NO_AGENT: ["Start an agent", "/start"], SILENT_AGENTS: ["See the agents", "/agents"], LABELS: ["Compare with the agents", "/agents"], LABEL_LIMIT: ["See the limits", "/queue?tab=limits"],
  POOL_PAUSED: ["See the pools", "/agents?tab=pools"], POOL_FULL: ["See the pools", "/agents?tab=pools"], POOL_GONE: ["See the pools", "/agents?tab=pools"], READY: ["See the agents", "/agents"],
};

export async function show(page) {
  const view = { strip: h("div.health"), times: h("div"), body: h("div"), since: 0 };
  const ranges = h("div.tools", { role: "group", "aria-label": "How far back" }, Object.keys(HOURS).map((name) => h("button.chip", { type: "button", "aria-pressed": String(range() === name), onclick: (event) => {
    query.set({ range: name === "24h" ? null : name });
    for (const one of event.target.parentElement.children) one.setAttribute("aria-pressed", String(one === event.target));
    load();
  } }, name.replace(/(\d+)/, "$1 "))));
  fill(page, head("Home", { tools: [h("a.button", { href: "/events" }, "Events"), ranges] }), view.strip, view.times, view.body);
  const load = async () => {
    const summary = await get("summary", { hours: HOURS[range()] });
    if (isNew(summary) && !(await get("flows", { limit: 1 })).items.length) {
      refill(view.body, "new", () => welcome());
      showHealth(view, summary);
      return;
    }
    showHealth(view, summary);
    const running = summary.running ? (await get("flow_runs", { state: ["Running", "Cancelling"], limit: 20 })).items : [];
    refill(view.body, [summary.late, summary.failed, summary.upcoming, summary.finished, running.map((one) => [one.id, one.version])], () => lists(summary, running));
    await showTimes(view);
  };
  await keepFresh(load, { kinds: ["flow_run_state"] });
}

const range = () => (HOURS[query.get("range")] ? query.get("range") : "24h");
const isNew = (summary) => !summary.running && !summary.waiting && !summary.upcoming.length && !Object.keys(summary.finished).length;

function welcome() {
  return empty("Nothing is here yet", h("p", "Three commands lead to a first run."), h("p", h("a.button.primary", { href: "/start" }, "First steps")));
}

// --- health --------------------------------------------------------------------------------------------------------

function showHealth(view, { server, agents, running, waiting, late, finished }) {
  const quiet = server.services.filter((one) => one.problem || (one.last && Date.now() - Date.parse(one.last) > Math.max(30, 4 * one.interval) * 1000));
  const failed = ["Failed", "TriggerFailed", "TimedOut", "ValidationFailed", "ClientFailed"].reduce((sum, name) => sum + (finished[name] ?? 0), 0);
  const done = Object.values(finished).reduce((sum, count) => sum + count, 0);
  fill(view.strip, [
    tile("Server", `dagflow ${server.version}`, h("span", "up for ", lasting(server.started)), true, "/admin"),
    tile("Services", quiet.length ? `${plural(quiet.length, "service")} behind` : `${server.services.length} on time`, quiet[0] ? quiet[0].problem ?? quiet[0].name : "scheduler and its companions", !quiet.length, "/admin?tab=server"),
    tile("Database", server.database.kind, bytes(server.database.bytes), true, "/admin?tab=server"),
    tile("Agents", `${agents.healthy} healthy`, agents.silent ? `${agents.silent} silent` : "none silent", agents.healthy > 0, "/agents"),
    tile("Running", running, `${waiting} waiting`, true, "/runs?state=running"),
    tile("Late", late.length, late.length ? "see why below" : "all in time", !late.length, "/runs?late=true"),
    tile(`Ended in ${range()}`, done, `${failed} failed`, !failed, `/runs?range=${range()}`),
  ]);
}

function tile(name, value, note, good, href) {
  return h("a.tile", { href, class: good ? "is-good" : "is-bad" }, h("span.tile-name", h("span.tile-sign", { "aria-hidden": "true" }, good ? "✓" : "!"), name, h("span.visually-hidden", good ? ", all is well" : ", look here")), h("strong", value), h("span.soft", note));
}

export const bytes = (count) => (count === null || count === undefined ? "–" : count < 1e6 ? `${Math.ceil(count / 1000)} kB` : count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`);

// --- lists ---------------------------------------------------------------------------------------------------------

function lists({ late, failed, upcoming, finished }, running) {
  return [late.length ? h("section.card", h("h2", `Late or waiting (${late.length})`), lateTable(late)) : null,
    h("div.cards",
      card("Running now", runTable(running, [["For", (run) => lasting(run.start_time)]], "Nothing runs at the moment."), running.length === 20 ? h("p", h("a", { href: "/runs?state=running" }, "All running")) : null),
      card("Failed lately", runTable(failed, [["When", (run) => moment(run.end_time)]], `Nothing failed in the last ${range()}.`), failed.length ? h("p", h("a", { href: `/runs?state=failed&range=${range()}` }, "All failed")) : null),
      card("Coming up", runTable(upcoming.slice(0, 8), [["When", (run) => moment(run.start_time)]], "No run is planned.", false), upcoming.length > 8 ? h("p", h("a", { href: "/runs?state=Scheduled&order=scheduled" }, "All planned")) : null),
      card(`Ended in ${range()}`, Object.keys(finished).length ? counts(finished) : h("p.none", "No run has ended in this time.")))];
}

function runTable(runs, extra, none, states = true) {
  return table([
    { head: "Run", cell: (run) => [runLink(run), h("div.soft", flowLink(run))] },
    ...(states ? [{ head: "State", cell: (run) => [badge(run.state, { message: run.message ?? run.state_message }), run.message ? h("div.soft.one-line", { title: run.message }, run.message) : null] }] : []),
    ...extra.map(([name, cell]) => ({ head: name, cell })),
  ], runs, { empty: none });
}

// Grouped by the first reason, as one remedy often helps them all.
function lateTable(runs) {
  const groups = new Map();
  for (const run of runs) {
    const reason = run.reasons?.[0] ?? { code: "", text: "The server gives no reason." };
    const found = groups.get(reason.text) ?? { reason, runs: [] };
    found.runs.push(run);
    groups.set(reason.text, found);
  }
  return [...groups.values()].map(({ reason, runs: list }) => h("div.reason", h("p", h("strong", reason.text), REMEDIES[reason.code] ? [" ", h("a", { href: REMEDIES[reason.code][1] }, REMEDIES[reason.code][0])] : null),
    table([
      { head: "Run", cell: (run) => [runLink(run), h("div.soft", flowLink(run))] },
      { head: "State", cell: (run) => badge(run.state, { late: run.late }) },
      { head: "Due", cell: (run) => moment(run.start_time) },
      { head: "", hide: true, cell: (run) => (Date.parse(run.start_time) > Date.now() ? h("button", { type: "button", onclick: (event) => startNow(event.target, run) }, "Start now") : null) },
    ], list)));
}

// --- over time -----------------------------------------------------------------------------------------------------

async function showTimes(view) {
  const span = HOURS[range()] * 3_600_000;
  const until = Date.now() + span / 6;
  const since = Date.now() - span;
  const { runs } = await get("timeline", { since: new Date(since).toISOString(), until: new Date(until).toISOString(), limit: 500 });
  refill(view.times, [range(), Math.floor(Date.now() / 20_000), runs], () => card("Runs over time", runs.length ? runTimes(runs, since, until) : h("p.none", "No run in this time."), runs.length === 500 ? h("p.soft", "The first 500 runs of this time are shown.") : null));
}
