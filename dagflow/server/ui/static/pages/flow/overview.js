// How the last runs went, and what the flow is.
import { get } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { keepFresh } from "../../lib/live.js";
import { card, copyable, facts } from "../../lib/parts.js";
import { inWords } from "../../lib/schedules.js";
import { sign } from "../../lib/states.js";
import { duration, moment } from "../../lib/time.js";

const HEIGHT = 110;

export async function overview(here, panel) {
  const history = h("div");
  const next = h("div");
  panel.append(card("Last runs", history), h("div.cards", card("Next", next), card("Details", details(here)), parameters(here)), description(here));
  const fresh = await keepFresh(async () => {
    const [durations, planned] = await Promise.all([
      get(`flow_groups/${here.group.id}/durations`, { runs: 60 }),
      get("flow_runs", { flow_group_id: here.group.id, state: "Scheduled", order: "scheduled", limit: 50 }),
    ]);
    history.replaceChildren(bars(durations));
    const rows = planned.items.sort((one, other) => (one.scheduled_start_time < other.scheduled_start_time ? -1 : 1)).slice(0, 5);
    next.replaceChildren(h("p", inWords(here.group.schedule ?? here.flow.schedule)),
      rows.length ? h("ul.plain-list", rows.map((run) => h("li", h("a", { href: `/runs/${run.id}` }, run.name), " ", moment(run.scheduled_start_time)))) : h("p.none", "No run is planned."));
  });
  return () => fresh.stop();
}

// A bar for each run: as high as it took long, its state below; the newest on the right.
function bars({ runs, success_rate: rate }) {
  const finished = runs.filter((run) => run.start_time);
  if (!finished.length) return h("p.none", "It has not run yet.");
  const most = Math.max(...finished.map((run) => run.seconds ?? 0), 0.001);
  return h("div", h("div.history", { role: "list" }, [...finished].reverse().map((run) => {
    const title = `${run.name}: ${run.state}, ${run.seconds === null ? "not finished" : duration(run.seconds * 1000)}`;
    return h("a.history-run", { href: `/runs/${run.id}`, title, "aria-label": title, role: "listitem" },
      h(`span.history-bar.state-${run.state}`, { style: { height: `${Math.max(3, ((run.seconds ?? 0) / most) * HEIGHT)}px` } }),
      h(`span.history-sign.state-${run.state}`, { "aria-hidden": "true" }, sign(run.state)));
  })), h("p.soft", `The longest took ${duration(most * 1000)}.`, rate === null ? "" : ` ${Math.round(rate * 100)} % of the last ${finished.length} succeeded.`));
}

function details({ group, flow }) {
  return facts([
    ["Version", `${flow.version}${flow.archived ? ", archived" : ""}`], ["Registered", moment(flow.created)],
    ["Tasks", flow.tasks_count], ["Storage", flow.storage?.type], ["Run config", (group.run_config ?? flow.run_config)?.type],
    ["Labels", (group.labels ?? flow.run_config?.labels ?? []).map((label) => h("span.tag", label))],
    ["Made with", `dagflow ${flow.core_version}`], ["Version id", copyable(flow.id)], ["Group id", copyable(group.id)],
  ]);
}

function parameters({ group, flow }) {
  const known = flow.parameters ?? [];
  return card("Parameters", known.length ? facts(known.map((one) => [one.name, h("div",
    one.name in (group.default_parameters ?? {}) ? h("code", JSON.stringify(group.default_parameters[one.name])) : one.required ? h("span.warn", "required") : h("code", JSON.stringify(one.default)),
    one.description ? h("div.soft.small", one.description) : null)])) : h("p.none", "It has none."));
}

function description({ group, flow }) {
  const text = group.description ?? flow.description;
  return text ? card("Read-me", h("div.readme", text)) : null;
}
