// What people do to runs: dialogs that ask, one call each, and what the server says to it.
import { ApiError, del, get, post } from "./api.js";
import { fill, h } from "./dom.js";
import { act, ask, json } from "./parts.js";
import { showDialog, toast } from "./bar.js";
import { badge, FAILED, isFinished } from "./states.js";

const FLOW_STATES = ["Success", "Failed", "Cancelled", "Skipped", "Pending", "Scheduled"];
const TASK_STATES = ["Success", "Failed", "Skipped", "Pending", "Cancelled"];
const MOST_SHOWN = 200;

// --- what is possible ----------------------------------------------------------------------------------------------

// Why an action on a flow run is not possible now; null when it is. counts: how many task runs are in which state.
export const reasons = {
  start(run) {
    if (isFinished(run.state)) return `The run has ended as ${run.state}.`;
    if (run.held || run.state === "Running") return `The run is ${run.state}.`;
    if (run.state === "Paused") return "The run is paused; approve it.";
    if (run.state_start_time && new Date(run.state_start_time) <= Date.now()) return "The run is due already; see below why it waits.";
    return null;
  },
  restart(run, counts = {}) {
    if (run.held) return `The run is ${run.state}; cancel it first.`;
    return isFinished(run.state) || hasFailed(counts) ? null : `The run is ${run.state}; only one that has ended, or has failed tasks, can be restarted.`;
  },
  cancel(run) {
    if (isFinished(run.state)) return `The run has ended as ${run.state}.`;
    return run.state === "Cancelling" ? "Its process is being asked to stop." : null;
  },
  approve(run, counts = {}) {
    if (isFinished(run.state)) return `The run has ended as ${run.state}.`;
    return run.state === "Paused" || counts.Paused ? null : "Nothing of this run is paused.";
  },
};

export const hasFailed = (counts) => Object.keys(counts).some((state) => FAILED.has(state) || state === "Cancelled");

// --- dialogs -------------------------------------------------------------------------------------------------------

export async function cancelRun(button, run) {
  const sure = await ask(`Cancel ${run.name}?`, { confirm: "Cancel the run", danger: true,
    body: h("p", run.state === "Running" ? "Its process is asked to stop; tasks that run are interrupted. Runs that it started are cancelled too."
      : "It will not start. Runs that it started are cancelled too."),
    fields: field("Reason", h("input", { name: "reason", maxlength: "1000", placeholder: "Optional" })) });
  if (!sure) return null;
  return act(button, () => post(`flow_runs/${run.id}/cancel`, { reason: sure.reason || null }), (answer) => `The run is ${answer.state}.`);
}

export async function deleteRun(button, run) {
  const sure = await ask(`Delete ${run.name}?`, { confirm: "Delete", danger: true,
    body: h("p", "Its states, task runs, log lines and artifacts are deleted with it. This cannot be undone.") });
  if (!sure) return null;
  return act(button, () => del(`flow_runs/${run.id}`), "The run was deleted.");
}

export const startNow = (button, run) => act(button, () => post(`flow_runs/${run.id}/start_now`), "The run starts as soon as an agent takes it.");

// Let what is paused go on; a task that waits for a value is given one.
export async function approve(button, run, taskRun = null) {
  const schema = taskRun?.serialized_state?.context?.input_schema ?? null;
  const value = h("textarea", { name: "input", rows: "5", spellcheck: "false", value: schema ? "{}" : "", "aria-label": "Value" });
  const sure = await ask(taskRun ? `Approve ${nameOf(taskRun)}?` : `Approve what is paused in ${run.name}?`, { confirm: "Approve",
    body: h("p", taskRun ? "The task goes on." : "All that is paused goes on."),
    fields: schema ? [field("The task waits for a value like this", json(schema)), field("Value, as JSON", value)] : h("span") });
  if (!sure) return null;
  return act(button, () => {
    const body = taskRun ? { task_run_id: taskRun.id } : {};
    if (schema) body.input = parsed(sure.input);
    return post(`flow_runs/${run.id}/approve`, body);
  }, (answer) => (answer.approved === 1 ? "Approved." : `Approved ${answer.approved}.`));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError(422, "INVALID", `That is no JSON: ${error.message}`, null);
  }
}

// --- state by hand -------------------------------------------------------------------------------------------------

// Set a state with the version that the page has read. Should the run have moved on, both states are shown.
export async function setState(button, run, { kind = "flow_runs", seen = run, changed = null } = {}) {
  const names = kind === "flow_runs" ? FLOW_STATES : TASK_STATES;
  const wanted = await ask(`Set the state of ${nameOf(run)}`, { confirm: "Set state", danger: true,
    body: h("p", "It is now ", badge(run.state), ". A state set by hand runs nothing by itself."),
    fields: [
      field("State", h("select", { name: "state" }, names.map((name) => h("option", { value: name }, name)))),
      field("Message", h("input", { name: "message", maxlength: "1000", placeholder: "Optional" })),
      field("Reason", h("input", { name: "reason", maxlength: "1000", placeholder: "Optional, for the history" })),
    ] });
  if (!wanted) return null;
  button.disabled = true;
  try {
    const now = await get(`${kind}/${run.id}`);
    if (now.version !== seen.version) return await conflict(now, seen, wanted.state, changed);
    await post(`${kind}/${run.id}/states`, { state: stateDocument(wanted), version: seen.version, reason: wanted.reason || null });
    toast(`The state is ${wanted.state}.`);
    return true;
  } catch (error) {
    if (error.status !== 409) {
      toast(error.message, "bad");
      return null;
    }
    return await conflict(await get(`${kind}/${run.id}`), seen, wanted.state, changed, error.message);
  } finally {
    button.disabled = false;
  }
}

function stateDocument(wanted) {
  const document = { type: wanted.state, message: wanted.message || "Set by hand." };
  if (wanted.state === "Scheduled") document.start_time = new Date().toISOString();
  return document;
}

async function conflict(now, seen, wanted, changed, message = null) {
  const again = await ask("The run has moved on", { confirm: "Reload", body: [
    h("p", message ?? "Nothing was set, because the run changed after this page had read it."),
    h("dl.facts", h("dt", "This page had read"), h("dd", badge(seen.state), ` version ${seen.version}`),
      h("dt", "It is now"), h("dd", badge(now.state), ` version ${now.version}`, now.state_message ? h("div.soft", now.state_message) : null),
      h("dt", "You wanted"), h("dd", badge(wanted))),
  ] });
  if (again) await changed?.();
  return null;
}

// --- restart -------------------------------------------------------------------------------------------------------

// Ask where a run is to begin again; what would run again is shown before anything happens. tasks: [{slug, task_run_id}].
export function restart(button, run, { tasks = [], from = null, failed = true } = {}) {
  return new Promise((resolve) => {
    let outcome = null;
    const choice = { from: from?.id ?? null };
    const preview = h("div.preview", { "aria-live": "polite" });
    const reason = h("input", { maxlength: "1000", placeholder: "Optional, for the history", "aria-label": "Reason" });
    const go = h("button.primary", { type: "submit" }, "Restart");
    const form = h("form", { method: "dialog", onsubmit: async (event) => {
      event.preventDefault();
      outcome = await act(go, () => post(`flow_runs/${run.id}/restart`, { from_task_run_id: choice.from, reason: reason.value || null }),
        (answer) => `Restarted: ${plural(answer.reset, "task run")} will run again.`);
      if (outcome) dialog.close();
    } }, h("h2", `Restart ${run.name}`), choices(run, { tasks, from, failed }, (id) => {
      choice.from = id;
      showPreview(preview, go, run, id);
    }), preview, field("Reason", reason), h("div.choices", h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), go));
    const dialog = h("dialog.dialog", { "aria-label": "Restart" }, form);
    dialog.addEventListener("close", () => resolve(outcome));
    showDialog(dialog);
    if (!failed && !from) {
      go.disabled = true;
      fill(preview, h("p.soft", "Nothing failed. Choose the task to begin from."));
    } else showPreview(preview, go, run, choice.from);
  });
}

function choices(run, { tasks, from, failed }, choose) {
  const list = h("datalist", { id: "restart-tasks" }, tasks.map((one) => h("option", { value: one.slug })));
  const task = h("input", { list: "restart-tasks", placeholder: "Name of a task", "aria-label": "Task to begin from", disabled: !from });
  const wanted = () => (from && task.value === labelOf(from) ? from.id : tasks.find((one) => one.slug === task.value)?.task_run_id);
  if (from) task.value = labelOf(from);
  task.addEventListener("input", () => wanted() && choose(wanted()));
  const radio = (value, checked, disabled) => h("input", { type: "radio", name: "where", value, checked, disabled, onchange: () => {
    task.disabled = value !== "task";
    if (value === "failed") choose(null);
    else if (wanted()) choose(wanted());
    else task.focus();
  } });
  return h("div.field.radios", h("label", radio("failed", !from && failed, !failed), "What failed, and what depends on it", failed ? null : h("span.soft", " (nothing failed)")),
    h("label.inline", radio("task", Boolean(from), false), "From a task, and what depends on it: ", task), list);
}

async function showPreview(preview, go, run, from) {
  go.disabled = true;
  fill(preview, h("p.soft", "Looking what would run again …"));
  try {
    const answer = await post(`flow_runs/${run.id}/restart`, { preview: true, from_task_run_id: from });
    fill(preview, previewOf(answer));
    go.disabled = false;
  } catch (error) {
    // A server that knows no preview refuses the word; the restart itself is possible.
    const lacks = error.status === 422 && /preview/.test(error.message);
    fill(preview, h(lacks ? "p.soft" : "p.bad", lacks ? "This server cannot tell beforehand what will run again." : error.message));
    go.disabled = !lacks;
  }
}

function previewOf(answer) {
  return [
    h("p", h("strong", `${plural(answer.reset ?? answer.again.length, "task run")} will run again:`)),
    h("ul.again", answer.again.slice(0, MOST_SHOWN).map((one) => h("li", badge(one.state), " ", h("code", labelOf(one))))),
    answer.again.length > MOST_SHOWN ? h("p.soft", `and ${answer.again.length - MOST_SHOWN} more`) : null,
    (answer.warnings ?? []).map((text) => h("p.warning", h("span", { "aria-hidden": "true" }, "⚠ "), text)),
  ];
}

// --- words ---------------------------------------------------------------------------------------------------------

export const plural = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
export const slugOf = (one) => one.task_slug ?? one.slug;
export const labelOf = (one) => (one.map_index >= 0 ? `${slugOf(one)}[${one.map_index}]` : slugOf(one));
export const nameOf = (run) => run.name ?? labelOf(run);

export function field(label, control, help = null) {
  return h("div.field", h("label", label, control), help ? h("p.help", help) : null);
}
