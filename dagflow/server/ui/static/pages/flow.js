// A flow: how its runs went, what it is made of, when it runs, and all that can be set.
import { del, get, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { act, action, ask, empty, head, segment, tabs } from "../lib/parts.js";
import { runList } from "../lib/runlist.js";
import { whyNoQuickRun } from "../lib/words.js";
import { scheduleSwitch } from "./flows.js";
import { overview } from "./flow/overview.js";
import { graphTab, gridTab } from "./flow/pictures.js";
import { schedules } from "./flow/schedules.js";
import { settings } from "./flow/settings.js";
import { tasks } from "./flow/tasks.js";
import { versions } from "./flow/versions.js";

const TABS = [["overview", "Overview"], ["graph", "Graph"], ["grid", "Grid"], ["runs", "Runs"], ["tasks", "Tasks"], ["versions", "Versions"], ["schedules", "Schedules"], ["settings", "Settings"]];
const SHOW = { overview, graph: graphTab, grid: gridTab, runs, tasks, versions, schedules, settings };

export async function show(page) {
  const view = await find(segment(1), segment(2) === "v" ? Number(segment(3)) : null);
  const top = h("div");
  view.reload = () => location.reload();
  view.drawTop = () => fill(top, title(view));
  view.drawTop();
  fill(page, top);
  if (!view.flow) {
    page.append(empty("This flow has no version", h("p", "All versions were deleted. Register it again, or delete the flow in its settings.")));
    return;
  }
  page.append(tabs(TABS, (id, panel) => SHOW[id](view, panel)).element);
}

// A flow by the id of its group or of a version. Returns {group, flow, all}: all its versions, newest first.
export async function find(id, version = null) {
  // Asked for as a list, which is empty where an item would be an error.
  const isGroup = (await get("flows", { flow_group_id: id, limit: 1 })).items.length > 0;
  const chosen = isGroup ? null : await get(`flows/${encodeURIComponent(id)}`);
  const group = await get(`flow_groups/${encodeURIComponent(chosen?.flow_group_id ?? id)}`);
  const all = (await get("flows", { flow_group_id: group.id, limit: 200 })).items;
  const wanted = version ? all.find((one) => one.version === version) : all.find((one) => one.id === (chosen?.id ?? group.flow_id)) ?? all[0];
  if (version && !wanted) throw new Error(`${group.flow_name} has no version ${version}.`);
  return { group, all, flow: wanted ? await get(`flows/${wanted.id}`) : null, fixed: Boolean(version || chosen) };
}

// The schedule that is followed: that of the group, else that of the version.
export const scheduleOf = ({ group, flow }) => group.schedule ?? flow?.schedule ?? null;

function title(view) {
  const { group, flow, all } = view;
  const name = group.flow_name;
  const crumbs = [["Flows", "/flows"], [flow?.project_name ?? "Project", `/flows?project_id=${group.project_id}`]];
  const version = h("select", { "aria-label": "Version", onchange: () => location.assign(version.value ? `/flows/${group.id}/v/${version.value}${location.search}` : `/flows/${group.id}${location.search}`) },
    h("option", { value: "", selected: !view.fixed }, "Live version"), all.map((one) => h("option", { value: one.version, selected: view.fixed && one.id === flow?.id }, `Version ${one.version}${one.archived ? " (archived)" : ""}`)));
  const live = { name, flow_id: group.flow_id, archived: !group.flow_id, is_schedule_active: group.is_schedule_active, schedule: scheduleOf(view) };
  const target = flow && !flow.archived ? flow : null;
  const why = whyNoQuickRun(flow, group);
  return head(name, { crumbs, beside: [version, flow?.archived ? h("span.tag", "archived") : null], tools: [
    h("span.soft", "Schedule"), scheduleSwitch(live),
    action("Quick run", (button) => quickRun(button, flow), { reason: why, title: "Run it now with all defaults" }),
    target ? h("a.button.primary", { href: `/flows/${view.fixed ? flow.id : group.id}/run` }, "Run …") : h("button.primary", { type: "button", disabled: true, title: "This version is archived." }, "Run …"),
  ] });
}

async function quickRun(button, flow) {
  const run = await act(button, () => post("flow_runs", { flow_id: flow.id }), "The run is created.");
  if (run) location.assign(`/runs/${run.id}`);
}

async function runs(view, panel) {
  const list = runList({ fixed: { flow_group_id: view.group.id }, hides: ["flow_name", "project_name"] });
  fill(panel, list.element);
  await list.start();
  return () => list.stop();
}

// Archive a version, or let it be live again.
export async function archive(button, flow) {
  if (!flow.archived && !(await ask(`Archive version ${flow.version}?`, { confirm: "Archive", danger: true, body: h("p", "It can be run no more, and its planned runs are removed. Its past runs stay.") }))) return null;
  return act(button, () => post(`flows/${flow.id}/${flow.archived ? "unarchive" : "archive"}`), `Version ${flow.version} is ${flow.archived ? "live again" : "archived"}.`);
}

export async function removeVersion(button, flow) {
  if (!(await ask(`Delete version ${flow.version}?`, { confirm: "Delete", danger: true, typed: `${flow.name} v${flow.version}`, body: h("p", "Its runs, their log lines and artifacts are deleted too. This cannot be undone.") }))) return null;
  return act(button, () => del(`flows/${flow.id}`), `Version ${flow.version} is deleted.`);
}

