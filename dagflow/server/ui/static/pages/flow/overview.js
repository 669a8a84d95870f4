// How the last runs went, and what there is to know of a flow.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { atEnd, labelList, part, refill } from "../../lib/forms.js";
import { keepFresh } from "../../lib/live.js";
import { card, copyable, facts, json } from "../../lib/parts.js";
import { sign } from "../../lib/states.js";
import { duration, exact, moment } from "../../lib/time.js";
import { effectiveLabels, inWords, percent } from "../../lib/words.js";
import { scheduleOf } from "../flow.js";

export async function overview(view, panel) {
  const history = h("section.card");
  const next = h("section.card");
  fill(panel, history, h("div.cards", details(view), h("div", next, parameters(view)), notes(view)));
  const fresh = await keepFresh(() => part(history, async () => {
    const [durations, planned] = await Promise.all([get(`flow_groups/${view.group.id}/durations`, { runs: 50 }), get("flow_runs", { flow_group_id: view.group.id, state: "Scheduled", order: "scheduled", limit: 50 })]);
    refill(history, durations.runs, () => bars(durations));
    const ahead = planned.items.filter((one) => Date.parse(one.scheduled_start_time) > Date.now()).sort((one, other) => (one.scheduled_start_time < other.scheduled_start_time ? -1 : 1)).slice(0, 5);
    refill(next, ahead.map((one) => one.id), () => schedule(view, ahead));
  }), { kinds: ["flow_run_state"] });
  return () => fresh.stop();
}

function bars({ runs, success_rate: rate }) {
  // Runs that still go on, for days perhaps, are not to squeeze those that have ended.
  const ended = runs.filter((run) => run.seconds !== null && run.seconds !== undefined);
  const longest = Math.max(1, ...(ended.length ? ended : runs).map(secondsOf));
  const text = `Last ${runs.length} runs`;
  return [h("h2", runs.length ? text : "Last runs"), runs.length ? [
    atEnd(h("div.history", { role: "list", "aria-label": `${text}, height is duration` }, [...runs].reverse().map((run) => {
      const said = `${run.name}: ${run.state}, ${run.start_time ? exact(run.start_time) : "not started"}, ${duration(secondsOf(run) * 1000)}`;
      return h(`a.state-${run.state}`, { href: `/runs/${run.id}`, title: said, "aria-label": said, role: "listitem", style: { height: `${Math.min(124, Math.max(14, (secondsOf(run) / longest) * 120))}px` } }, sign(run.state));
    }))),
    h("p.soft", `Height is duration; the longest that has ended took ${duration(longest * 1000)}. Success rate: ${percent(rate)}.`)] : h("p.none", "It has not run yet.")];
}

const secondsOf = (run) => run.seconds ?? (run.start_time ? Math.max(0, (Date.now() - Date.parse(run.start_time)) / 1000) : 0);

function details(view) {
  const { flow, group } = view;
  return card("Details", facts([
    ["Version", `${flow.version}${flow.archived ? " (archived)" : ""}`], ["Project", h("a", { href: `/flows?project_id=${group.project_id}` }, flow.project_name)],
    ["Registered", moment(flow.created)], ["Tasks", flow.tasks_count], ["Labels", labelList(effectiveLabels(flow, group))],
    ["Tags", group.tags?.length ? labelList(group.tags) : null], ["Run config", (group.run_config ?? flow.run_config)?.type ?? "none"],
    ["Storage", flow.storage?.type ?? "none"], ["dagflow", flow.core_version], ["Version id", copyable(flow.id)], ["Flow id", copyable(group.id)],
  ]), h("details", h("summary", "Storage and run config"), json({ storage: flow.storage, run_config: group.run_config ?? flow.run_config })));
}

function schedule(view, ahead) {
  const followed = scheduleOf(view);
  const { group } = view;
  return [h("h2", "Schedule"), h("p", inWords(followed), followed ? h("span.soft", group.is_schedule_active ? "" : " · off") : null),
    group.schedule_problem ? h("p.bad", group.schedule_problem) : null,
    ahead.length ? h("ul", ahead.map((run) => h("li", h("a", { href: `/runs/${run.id}` }, run.name), " ", moment(run.scheduled_start_time), h("span.soft", ` · ${exact(run.scheduled_start_time)}`)))) : h("p.none", "No run is planned.")];
}

function parameters({ flow, group }) {
  const list = flow.parameters ?? [];
  return card("Parameters", list.length ? facts(list.map((one) => {
    const value = group.default_parameters?.[one.name] ?? one.default;
    const needed = one.required && !(one.name in (group.default_parameters ?? {}));
    return [one.name, [needed ? h("strong", "required") : h("code", JSON.stringify(value)), one.description ? h("div.soft", one.description) : null]];
  })) : h("p.none", "This flow has no parameters."));
}

function notes({ flow, group }) {
  const text = group.description ?? flow.description;
  return text ? card("Read me", h("div.read-me", text.split(/\n{2,}/).map((one) => {
    const heading = /^#{1,4}\s+(.*)$/.exec(one.trim());
    return heading ? h("h3", heading[1]) : h("p", one);
  }))) : null;
}
