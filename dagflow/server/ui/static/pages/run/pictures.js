// The tabs Timeline and Graph of a flow run, with a panel beside them for the task that is chosen.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { gantt } from "../../lib/gantt.js";
import { graph } from "../../lib/graph.js";
import { card, query, table } from "../../lib/parts.js";
import { sidePanel, stateCounts, taskPlace } from "../../lib/side.js";
import { badge } from "../../lib/states.js";

const MOST_ROWS = 500;

// The panel beside a picture; the task that it shows is in the address.
function withPanel(here, picture, frame) {
  const panel = sidePanel({ states: (slug) => here.graph.states[slug]?.state, onGo: (slug) => choose(slug), onClose: () => {
    frame.classList.remove("open");
    query.set({ task: null });
    picture.select?.(null);
  } });
  function choose(slug) {
    if (!slug) return panel.close();
    query.set({ task: slug });
    frame.classList.add("open");
    picture.select?.(slug);
    const mapped = here.graph.tasks.find((one) => one.slug === slug)?.mapped;
    return panel.show({ run: here.run, slug, mapped, edges: here.graph.edges });
  }
  frame.append(panel.element);
  return { choose, refresh: () => panel.refresh(), stop: () => panel.close };
}

export async function timeline(here, panel) {
  const data = await get(`flow_runs/${here.id}/timeline`);
  let side = null;
  const chart = gantt({ onSelect: (task) => side.choose(task.slug) });
  const frame = h("div.picture", h("div.picture-main", stateCounts(here.graph.counts), chart.element));
  side = withPanel(here, {}, frame);
  fill(panel, frame);
  chart.update(data);
  if (query.get("task")) side.choose(query.get("task"));
  return {
    async refresh() {
      chart.update(await get(`flow_runs/${here.id}/timeline`));
      fill(frame.querySelector(".counts"), [...stateCounts(here.graph.counts).childNodes]);
      await side.refresh();
    },
    stop: () => chart.stop(),
  };
}

export async function graphTab(here, panel) {
  const layout = await get(`flows/${here.run.flow_id}/layout`).catch((error) => ({ problem: error.status === 404 ? "This server makes no layout, so here is the graph as a table." : error.message }));
  const frame = h("div.picture");
  let side = null;
  const picture = layout.problem ? null : graph(layout, { states: here.graph.states, onSelect: (node) => side.choose(node?.slug ?? null) });
  const words = taskTable(here, (slug) => side.choose(slug), !picture);
  frame.append(h("div.picture-main", picture ? picture.element : h("p.warn", layout.problem), words.element));
  side = withPanel(here, picture ?? {}, frame);
  fill(panel, frame);
  if (query.get("task")) side.choose(query.get("task"));
  return {
    async refresh() {
      picture?.update(here.graph.states);
      words.update();
      await side.refresh();
    },
    event(kind, record) {
      if (kind === "task_run_state" && record.map_index < 0) picture?.set(record.task_slug, { state: record.state });
    },
    stop: () => picture?.stop(),
  };
}

// The same as words: each task with what it depends on. It is made when somebody opens it.
function taskTable(here, choose, open) {
  const up = new Map();
  for (const edge of here.graph.edges) up.set(edge.downstream_slug, [...(up.get(edge.downstream_slug) ?? []), edge]);
  const list = h("div");
  const columns = [
    { head: "Task", cell: (one) => h("button.quiet.go", { type: "button", onclick: () => choose(one.slug) }, one.slug) },
    { head: "State", cell: (one) => [badge(one.state), Object.keys(one.children).length ? stateCounts(one.children) : null] },
    { head: "Upstream", cell: (one) => (up.get(one.slug) ?? []).map((edge, place) => [place ? ", " : null, h("a", { href: taskPlace(here.id, edge.upstream_slug) }, edge.upstream_slug), edge.key ? h("span.soft", ` as ${edge.key}`) : null]) },
  ];
  const draw = () => details.open && fill(list, table(columns, here.graph.tasks.slice(0, MOST_ROWS)), here.graph.tasks.length > MOST_ROWS ? h("p", h("a", { href: "?tab=tasks" }, `All ${here.graph.tasks.length} tasks`)) : null);
  const details = h("details.as-table", { ontoggle: draw, open }, h("summary", "The graph as a table"), list);
  draw();
  return { element: card(null, details), update: draw };
}
