// A flow as a graph with a table that says the same, and its last runs as a grid.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { atEnd, part, refill } from "../../lib/forms.js";
import { keepFresh } from "../../lib/live.js";
import { empty, facts, table } from "../../lib/parts.js";
import { sidePanel, taskPlace } from "../../lib/side.js";
import { badge, block, sign } from "../../lib/states.js";
import { exact } from "../../lib/time.js";

const RUNS = 25;

export async function graphTab(view, panel) {
  const { tasks, edges } = view.flow.serialized_flow;
  const up = new Map(tasks.map((task) => [task.slug, []]));
  for (const edge of edges) up.get(edge.downstream_task.slug)?.push(edge.upstream_task.slug);
  const side = h("aside.card", { hidden: true });
  const choose = (slug) => {
    const task = tasks.find((one) => one.slug === slug);
    side.hidden = !task;
    if (task) fill(side, about(task, up, edges));
  };
  const place = h("div");
  fill(panel, place, side, h("details.card", { open: tasks.length <= 40 }, h("summary", `Tasks as a table (${tasks.length})`), taskTable(tasks, up)));
  let drawn = null;
  await part(place, async () => {
    const [{ graph }, layout] = await Promise.all([import("../../lib/graph.js"), get(`flows/${view.flow.id}/layout`)]);
    drawn = graph(layout, { onSelect: choose });
    fill(place, drawn.element);
  });
  return () => drawn?.stop();
}

function about(task, up, edges) {
  const down = edges.filter((edge) => edge.upstream_task.slug === task.slug).map((edge) => edge.downstream_task.slug);
  const list = (slugs) => (slugs.length ? [...new Set(slugs)].join(", ") : "none");
  return [h("h2", task.name), facts([["Slug", h("code", task.slug)], ["Type", h("code", task.type)], ["Upstream", list(up.get(task.slug))], ["Downstream", list(down)],
    ["Retries", task.max_retries ? `${task.max_retries}, after ${task.retry_delay} s` : "none"], ["Trigger", task.trigger?.fn?.split(".").pop() ?? null], ["Timeout", task.timeout ? `${task.timeout} s` : null], ["Tags", task.tags?.length ? task.tags.join(", ") : null]])];
}

function taskTable(tasks, up) {
  return table([
    { head: "Task", cell: (task) => h("code", task.slug) },
    { head: "After", cell: (task) => [...new Set(up.get(task.slug))].join(", ") || h("span.none", "nothing") },
    { head: "Retries", class: "number", hide: true, cell: (task) => task.max_retries || "–" },
    { head: "Trigger", hide: true, cell: (task) => task.trigger?.fn?.split(".").pop() ?? "–" },
    { head: "Type", hide: true, cell: (task) => h("code", (task.type ?? "").split(".").pop()) },
  ], tasks, { empty: "This flow has no tasks." });
}

export async function gridTab(view, panel) {
  const place = h("div.card");
  const side = sidePanel();
  fill(panel, h("div", place, side.element));
  const edges = view.flow.serialized_flow.edges.map((edge) => ({ upstream_slug: edge.upstream_task.slug, downstream_slug: edge.downstream_task.slug, key: edge.key }));
  const open = (run, slug) => {
    side.element.parentElement.classList.add("split");
    return side.show({ run, slug, edges });
  };
  const fresh = await keepFresh(() => part(place, async () => {
    const grid = await get(`flow_groups/${view.group.id}/grid`, { runs: RUNS });
    refill(place, grid, () => (grid.runs.length ? gridTable(grid, open) : empty("No runs yet", h("p", "Each run becomes a column here, with the state of each task."))));
  }), { kinds: ["flow_run_state"] });
  return () => {
    side.close();
    fresh.stop();
  };
}

function gridTable({ runs, tasks, cells, children }, open) {
  const order = runs.map((_, place) => place).reverse();
  const head = h("tr", h("th", { scope: "col" }, "Oldest to newest"), order.map((place) => h("th", { scope: "col" }, block(runs[place].state, { href: `/runs/${runs[place].id}`, title: `${runs[place].name}: ${runs[place].state}, ${exact(runs[place].start_time ?? runs[place].scheduled_start_time)}` }))));
  return [h("h2", `Last ${runs.length} runs`), atEnd(h("div.scroll", h("table.grid-table", h("thead", head), h("tbody", tasks.map((task) => h("tr", h("th", { scope: "row", title: task.slug }, task.name ?? task.slug),
    order.map((place) => h("td", cell(runs[place], task.slug, cells[task.slug]?.[place] ?? null, children[task.slug]?.[place], open))))))))),
  h("p.soft", "Columns are runs, rows are tasks; choose a cell for the logs. ", ["Success", "Failed", "Running", "Pending"].map((state) => [badge(state), " "]))];
}

function cell(run, slug, state, children, open) {
  const many = children ? `; ${Object.entries(children).map(([name, count]) => `${count} ${name}`).join(", ")}` : "";
  const said = `${slug} in ${run.name}: ${state ?? "not run"}${many}`;
  return h(`button.grid-cell.state-${state ?? "None"}`, { type: "button", disabled: !state, title: said, "aria-label": said,
    onclick: async () => {
      try {
        await open(await get(`flow_runs/${run.id}`), slug);
      } catch {
        location.assign(taskPlace(run.id, slug));
      }
    } }, state ? sign(state) : "");
}
