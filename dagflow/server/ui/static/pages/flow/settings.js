// What all versions of a flow share.
import { del, get, patch, post } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { area, choice, input, parsed, toggle, whole, words } from "../../lib/forms.js";
import { act, action, ask, card } from "../../lib/parts.js";

const GUARDS = {
  heartbeat_enabled: ["Signs of life", "A run whose process is silent for too long counts as lost."],
  lazarus_enabled: ["Revive lost runs", "A run that was lost begins again, so many times at most."],
  version_locking_enabled: ["Version locking", "A state that was set in ignorance of a later one is refused."],
};
const OVERLAPS = [["allow", "allow: runs go on side by side"], ["skip", "skip: a run is left out while another goes on"], ["queue", "queue: a run waits for the one before"]];

export async function settings(view, panel) {
  const { group, flow } = view;
  const projects = (await get("projects", { limit: 200 })).items;
  const to = (path, body, said) => (button) => act(button, () => post(`flow_groups/${group.id}/${path}`, body()), said).then((done) => done && view.reload());
  fill(panel, h("div.cards", general(view), labels(group, flow, to), parameters(group, flow, to), runConfig(group, flow, to), guards(group), place(view, projects), danger(view)));
}

function form(title, fields, work, ...extra) {
  const button = h("button.primary", { type: "submit" }, "Save");
  const element = h("form.card", { onsubmit: (event) => {
    event.preventDefault();
    work(Object.fromEntries(new FormData(element)), button);
  } }, h("h2", title), fields, h("div.choices", extra, button));
  return element;
}

// Read what was typed before it is sent, so that a slip is said without a request.
const sending = (read, send) => (values, button) => {
  const body = {};
  return act(button, async () => Object.assign(body, await read(values)), null).then((done) => done && send(() => body)(button));
};

function general(view) {
  const { group } = view;
  return form("About", [area("description", "Description", group.description ?? "", "Shown on the page of the flow."), input("tags", "Tags", { value: (group.tags ?? []).join(", ") }, "With commas between.")],
    async (values, button) => (await act(button, () => patch(`flow_groups/${group.id}`, { description: values.description || null, tags: words(values.tags) }), "Saved.")) && view.reload());
}

function labels(group, flow, to) {
  const own = flow.run_config?.labels ?? [];
  return form("Labels", [input("labels", "Labels of runs", { value: (group.labels ?? own).join(", ") }, group.labels ? `Set here, in place of those of the run config (${own.join(", ") || "none"}).` : "Those of the run config; saving sets them here, for all versions.")],
    sending((values) => ({ labels: words(values.labels) }), (body) => to("labels", body, "The labels are saved.")),
    action("Use those of the run config", to("labels", () => ({ labels: null }), "The labels of the run config are used."), { reason: group.labels ? null : "They are used already." }));
}

function parameters(group, flow, to) {
  const names = (flow.parameters ?? []).map((one) => one.name);
  return form("Default parameters", [area("parameters", "Values by name, as JSON", JSON.stringify(group.default_parameters ?? {}, null, 2), names.length ? `Parameters: ${names.join(", ")}.` : "This flow has no parameters.")],
    sending((values) => ({ parameters: parsed(values.parameters, "What is typed") }), (body) => to("parameters", body, "The default parameters are saved.")));
}

function runConfig(group, flow, to) {
  return form("Run config", [area("run_config", "As JSON", JSON.stringify(group.run_config ?? flow.run_config, null, 2), group.run_config ? "Set here, in place of that of the flow." : "That of the flow; saving sets it here, for all versions.", 9)],
    sending((values) => ({ run_config: parsed(values.run_config, "What is typed") }), (body) => to("run_config", body, "The run config is saved.")),
    action("Use that of the flow", to("run_config", () => ({ run_config: null }), "The run config of the flow is used."), { reason: group.run_config ? null : "It is used already." }));
}

function guards(group) {
  const change = (changes, said) => act(null, () => post(`flow_groups/${group.id}/settings`, changes), said);
  const overlap = choice("overlap_policy", "When a planned run meets another", OVERLAPS, group.settings.overlap_policy);
  overlap.querySelector("select").addEventListener("change", (event) => change({ overlap_policy: event.target.value }, "The overlap policy is saved."));
  const attempts = input("attempts", "Revive at most", { type: "number", min: "0", placeholder: "as the server", value: group.settings.resurrection_attempt_limit ?? "" });
  attempts.querySelector("input").addEventListener("change", (event) => change({ resurrection_attempt_limit: whole(event.target.value) }, "The number of attempts is saved."));
  return card("Safeguards", Object.entries(GUARDS).map(([name, [label, help]]) => h("div.field", h("div.tools", toggle(label, group.settings[name], (on) => change({ [name]: on }, `${label}: ${on ? "on" : "off"}.`)), h("strong", label)), h("p.help", help))), attempts, overlap);
}

function place(view, projects) {
  const { group } = view;
  return form("Project", [choice("project_id", "The flow is in", projects.map((one) => [one.id, one.name]), group.project_id)],
    async ({ project_id: id }, button) => (await act(button, () => post(`flow_groups/${group.id}/move`, { project_id: id }), "The flow is in another project.")) && view.reload());
}

function danger(view) {
  const { group } = view;
  return card("Delete", h("p", "Deletes this flow with all versions, runs, log lines and artifacts."), action("Delete this flow", async (button) => {
    if (!(await ask(`Delete ${group.flow_name}?`, { confirm: "Delete", danger: true, typed: group.flow_name, body: h("p", `All ${view.all.length} versions and all their runs are deleted. This cannot be undone.`) }))) return;
    if (await act(button, () => del(`flow_groups/${group.id}`), "The flow is deleted.")) location.assign("/flows");
  }, { kind: "danger" }));
}
