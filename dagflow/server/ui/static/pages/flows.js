// All flows: when they run next, how their last runs went.
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { empty, head, query, table } from "../lib/parts.js";
import { inWords } from "../lib/schedules.js";
import { block } from "../lib/states.js";
import { scheduleSwitch } from "../lib/switches.js";
import { duration, moment } from "../lib/time.js";

const PAGE = 50;

export async function show(page) {
  const projects = (await get("projects", { limit: 200 })).items;
  const list = h("div");
  const state = { pages: 1 };
  const text = h("input", { type: "search", placeholder: "Name", "aria-label": "Filter by name", value: query.get("q", "") });
  const project = h("select", { "aria-label": "Project" }, h("option", { value: "" }, "All projects"),
    projects.map((one) => h("option", { value: one.id, selected: one.id === query.get("project_id") }, one.name)));
  const fresh = { now: () => load() };
  let waits = null;
  text.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(() => (query.set({ q: text.value }), fresh.now()), 200);
  });
  project.addEventListener("change", () => (query.set({ project_id: project.value }), fresh.now()));

  async function load() {
    const items = [];
    let cursor = null;
    for (let number = 0; number < state.pages; number++) {
      const found = await get("flow_groups/overview", { q: query.get("q"), project_id: query.get("project_id"), limit: PAGE, cursor });
      items.push(...found.items);
      cursor = found.cursor;
      if (!cursor) break;
    }
    const filtered = query.get("q") || query.get("project_id");
    if (!items.length && !filtered) {
      fill(list, empty("No flow is registered yet", h("p", "See the ", h("a", { href: "/start" }, "first steps"), ".")));
      return;
    }
    fill(list, h("section.card", table(columns(fresh), items, { empty: "No flow is called that.", caption: null })),
      cursor ? h("button", { type: "button", onclick: () => (state.pages++, fresh.now()) }, "More") : null);
  }

  page.append(head("Flows", { tools: [h("a.button", { href: "/start" }, "First steps")] }), h("div.filters", { role: "search" }, text, project), list);
  Object.assign(fresh, await keepFresh(load));
}

function columns(fresh) {
  return [
    { head: "Flow", cell: (one) => h("div", h("a.strong", { href: `/flows/${one.group_id}` }, one.name),
      h("div.soft.small", one.project_name, ` · version ${one.version}`, one.archived ? " · archived" : "")) },
    { head: "Schedule", hide: true, cell: (one) => h("div", one.schedule ? inWords(one.schedule) : h("span.none", "none"),
      one.schedule_problem ? h("div.bad.small", one.schedule_problem) : one.next_run ? h("div.soft.small", "next ", moment(one.next_run)) : null) },
    { head: "On", cell: (one) => scheduleSwitch(one, fresh) },
    { head: "Last runs", cell: (one) => h("span.blocks", [...one.last_runs].reverse().map((run) => block(run.state, {
      href: `/runs/${run.id}`, title: `${run.name}: ${run.state}${run.end_time && run.start_time ? `, ${duration(new Date(run.end_time) - new Date(run.start_time))}` : ""}` }))) },
    { head: "Success", class: "number", hide: true, cell: (one) => (one.success_rate === null ? h("span.none", "–") : `${Math.round(one.success_rate * 100)} %`) },
    { head: "", cell: (one) => h("a.button", { href: `/flows/${one.group_id}/run`, "aria-label": `Run ${one.name}` }, "Run") },
  ];
}
