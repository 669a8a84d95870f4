// The tabs Logs and Artifacts of a flow run.
import { get } from "../../lib/api.js";
import { artifacts } from "../../lib/artifacts.js";
import { fill, h } from "../../lib/dom.js";
import { logs } from "../../lib/logs.js";
import { idsOfTasks } from "../../lib/side.js";

export async function runLogs(here, panel) {
  const lines = logs({ flowRunId: here.id, tasks: here.graph.tasks.map((one) => one.slug) });
  fill(panel, lines.element);
  await lines.ready;
  return { refresh: lines.refresh, stop: lines.stop };
}

export async function runArtifacts(here, panel) {
  let shown = null;
  const slugs = Object.fromEntries(Object.entries((here.taskRunIds ??= await idsOfTasks(here.id))).map(([slug, id]) => [id, slug]));
  async function load() {
    const { items } = await get("artifacts", { flow_run_id: here.id });
    const key = JSON.stringify(items.map((one) => [one.id, one.updated]));
    if (key === shown) return;
    shown = key;
    fill(panel, artifacts(items, { place: (one) => h("a", { href: `/task-runs/${one.task_run_id}` }, slugs[one.task_run_id] ?? "a mapped child") }));
  }
  await load();
  return { refresh: load };
}
