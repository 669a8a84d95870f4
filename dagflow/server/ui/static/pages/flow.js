// One flow: what it is and when it runs above, its versions and runs below.
import { all, post } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { act, action, head, segment, tabs } from "../lib/parts.js";
import { groupOf } from "../lib/flows.js";
import { runList } from "../lib/runlist.js";
import { scheduleSwitch } from "../lib/switches.js";
import { overview } from "./flow/overview.js";
import { graphTab, gridTab, tasksTab } from "./flow/pictures.js";
import { schedulesTab } from "./flow/schedules.js";
import { settingsTab } from "./flow/settings.js";
import { versionsTab } from "./flow/versions.js";

const TABS = {
  overview: ["Overview", overview], graph: ["Graph", graphTab], grid: ["Grid", gridTab], runs: ["Runs", runsTab], tasks: ["Tasks", tasksTab],
  versions: ["Versions", versionsTab], schedules: ["Schedules", schedulesTab], settings: ["Settings", settingsTab],
};

export async function show(page) {
  const here = await load(segment(1), segment(2) === "v" ? Number(segment(3)) : null);
  here.top = h("div");
  page.append(here.top);
  showTop(here);
  const bar = tabs(Object.entries(TABS).map(([id, [label]]) => [id, label]), async (id, panel) => {
    const made = await TABS[id][1](here, panel);
    return typeof made === "function" ? made : null;
  });
  page.append(bar.element);
  await bar.ready;
}

// The id in the address is a group's, or that of one version.
async function load(id, version) {
  const { group, version: named } = await groupOf(id);
  version ??= named;
  const [live, archived] = await Promise.all([
    all("flows", { flow_group_id: group.id, archived: false }), all("flows", { flow_group_id: group.id, archived: true }),
  ]);
  const versions = [...live, ...archived].sort((one, other) => other.version - one.version);
  const flow = versions.find((one) => one.version === version) ?? versions.find((one) => !one.archived) ?? versions[0];
  const here = { group, versions, flow, live: versions.find((one) => !one.archived) ?? null };
  here.reload = async () => {
    Object.assign(here, { ...(await load(group.id, flow.version)), top: here.top });
    showTop(here);
  };
  return here;
}

function showTop(here) {
  const { group, flow, versions } = here;
  const lacking = (flow.parameters ?? []).filter((one) => one.required && !(one.name in (group.default_parameters ?? {})));
  const noRun = flow.archived ? `Version ${flow.version} is archived.` : null;
  const noQuick = noRun ?? (lacking.length ? `The parameter ${lacking.map((one) => one.name).join(", ")} has no default.` : null);
  const schedule = group.schedule ?? flow.schedule;
  const versionField = h("select", { "aria-label": "Version", onchange: (event) => location.assign(`/flows/${group.id}/v/${event.target.value}${location.search}`) },
    versions.map((one) => h("option", { value: one.version, selected: one.version === flow.version }, `version ${one.version}${one.archived ? " (archived)" : ""}`)));
  here.top.replaceChildren(head(flow.name, {
    crumbs: [["Flows", "/flows"], [flow.project_name, `/flows?project_id=${flow.project_id}`]],
    beside: [versionField, flow.archived ? h("span.tag", "archived") : null],
    tools: [
      h("label.switch", scheduleSwitch({ ...flow, flow_id: flow.id, schedule }, { now: here.reload }), " Schedule"),
      action("Quick run", (button) => act(button, async () => {
        const run = await post("flow_runs", { flow_id: flow.id });
        location.assign(`/runs/${run.id}`);
      }), { reason: noQuick, title: "Run with the default values" }),
      noRun ? action("Run", () => null, { kind: "primary", reason: noRun }) : h("a.button.primary", { href: `/flows/${group.id}/run` }, "Run"),
    ],
  }), group.schedule_problem ? h("p.bad", group.schedule_problem) : "");
}

async function runsTab(here, panel) {
  const list = runList({ fixed: { flow_group_id: here.group.id }, hides: ["flow_name", "project_name"] });
  panel.append(list.element);
  await list.start();
  return () => list.stop();
}
