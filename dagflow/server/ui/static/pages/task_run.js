// The run of one task, or of one of its mapped children.
import { get } from "../lib/api.js";
import { artifacts } from "../lib/artifacts.js";
import { fill, h } from "../lib/dom.js";
import { logs } from "../lib/logs.js";
import { keepFresh } from "../lib/live.js";
import { ApiError } from "../lib/api.js";
import { act, card, head, query, segment, table, tabs } from "../lib/parts.js";
import { graphOf, labelOf, stateCounts, taskActions, taskFacts, taskPlace } from "../lib/side.js";
import { badge, block, FAILED, GROUPS, isFinished, sign } from "../lib/states.js";
import { exact, lasting, moment } from "../lib/time.js";

const TABS = { overview: ["Overview", overview], logs: ["Logs", taskLogs], artifacts: ["Artifacts", taskArtifacts], children: ["Mapped children", children], history: ["History", history] };
const PAGE = 200;

export async function show(page) {
  const here = { top: h("div"), id: null, tab: null };
  here.changed = () => here.fresh?.now();
  await find(here);
  await load(here);
  page.append(here.top);
  showTop(here);
  const isParent = here.found.state === "Mapped" || here.task?.mapped;
  const names = Object.entries(TABS).filter(([id]) => id !== "children" || (isParent && here.found.map_index < 0));
  const bar = tabs(names.map(([id, [label]]) => [id, label]), (id, panel) => openTab(here, id, panel));
  page.append(bar.element);
  await bar.ready;
  here.fresh = await keepFresh(() => refresh(here), { flowRunId: here.found.flow_run_id });
}

// --- which one -----------------------------------------------------------------------------------------------------

// By the name of its task in a run, "load-1" or "load-1[3]", or by its id.
async function find(here) {
  if (segment(0) === "task-runs") {
    here.id = segment(1);
    return;
  }
  const run = segment(1);
  const name = decodeURIComponent(location.pathname.slice(location.pathname.indexOf("/tasks/") + 7));
  const [, slug, index] = /^(.*?)(?:\[(\d+)\])?$/.exec(name);
  const { items } = await get(`flow_runs/${run}/task_runs`, { task_slug: slug, map_index: index ?? -1, limit: 1 });
  if (!items.length) throw new ApiError(404, "NOT_FOUND", index ? `The task ${slug} has no child ${index} in this run, or not yet.` : `There is no task ${slug} in this run.`, null);
  here.id = items[0].id;
}

async function load(here) {
  const found = await get(`task_runs/${here.id}`);
  const [run, graph] = await Promise.all([get(`flow_runs/${found.flow_run_id}`), graphOf(found.flow_run_id, here.graph)]);
  Object.assign(here, { found, run, graph, task: graph.tasks.find((one) => one.slug === found.task_slug) });
}

async function refresh(here) {
  await load(here);
  showTop(here);
  await here.tab?.refresh?.();
}

async function openTab(here, id, panel) {
  here.tab = null;
  let tab = null;
  try {
    tab = await TABS[id][1](here, panel);
  } catch (error) {
    fill(panel, h("section.empty", h("h2", `${TABS[id][0]} could not be shown`), h("p", error.message)));
  }
  here.tab = tab;
  return () => tab?.stop?.();
}

// --- head ----------------------------------------------------------------------------------------------------------

function showTop(here) {
  const { found, run } = here;
  const key = JSON.stringify([found.version, found.name, run.version]);
  if (key === here.shown) return;
  here.shown = key;
  const crumbs = [["Runs", "/runs"], [run.flow_name, `/flows/${run.flow_group_id}`], [run.name, `/runs/${run.id}`]];
  if (found.map_index >= 0) crumbs.push([found.task_slug, taskPlace(run.id, found.task_slug)]);
  fill(here.top, head(labelOf(found), { crumbs, beside: [badge(found.state)], tools: taskActions(run, found, here.changed) }),
    found.state_message ? h("p.message", { class: FAILED.has(found.state) ? "bad" : null }, found.state_message) : null);
  document.title = `${sign(found.state)} ${labelOf(found)} · dagflow`;
}

// --- tabs ----------------------------------------------------------------------------------------------------------

async function overview(here, panel) {
  let shown = null;
  async function load_() {
    const { items } = await get(`task_runs/${here.id}/states`);
    const key = JSON.stringify([here.found.version, here.run.state, upstream(here).map((edge) => here.graph.states[edge.upstream_slug]?.state)]);
    if (key === shown) return;
    shown = key;
    fill(panel, h("div.cards", card("Task run", taskFacts(here.found)), card("Why", why(here)), card("Depends on", dependencies(here, "up")), card("Needed by", dependencies(here, "down"))), card("States", states(items)));
  }
  await load_();
  return { refresh: load_ };
}

const upstream = (here) => here.graph.edges.filter((edge) => edge.downstream_slug === here.found.task_slug);
const downstream = (here) => here.graph.edges.filter((edge) => edge.upstream_slug === here.found.task_slug);

// One or two sentences about why it is in its state.
function why(here) {
  const { found, run, graph } = here;
  const stateOf = (edge) => graph.states[edge.upstream_slug]?.state;
  const failed = [...new Set(upstream(here).filter((edge) => FAILED.has(stateOf(edge))).map((edge) => edge.upstream_slug))];
  const open = [...new Set(upstream(here).filter((edge) => !isFinished(stateOf(edge))).map((edge) => edge.upstream_slug))];
  const names = (slugs) => slugs.map((slug, place) => [place ? ", " : "", h("a", { href: taskPlace(run.id, slug) }, slug)]);
  if (found.state === "TriggerFailed") return h("p", "It did not run, because its trigger did not allow it", failed.length ? [" after the failure of ", names(failed)] : "", ".");
  if (found.state === "Skipped") return h("p", found.state_message ?? "It was skipped.");
  if (FAILED.has(found.state)) return [h("p.bad", found.state_message ?? "It failed."), h("p", h("a", { href: "?tab=logs&level=ERROR" }, "Its errors in the logs"))];
  if (found.state === "Paused") return h("p", "It waits for somebody to approve it.");
  if (found.state === "Retrying") return h("p", "It failed and runs again ", moment(found.state_start_time), ".");
  if (found.state === "Cached") return h("p", "An earlier result was used again; it did not run.");
  if (isFinished(found.state) || found.state === "Running") return h("p", found.state_message ?? `It is ${found.state}.`);
  if (isFinished(run.state)) return h("p", `The flow run has ended as ${run.state}, and this task was not reached.`);
  if (run.state !== "Running") return h("p", `The flow run is ${run.state}. `, h("a", { href: `/runs/${run.id}` }, "Why?"));
  if (open.length) return h("p", "It waits for ", names(open.slice(0, 10)), open.length > 10 ? ` and ${open.length - 10} more` : "", ".");
  return h("p", "All that it depends on has finished; it waits for its turn, or for a slot of one of its tags.");
}

function dependencies(here, way) {
  const edges = way === "up" ? upstream(here) : downstream(here);
  if (!edges.length) return h("p.none", way === "up" ? "It depends on nothing." : "Nothing depends on it.");
  const slug = (edge) => (way === "up" ? edge.upstream_slug : edge.downstream_slug);
  return h("ul.neighbours", edges.map((edge) => h("li", h("a", { href: taskPlace(here.run.id, slug(edge)) }, slug(edge)), badge(here.graph.states[slug(edge)]?.state), edge.key ? h("span.soft", `as ${edge.key}${edge.mapped ? ", mapped" : ""}`) : null)));
}

function states(items) {
  return table([
    { head: "When", cell: (one) => h("span", { title: exact(one.timestamp) }, moment(one.timestamp, { exactly: true })) },
    { head: "State", cell: (one) => badge(one.state) },
    { head: "Message", cell: (one) => h("span.soft", one.message ?? "") },
    { head: "By", hide: true, cell: (one) => one.actor ?? "" },
    { head: "Reason", hide: true, cell: (one) => one.reason ?? "" },
  ], [...items].reverse(), { empty: "It has had no state yet but Pending." });
}

async function taskLogs(here, panel) {
  const lines = logs({ flowRunId: here.found.flow_run_id, taskRunId: here.id });
  fill(panel, lines.element);
  await lines.ready;
  return { refresh: lines.refresh, stop: lines.stop };
}

async function taskArtifacts(here, panel) {
  let shown = null;
  async function load_() {
    const { items } = await get(`task_runs/${here.id}/artifacts`);
    const key = JSON.stringify(items.map((one) => [one.id, one.updated]));
    if (key !== shown) fill(panel, artifacts(items));
    shown = key;
  }
  await load_();
  return { refresh: load_ };
}

async function children(here, panel) {
  const view = { rows: [], cursor: null, list: h("div.card"), counts: h("div") };
  const wanted = () => GROUPS[query.get("state")]?.filter((name) => name !== "Finished");
  const more = h("button", { type: "button", onclick: () => act(more, async () => {
    const page = await get(`task_runs/${here.id}/mapped`, { limit: PAGE, cursor: view.cursor, state: wanted() });
    draw([...view.rows, ...page.items], page.cursor);
  }) }, "Load more");
  const state = h("select", { "aria-label": "State", onchange: () => {
    query.set({ state: state.value });
    view.rows = [];
    load_();
  } }, h("option", { value: "" }, "All states"), Object.keys(GROUPS).map((name) => h("option", { value: name, selected: query.get("state") === name }, name)));
  function draw(rows, cursor) {
    Object.assign(view, { rows, cursor });
    more.hidden = !cursor;
    fill(view.list, runTable(rows, { name: (one) => h("a", { href: taskPlace(here.run.id, one.task_slug, one.map_index) }, `[${one.map_index}]`), empty: "No child fits." }));
  }
  async function load_() {
    const [summary, page] = await Promise.all([get(`task_runs/${here.id}/mapped_summary`), get(`task_runs/${here.id}/mapped`, { limit: Math.min(1000, Math.max(PAGE, view.rows.length)), state: wanted() })]);
    fill(view.counts, stateCounts(summary.states));
    if (JSON.stringify(page.items.map((one) => one.version)) !== JSON.stringify(view.rows.map((one) => one.version)) || !view.rows.length) draw(page.items, page.cursor);
  }
  fill(panel, h("div.filters", state), view.counts, view.list, more);
  await load_();
  return { refresh: load_ };
}

// The same task in other runs: of this version in a table, of all versions as blocks.
async function history(here, panel) {
  async function load_() {
    const [page, grid] = await Promise.all([get("task_runs", { task_id: here.found.task_id, limit: 100 }), get(`flow_groups/${here.run.flow_group_id}/grid`, { runs: 50 }).catch(() => null)]);
    const rows = page.items.filter((one) => one.map_index === here.found.map_index);
    const cells = grid?.cells?.[here.found.task_slug];
    fill(panel, cells ? card("In the last runs of the flow, newest last", h("div.blocks", grid.runs.map((run, place) => block(cells[place], { href: taskPlace(run.id, here.found.task_slug), title: `${run.name}: ${cells[place] ?? "not run"}` })).reverse())) : null,
      card("Runs of this version", runTable(rows, { name: (one) => [h("a", { href: `/task-runs/${one.id}` }, runName(grid, one)), one.id === here.id ? h("span.soft", " this one") : null], empty: "There are no others." })));
  }
  await load_();
  return {};
}

const runName = (grid, one) => grid?.runs.find((run) => run.id === one.flow_run_id)?.name ?? `run …${one.flow_run_id.slice(-8)}`;

function runTable(rows, { name, empty }) {
  return table([
    { head: "Run", cell: name },
    { head: "State", cell: (one) => badge(one.state, { message: one.state_message }) },
    { head: "Runs", class: "number", hide: true, cell: (one) => one.run_count },
    { head: "Started", hide: true, cell: (one) => moment(one.start_time) },
    { head: "Duration", class: "number", cell: (one) => (one.start_time ? lasting(one.start_time, isFinished(one.state) ? one.end_time : null) : "–") },
    { head: "Message", hide: true, class: "message-cell", cell: (one) => h("span.soft.one-line", { title: one.state_message }, one.state_message ?? "") },
  ], rows, { empty });
}
