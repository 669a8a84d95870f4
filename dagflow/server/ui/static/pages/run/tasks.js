// The tab Task runs: the runs of tasks of a flow run, in pages, filtered by the server.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { act, query, table } from "../../lib/parts.js";
import { labelOf, stateCounts, taskPlace } from "../../lib/side.js";
import { badge, GROUPS, isFinished } from "../../lib/states.js";
import { lasting, moment } from "../../lib/time.js";

const PAGE = 200;

export async function taskRuns(here, panel) {
  const view = { here, rows: [], cursor: null, shown: null, list: h("div.card"), counts: h("div"), note: h("span.soft", { role: "status" }) };
  view.more = h("button", { type: "button", hidden: true, onclick: () => more(view) }, "Load more");
  fill(panel, filters(view), view.counts, view.list, h("p", view.more, " ", view.note));
  await load(view);
  return { refresh: () => load(view) };
}

function filters(view) {
  const again = (changes) => {
    query.set(changes);
    Object.assign(view, { rows: [], cursor: null });
    return load(view);
  };
  const state = h("select", { "aria-label": "State", onchange: () => again({ state: state.value }) }, h("option", { value: "" }, "All states"),
    Object.keys(GROUPS).map((name) => h("option", { value: name, selected: query.get("state") === name }, name)));
  const list = h("datalist", { id: "task-run-slugs" }, view.here.graph.tasks.map((one) => h("option", { value: one.slug })));
  const task = h("input", { type: "search", list: "task-run-slugs", placeholder: "All tasks", "aria-label": "Task", value: query.get("slug", ""), onchange: () => again({ slug: task.value.trim() }) });
  const mapped = h("input", { type: "checkbox", checked: query.get("children") === "no", onchange: () => again({ children: mapped.checked ? "no" : null }) });
  return h("div.filters", state, task, list, h("label.inline", mapped, "Without mapped children"));
}

function ask(view, more) {
  const states = GROUPS[query.get("state")]?.filter((name) => name !== "Finished");
  return get(`flow_runs/${view.here.id}/task_runs`, { state: states, task_slug: query.get("slug"), mapped: query.get("children") === "no" ? "false" : null, limit: PAGE, ...more });
}

async function load(view) {
  const page = await ask(view, { limit: Math.min(1000, Math.max(PAGE, view.rows.length)) });
  if (view.rows.length <= 1000) view.cursor = page.cursor;
  show(view, [...page.items, ...view.rows.slice(1000)]);
}

async function more(view) {
  await act(view.more, async () => {
    const page = await ask(view, { cursor: view.cursor });
    view.cursor = page.cursor;
    show(view, [...view.rows, ...page.items]);
  });
}

function show(view, rows) {
  view.rows = rows;
  view.more.hidden = !view.cursor;
  fill(view.counts, stateCounts(view.here.graph.counts));
  fill(view.note, view.cursor ? `${rows.length} shown, there are more` : "");
  const key = JSON.stringify(rows.map((one) => [one.id, one.version, one.name]));
  if (key === view.shown) return;
  view.shown = key;
  const { id } = view.here;
  fill(view.list, table([
    { head: "Task run", cell: (one) => [h("a", { href: taskPlace(id, one.task_slug, one.map_index) }, labelOf(one)), one.name && one.name !== one.task_name ? h("div.soft", one.name) : null] },
    { head: "State", cell: (one) => badge(one.state, { message: one.state_message }) },
    { head: "Runs", class: "number", hide: true, cell: (one) => one.run_count },
    { head: "Started", hide: true, cell: (one) => moment(one.start_time) },
    { head: "Duration", class: "number", cell: (one) => (one.start_time ? lasting(one.start_time, isFinished(one.state) ? one.end_time : null) : "–") },
    { head: "Message", hide: true, class: "message-cell", cell: (one) => h("span.soft.one-line", { title: one.state_message }, one.state_message ?? "") },
  ], rows, { empty: "No task run fits these filters." }));
}
