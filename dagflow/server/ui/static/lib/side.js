// The panel beside a picture: one task of a run, with what is known of it, in place.
import { get } from "./api.js";
import { approve, labelOf, plural, restart, setState } from "./control.js";
import { fill, h } from "./dom.js";
import { logs } from "./logs.js";
import { action, copyable, facts } from "./parts.js";
import { badge, FAILED, isFinished } from "./states.js";
import { lasting, moment } from "./time.js";

const MOST_CHILDREN = 20; // failed ones first

// Returns {element, show({run, slug, index, edges}), refresh(), close()}. edges: [{upstream_slug, downstream_slug, key}],
// states: (slug) => state; what is not known is left out.
export function sidePanel({ onClose = () => {}, onGo = () => {}, states = () => null } = {}) {
  const view = { onClose, onGo, states, wanted: null, lines: null, turn: 0 };
  view.element = h("aside.card.side", { hidden: true, "aria-label": "Task", onkeydown: (event) => event.key === "Escape" && close(view) });
  return {
    element: view.element,
    show: (wanted) => open(view, wanted),
    refresh: () => (view.wanted ? refresh(view) : null),
    close: () => close(view),
  };
}

export const taskPlace = (runId, slug, index = -1) => `/runs/${runId}/tasks/${encodeURIComponent(slug)}${index >= 0 ? `[${index}]` : ""}`;

function close(view) {
  view.lines?.stop();
  Object.assign(view, { wanted: null, lines: null });
  view.element.hidden = true;
  view.onClose();
}

async function open(view, wanted) {
  view.lines?.stop();
  Object.assign(view, { wanted: { index: -1, edges: [], ...wanted }, lines: null, shown: null });
  view.element.hidden = false;
  fill(view.element, h("p.soft", "Loading …"));
  await refresh(view);
}

async function refresh(view) {
  const { wanted } = view;
  const mine = ++view.turn;
  try {
    const { items } = await get(`flow_runs/${wanted.run.id}/task_runs`, { task_slug: wanted.slug, map_index: wanted.index, limit: 1 });
    const found = items[0] ?? null;
    const children = found && (found.state === "Mapped" || wanted.mapped) ? await childrenOf(found) : null;
    if (view.turn !== mine || view.wanted !== wanted) return;
    const key = JSON.stringify([found?.version, found?.name, children, neighbours(view).flat().map((slug) => view.states(slug))]);
    if (key !== view.shown) show(view, found, children);
    view.shown = key;
    view.lines?.refresh();
  } catch (error) {
    if (view.turn === mine) fill(view.element, closer(view), h("p.bad", error.message));
  }
}

async function childrenOf(run) {
  const part = (state) => get(`task_runs/${run.id}/mapped`, { limit: MOST_CHILDREN, state });
  const [summary, failed, any] = await Promise.all([get(`task_runs/${run.id}/mapped_summary`), part(["Failed"]), part()]);
  const items = [...failed.items, ...any.items.filter((one) => !FAILED.has(one.state))].slice(0, MOST_CHILDREN);
  return summary.count ? { ...summary, items: items.map(({ id, map_index, state, start_time, end_time, name }) => ({ id, map_index, state, start_time, end_time, name })) } : null;
}

// --- what it shows -------------------------------------------------------------------------------------------------

const closer = (view) => h("button.quiet.side-close", { type: "button", "aria-label": "Close this panel", onclick: () => close(view) }, "×");

function show(view, found, children) {
  const { run, slug, index } = view.wanted;
  const place = taskPlace(run.id, slug, index);
  const title = h("h2", h("a", { href: place }, index >= 0 ? `${slug}[${index}]` : slug));
  if (!found) {
    fill(view.element, closer(view), title, h("p.soft", "This task has not been reached in this run."), links(view));
    return;
  }
  if (!view.lines) view.lines = logs({ flowRunId: run.id, taskRunId: found.id, inAddress: false, short: true });
  fill(view.element, closer(view), title, h("p", badge(found.state), found.name && found.name !== slug ? h("span.soft", ` ${found.name}`) : null),
    found.state_message ? h("p.message", { class: FAILED.has(found.state) ? "bad" : null }, found.state_message) : null,
    buttons(view, found), taskFacts(found), links(view), children ? childTable(view, children) : null,
    h("h3", "Logs"), view.lines.element, h("p", h("a", { href: place }, "All about this task run →")));
}

// What is known of a task run, as facts; the page of a task run shows the same.
export function taskFacts(found) {
  return facts([
    ["Started", found.start_time ? moment(found.start_time) : null],
    ["Ended", found.end_time ? moment(found.end_time) : null],
    ["Duration", found.start_time ? lasting(found.start_time, isFinished(found.state) ? found.end_time : null) : null],
    ["Waits until", !isFinished(found.state) && found.state_start_time ? moment(found.state_start_time) : null],
    ["Runs", found.run_count ? found.run_count : null],
    ["Result", result(found)],
    ["Tags", found.tags?.length ? found.tags.map((tag) => h("span.tag", tag)) : null],
    ["Id", copyable(found.id)],
  ]);
}

function result(found) {
  const kept = found.serialized_state?._result;
  if (kept?.location) return [copyable(String(kept.location), "place"), h("span.soft", ` ${kept.type}`)];
  return isFinished(found.state) && !FAILED.has(found.state) && found.state !== "Skipped" && found.state !== "Mapped" ? h("span.soft", "kept nowhere") : null;
}

function buttons(view, found) {
  const { run } = view.wanted;
  return h("div.tools", taskActions(run, found, () => refresh(view)));
}

// The actions on a task run; changed() is called when one was done.
export function taskActions(run, found, changed) {
  const ended = isFinished(run.state) ? `The run has ended as ${run.state}.` : null;
  const then = async (promise) => (await promise) && changed();
  return [
    action("Restart from here", (button) => then(restart(button, run, { from: found })), { reason: run.held ? `The run is ${run.state}; cancel it first.` : null }),
    action("Set state", (button) => then(setState(button, found, { kind: "task_runs", changed }))),
    action("Approve", (button) => then(approve(button, run, found)), { reason: ended ?? (found.state === "Paused" ? null : `The task run is ${found.state}; only a paused one can be approved.`) }),
  ];
}

function neighbours(view) {
  const { slug, edges } = view.wanted;
  const up = edges.filter((edge) => edge.downstream_slug === slug).map((edge) => edge.upstream_slug);
  const down = edges.filter((edge) => edge.upstream_slug === slug).map((edge) => edge.downstream_slug);
  return [[...new Set(up)], [...new Set(down)]];
}

function links(view) {
  const [up, down] = neighbours(view);
  const item = (slug) => h("li", h("button.quiet.go", { type: "button", onclick: () => view.onGo(slug) }, slug), view.states(slug) ? badge(view.states(slug)) : null);
  const list = (title, slugs) => (slugs.length ? [h("h3", `${title} (${slugs.length})`), h("ul.neighbours", slugs.map(item))] : null);
  return [list("Upstream", up), list("Downstream", down)];
}

function childTable(view, children) {
  const { run, slug } = view.wanted;
  return [h("h3", plural(children.count, "child").replace("childs", "children")), stateCounts(children.states),
    h("table.list", h("tbody", children.items.map((one) => h("tr", h("td", h("a", { href: taskPlace(run.id, slug, one.map_index) }, `[${one.map_index}]`)), h("td", badge(one.state)),
      h("td.number", one.start_time ? lasting(one.start_time, isFinished(one.state) ? one.end_time : null) : "–"))))),
    children.count > children.items.length ? h("p", h("a", { href: `${taskPlace(run.id, slug)}?tab=children` }, `All ${children.count} children`)) : null];
}

export function stateCounts(counts) {
  return h("p.counts", Object.entries(counts).filter(([, count]) => count).map(([state, count]) => [badge(state), ` × ${count.toLocaleString("en")} `]));
}

// States of all tasks of a run, and its edges: {tasks, edges, states: {slug: {state, children}}, counts: {state: count}}.
// Edges never change, so they are asked for once: known is what was answered before.
export async function graphOf(runId, known = null) {
  const answer = await get(`flow_runs/${runId}/graph`, { edges: known ? false : null });
  const states = {};
  const counts = {};
  for (const task of answer.tasks) {
    states[task.slug] = { state: task.state, children: task.children };
    for (const [state, count] of [[task.state, 1], ...Object.entries(task.children)]) counts[state] = (counts[state] ?? 0) + count;
  }
  return { ...answer, edges: answer.edges ?? known.edges, states, counts };
}

// The run of each task, by slug.
export async function idsOfTasks(runId) {
  const ids = {};
  let cursor = null;
  do {
    const page = await get(`flow_runs/${runId}/task_runs`, { mapped: false, limit: 1000, cursor });
    for (const one of page.items) ids[one.task_slug] = one.id;
    cursor = page.cursor;
  } while (cursor);
  return ids;
}

export { labelOf };
