// One flow run: its state and what can be done about it above, what it did below.
import { get, post } from "../lib/api.js";
import { approve, cancelRun, deleteRun, hasFailed, reasons, restart, setState, startNow } from "../lib/control.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { act, action, head, segment, tabs } from "../lib/parts.js";
import { graphOf, idsOfTasks, labelOf } from "../lib/side.js";
import { badge, FAILED, isFinished, sign } from "../lib/states.js";
import { exact, lasting, moment } from "../lib/time.js";
import { details } from "./run/details.js";
import { events } from "./run/events.js";
import { runArtifacts, runLogs } from "./run/logs.js";
import { graphTab, timeline } from "./run/pictures.js";
import { taskRuns } from "./run/tasks.js";

const TABS = { timeline: ["Timeline", timeline], graph: ["Graph", graphTab], tasks: ["Task runs", taskRuns], logs: ["Logs", runLogs], artifacts: ["Artifacts", runArtifacts], events: ["Events", events], details: ["Details", details] };

const EASE = 3; // as many times as long as looking took, nothing is looked at
const LONGEST_REST = 6000;

export async function show(page) {
  const here = { id: segment(1), run: null, graph: null, tab: null, parent: null, top: h("div"), why: h("div"), kin: h("div") };
  here.changed = () => here.fresh?.now();
  await load(here);
  page.append(here.top, here.why, here.kin);
  showTop(here);
  Promise.all([showWhy(here), showKin(here)]).catch(() => null); // they are asked for again
  const bar = tabs(Object.entries(TABS).map(([id, [label]]) => [id, label]), (id, panel) => openTab(here, id, panel));
  page.append(bar.element);
  await bar.ready;
  here.fresh = await keepFresh(() => refresh(here), { flowRunId: here.id, onEvent: (kind, record) => here.tab?.event?.(kind, record) });
}

async function load(here) {
  [here.run, here.graph] = await Promise.all([get(`flow_runs/${here.id}`), graphOf(here.id, here.graph)]);
}

// The run itself at once; its tasks, of which there may be thousands, not more often than the server does with ease.
async function refresh(here) {
  const began = performance.now();
  if (began < (here.rests ?? 0)) {
    here.run = await get(`flow_runs/${here.id}`);
    showTop(here);
    here.later ??= setTimeout(() => {
      here.later = null;
      here.changed();
    }, here.rests - began + 10);
    return;
  }
  clearTimeout(here.later);
  here.later = null;
  await load(here);
  showTop(here);
  await Promise.all([showWhy(here), showKin(here), here.tab?.refresh?.()]);
  here.rests = performance.now() + Math.min(LONGEST_REST, (performance.now() - began) * EASE);
}

// A tab is an object {refresh, event, stop}; all of it is optional.
async function openTab(here, id, panel) {
  here.tab = null;
  const mine = {};
  here.opening = mine;
  let tab;
  try {
    tab = await TABS[id][1](here, panel);
  } catch (error) {
    fill(panel, h("section.empty", h("h2", `${TABS[id][0]} could not be shown`), h("p", error.status === 404 ? "This server does not give it." : error.message)));
    tab = null;
  }
  if (here.opening !== mine) return tab?.stop?.() ?? null;
  here.tab = tab;
  return () => {
    here.opening = null;
    tab?.stop?.();
  };
}

// --- head ----------------------------------------------------------------------------------------------------------

function showTop(here) {
  const { run, graph } = here;
  const key = JSON.stringify([run.version, run.name, run.late, run.held, run.start_time, graph.counts]);
  if (key === here.shown) return;
  here.shown = key;
  const focused = here.top.contains(document.activeElement) ? document.activeElement.textContent : null;
  if (here.top.querySelector("form.rename")) return; // somebody writes a name
  fill(here.top, head(run.name, { crumbs: [["Flows", "/flows"], [run.project_name, `/flows?project_id=${run.project_id}`], [run.flow_name, `/flows/${run.flow_group_id}`], [`version ${run.flow_version}`, `/flows/${run.flow_group_id}/v/${run.flow_version}`]],
    beside: [renameButton(here), badge(run.state, { late: run.late })], tools: actions(here) }), message(run), times(run));
  document.title = `${sign(run.state)} ${run.name} · dagflow`;
  favicon(here.top.querySelector(".state"));
  if (focused) [...here.top.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
}

const message = (run) => (run.state_message ? h("p.message", { class: FAILED.has(run.state) ? "bad" : null }, run.state_message) : null);

function times(run) {
  const ended = isFinished(run.state);
  const one = (label, value) => h("span.time", h("span.soft", `${label} `), value);
  return h("p.times", run.scheduled_start_time ? one("planned", moment(run.scheduled_start_time)) : null, run.start_time ? one("started", moment(run.start_time)) : null,
    ended && run.end_time ? one("ended", moment(run.end_time)) : null, run.start_time ? one(ended ? "took" : "runs for", lasting(run.start_time, ended ? run.end_time : null)) : null,
    (run.labels ?? []).map((label) => h("span.tag", label)));
}

// The colour of the state in the browser's tab.
function favicon(element) {
  if (!element) return;
  const colour = getComputedStyle(element).getPropertyValue("--state").trim() || "#566074";
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${colour}"/></svg>`;
  document.querySelector("link[rel=icon]").href = `data:image/svg+xml,${encodeURIComponent(picture)}`;
}

function renameButton(here) {
  return h("button.quiet", { type: "button", "aria-label": "Rename this run", title: "Rename", onclick: () => {
    const field = h("input", { value: here.run.name, "aria-label": "Name", maxlength: "1000", required: true });
    const back = () => {
      form.remove();
      here.shown = null;
      showTop(here);
    };
    const form = h("form.rename", { onsubmit: async (event) => {
      event.preventDefault();
      if (await act(null, () => post(`flow_runs/${here.id}/name`, { name: field.value }), "Renamed.")) {
        here.run.name = field.value;
        back();
      }
    }, onkeydown: (event) => event.key === "Escape" && back() }, field, h("button.primary", { type: "submit" }, "Save"), h("button", { type: "button", onclick: back }, "Cancel"));
    here.top.querySelector("h1").replaceWith(form);
    field.select();
  } }, "✎");
}

function actions(here) {
  const { run, graph } = here;
  const then = async (promise) => (await promise) && here.changed();
  const tasks = () => graph.tasks.map((one) => ({ slug: one.slug, task_run_id: here.taskRunIds?.[one.slug] }));
  return [
    action("Start now", (button) => then(startNow(button, run)), { reason: reasons.start(run) }),
    action("Approve", (button) => then(approve(button, run)), { reason: reasons.approve(run, graph.counts) }),
    action("Restart", async (button) => {
      here.taskRunIds ??= await idsOfTasks(here.id);
      then(restart(button, run, { tasks: tasks(), failed: hasFailed(graph.counts) || FAILED.has(run.state) || run.state === "Cancelled" }));
    }, { reason: reasons.restart(run, graph.counts), kind: FAILED.has(run.state) ? "primary" : "" }),
    h("a.button", { href: `/flows/${run.flow_group_id}/run?from=${run.id}` }, "Run again with these inputs"),
    action("Set state", (button) => then(setState(button, run, { changed: here.changed }))),
    action("Cancel", (button) => then(cancelRun(button, run)), { reason: reasons.cancel(run), kind: "danger" }),
    action("Delete", async (button) => (await deleteRun(button, run)) && location.assign("/runs"), { kind: "danger" }),
  ];
}

// --- why it waits, and whose it is ---------------------------------------------------------------------------------

async function showWhy(here) {
  const { run } = here;
  if (isFinished(run.state) || run.held) {
    fill(here.why);
    return;
  }
  const answer = here.graph.counts.Paused && run.state === "Running" ? { reasons: [await whoPauses(here)] } : await get(`flow_runs/${here.id}/why`);
  const key = JSON.stringify(answer.reasons);
  if (key === here.why.dataset.key && here.why.childElementCount) return;
  here.why.dataset.key = key;
  fill(here.why, h("section.card.why", h("h2", "Why is this not running?"), h("ul", answer.reasons.map((one) => h("li", readable(one.text ?? one)))), h("p", h("a", { href: "/queue" }, "Queue"), " · ", h("a", { href: "/agents" }, "Agents & pools"))));
}

// A run of which nothing can go on before somebody approves is held by no process.
async function whoPauses(here) {
  const { items } = await get(`flow_runs/${here.id}/task_runs`, { state: ["Paused"], limit: 10 });
  return `It waits until somebody approves ${items.map(labelOf).join(", ") || "what is paused"}.`;
}

// Moments in sentences of the server, as this page shows moments.
const readable = (text) => text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (found) => exact(found));

async function showKin(here) {
  const { run } = here;
  if (run.parent_task_run_id && !here.parent) here.parent = await parentOf(run);
  const { items } = await get("flow_runs", { parent_flow_run_id: run.id, limit: 50 });
  const key = JSON.stringify([here.parent?.run.id, items.map((one) => [one.id, one.state])]);
  if (key === here.kin.dataset.key) return;
  here.kin.dataset.key = key;
  here.children = items;
  fill(here.kin, here.parent ? h("p.kin", "Started by ", h("a", { href: `/runs/${here.parent.run.id}` }, here.parent.run.name), " ", badge(here.parent.run.state), " in its task ", h("a", { href: `/task-runs/${run.parent_task_run_id}` }, here.parent.task)) : null,
    items.length ? h("p.kin", `Started ${items.length === 50 ? "50 or more runs" : items.length === 1 ? "a run" : `${items.length} runs`}: `, items.slice(0, 12).map((one) => h("span.kin-one", badge(one.state), " ", h("a", { href: `/runs/${one.id}` }, `${one.flow_name} / ${one.name}`))), items.length > 12 ? h("a", { href: "?tab=details" }, "all") : null) : null);
}

async function parentOf(run) {
  try {
    const taskRun = await get(`task_runs/${run.parent_task_run_id}`);
    return { run: await get(`flow_runs/${taskRun.flow_run_id}`), task: taskRun.task_slug };
  } catch {
    return null; // it was deleted
  }
}
