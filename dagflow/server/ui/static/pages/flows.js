// All flows: when they run next, how they went, and whether their schedules are followed.
import { get, post } from "../lib/api.js";
import { plural } from "../lib/control.js";
import { fill, h } from "../lib/dom.js";
import { blocks, labelList, refill, toggle } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { act, action, ask, head, query, table } from "../lib/parts.js";
import { toast } from "../lib/bar.js";
import { moment } from "../lib/time.js";
import { inWords, percent } from "../lib/words.js";

const PAGE = 100;

export async function show(page) {
  const view = { rows: [], cursor: null, chosen: new Set(), projects: [], list: h("div.card"), bulk: h("div.tools"), more: h("p") };
  const load = async () => {
    const answer = await get("flow_groups/overview", { project_id: query.get("project_id"), q: query.get("q"), limit: Math.min(200, Math.max(PAGE, view.rows.length)) });
    Object.assign(view, { rows: answer.items, cursor: answer.cursor });
    draw(view);
  };
  view.load = load;
  view.projects = (await get("projects", { limit: 200 })).items;
  fill(page, head("Flows", { tools: [view.bulk] }), filters(view), view.list, view.more);
  view.fresh = await keepFresh(load, { kinds: ["flow_run_state"] });
}

function filters(view) {
  const change = (changes) => {
    query.set(changes);
    view.rows = [];
    view.fresh?.now();
  };
  const project = h("select", { "aria-label": "Project", onchange: () => change({ project_id: project.value }) }, h("option", { value: "" }, "All projects"),
    view.projects.map((one) => h("option", { value: one.id, selected: one.id === query.get("project_id") }, `${one.name} (${one.flow_count})`)));
  const name = h("input", { type: "search", placeholder: "Name", "aria-label": "Name", value: query.get("q", ""), oninput: () => change({ q: name.value.trim() }) });
  return h("div.filters", project, name);
}

function draw(view) {
  const key = [view.rows, [...view.chosen]];
  refill(view.list, key, () => (view.rows.length ? table(columns(view), view.rows) : nothing()));
  fill(view.more, view.cursor ? action("Load more", (button) => act(button, async () => {
    const next = await get("flow_groups/overview", { project_id: query.get("project_id"), q: query.get("q"), limit: PAGE, cursor: view.cursor });
    view.rows = [...view.rows, ...next.items];
    view.cursor = next.cursor;
    draw(view);
  })) : null);
  const chosen = view.rows.filter((one) => view.chosen.has(one.group_id));
  const reason = chosen.length ? null : "Select flows first.";
  fill(view.bulk, chosen.length ? h("span.soft", `${chosen.length} selected`) : null,
    action("Schedules on", (button) => setAll(view, button, chosen, true), { reason }), action("Schedules off", (button) => setAll(view, button, chosen, false), { reason }));
}

function nothing() {
  if (query.get("q") || query.get("project_id")) return h("section.empty", h("h2", "No flow fits these filters"), h("p", h("a", { href: "/flows" }, "Show all flows")));
  return h("section.empty", h("h2", "No flows yet"), h("p", "Register one: ", h("a", { href: "/start" }, "first steps"), "."));
}

function columns(view) {
  const every = view.rows.every((one) => view.chosen.has(one.group_id));
  const all = h("input", { type: "checkbox", "aria-label": "Select all flows", checked: every, onchange: (event) => {
    for (const one of view.rows) view.chosen[event.target.checked ? "add" : "delete"](one.group_id);
    draw(view);
  } });
  return [
    { head: all, class: "tick", cell: (flow) => h("input", { type: "checkbox", "aria-label": `Select ${flow.name}`, checked: view.chosen.has(flow.group_id), onchange: (event) => {
      view.chosen[event.target.checked ? "add" : "delete"](flow.group_id);
      draw(view);
    } }) },
    { head: "Flow", cell: (flow) => [h("a.run-name", { href: `/flows/${flow.group_id}` }, flow.name), flow.archived ? h("span.tag", "archived") : null, h("div.soft", h("a.quiet-link", { href: `/flows?project_id=${flow.project_id}` }, flow.project_name))] },
    { head: "Version", class: "number", hide: true, cell: (flow) => flow.version },
    { head: "Last runs", cell: (flow) => blocks(flow.last_runs) },
    { head: "Success", class: "number", hide: true, cell: (flow) => percent(flow.success_rate) },
    { head: "Schedule", hide: true, cell: (flow) => [inWords(flow.schedule), flow.schedule_problem ? h("div.bad", flow.schedule_problem) : null] },
    { head: "Next run", hide: true, cell: (flow) => moment(flow.next_run) },
    { head: "Labels", hide: true, cell: (flow) => labelList(flow.labels) },
    { head: "On", cell: (flow) => scheduleSwitch(flow) },
  ];
}

export function whyNoSchedule(flow) {
  if (!flow.flow_id || flow.archived) return "All versions are archived.";
  return flow.schedule?.clocks?.length ? null : "The flow has no schedule.";
}

export function scheduleSwitch(flow) {
  return toggle(`Schedule of ${flow.name}`, flow.is_schedule_active, (on) => act(null, () => setActive(flow, on), `The schedule of ${flow.name} is ${on ? "followed" : "off"}.`), { reason: whyNoSchedule(flow) });
}

const setActive = (flow, active) => post(`flows/${flow.flow_id}/schedule_active`, { active });

async function setAll(view, button, flows, active) {
  const able = flows.filter((one) => !whyNoSchedule(one));
  if (!able.length) return toast("None of these flows has a schedule.", "bad");
  if (!active && !(await ask(`Switch off ${plural(able.length, "schedule")}?`, { confirm: "Switch off", danger: true, body: h("p", "Runs that are planned and have not started are removed.") }))) return null;
  button.disabled = true;
  const outcomes = await Promise.allSettled(able.map((one) => setActive(one, active)));
  const refused = outcomes.filter((one) => one.status === "rejected");
  toast(`${plural(able.length - refused.length, "schedule")} ${active ? "on" : "off"}.${flows.length > able.length ? ` ${flows.length - able.length} without a schedule left out.` : ""}`);
  if (refused.length) toast(refused[0].reason.message, "bad");
  view.chosen.clear();
  return view.load();
}
