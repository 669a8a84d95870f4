// What holds for all versions of a flow.
import { del, post } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { act, action, ask, card } from "../../lib/parts.js";

const SAFEGUARDS = [
  ["heartbeat_enabled", "Signs of life", "A run whose process is not heard of is taken for lost."],
  ["lazarus_enabled", "Take lost runs up again", "A run that was lost is started again, where it was."],
  ["version_locking_enabled", "Version locking", "A state is refused when it was decided on an older one."],
];
const POLICIES = { allow: "Run beside it", skip: "Skip the new one", queue: "Wait for it" };

export async function settingsTab(here, panel) {
  const { group, flow } = here;
  const save = (button, path, body, said) => act(button, () => post(`flow_groups/${group.id}/${path}`, body), said);
  const policy = h("select", { id: "policy" }, Object.entries(POLICIES).map(([value, text]) => h("option", { value, selected: value === group.settings.overlap_policy }, text)));
  const limit = h("input", { id: "attempts", type: "number", min: "0", value: group.settings.resurrection_attempt_limit ?? "", placeholder: "as the server says" });
  const boxes = SAFEGUARDS.map(([name, label, help]) => [name, h("div.field", h("label", h("input", { type: "checkbox", checked: group.settings[name], name }), label), h("p.help", help))]);
  const labels = h("input", { id: "labels", value: (group.labels ?? []).join(", "), placeholder: (flow.run_config?.labels ?? []).join(", ") });
  panel.append(h("div.cards",
    card("Safeguards", boxes.map(([, field]) => field),
      h("div.field", h("label", { for: "policy" }, "When a run is due while another one goes on"), policy),
      h("div.field", h("label", { for: "attempts" }, "Times that a run is taken up again without progress"), limit),
      action("Save", (button) => save(button, "settings", { settings: {
        ...Object.fromEntries(boxes.map(([name, field]) => [name, field.querySelector("input").checked])), overlap_policy: policy.value,
        resurrection_attempt_limit: limit.value === "" ? null : Number(limit.value),
      } }, "The settings are saved."), { kind: "primary" })),
    card("Labels", h("div.field", h("label", { for: "labels" }, "Labels of new runs, with commas"), labels, h("p.help", "Only an agent with all of them takes a run. Empty: those of the flow.")),
      action("Save", (button) => save(button, "labels", { labels: labels.value.trim() ? labels.value.split(",").map((one) => one.trim()).filter(Boolean) : null }, "The labels are saved."), { kind: "primary" })),
    editor("Default parameters", group.default_parameters ?? {}, (button, value) => save(button, "parameters", { parameters: value }, "The default parameters are saved.")),
    editor("Run config", group.run_config ?? null, (button, value) => save(button, "run_config", { run_config: value }, "The run config is saved.")),
    card("Delete", h("p", "The flow goes with all its versions, their runs, states, log lines and artifacts."),
      action("Delete this flow", async (button) => (await ask(`Delete ${flow.name}?`, { body: h("p", `All ${here.versions.length} versions and their runs are deleted; nothing brings them back.`), confirm: "Delete", danger: true, typed: flow.name }))
        && act(button, () => del(`flow_groups/${group.id}`), `${flow.name} is deleted.`).then((done) => done && location.assign("/flows")), { kind: "danger" }))));
}

// A document as JSON, with what is wrong about it said below.
function editor(title, value, save) {
  const field = h("textarea", { rows: "6", "aria-label": title, spellcheck: "false" });
  field.value = JSON.stringify(value, null, 2);
  const problem = h("p.problem", { role: "alert" });
  return card(title, field, problem, action("Save", (button) => {
    try {
      const written = JSON.parse(field.value || "null");
      problem.textContent = "";
      return save(button, written);
    } catch (error) {
      problem.textContent = `This is no JSON: ${error.message}`;
      return null;
    }
  }, { kind: "primary" }));
}
