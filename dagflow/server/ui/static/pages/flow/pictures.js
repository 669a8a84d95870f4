// The graph, the grid of runs and tasks, and how long tasks take.
import { get } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { graph } from "../../lib/graph.js";
import { keepFresh } from "../../lib/live.js";
import { card, table } from "../../lib/parts.js";
import { graphOf, taskPlace } from "../../lib/side.js";
import { block } from "../../lib/states.js";
import { duration, exact } from "../../lib/time.js";

export async function graphTab(here, panel) {
  const [layout, last] = await Promise.all([get(`flows/${here.flow.id}/layout`), get("flow_runs", { flow_id: here.flow.id, started: true, limit: 1 })]);
  const run = last.items[0];
  const states = run ? (await graphOf(run.id)).states : {};
  const upstream = {};
  const slugs = Object.fromEntries(layout.nodes.map((node) => [node.task_id, node.slug]));
  for (const edge of layout.edges) (upstream[edge.to] ??= []).push(slugs[edge.from]);
  const picture = graph(layout, { states, onSelect: (node) => node && run && location.assign(taskPlace(run.id, node.slug)) });
  panel.append(
    run ? h("p.soft", "States are those of the last run, ", h("a", { href: `/runs/${run.id}` }, run.name), ".") : h("p.soft", "It has not run yet."),
    picture.element,
    card("In words", table([
      { head: "Task", cell: (node) => node.slug }, { head: "Mapped", hide: true, cell: (node) => (node.mapped ? "yes" : "") },
      { head: "After", cell: (node) => (upstream[node.task_id] ?? []).join(", ") || h("span.none", "nothing") },
    ], layout.nodes)));
  return () => picture.stop?.();
}

export async function gridTab(here, panel) {
  const place = h("div");
  panel.append(card(null, place));
  const fresh = await keepFresh(async () => {
    const { runs, tasks, cells, children } = await get(`flow_groups/${here.group.id}/grid`, { runs: 30 });
    if (!runs.length) return place.replaceChildren(h("p.none", "It has not run yet."));
    const order = runs.map((_, number) => number).reverse(); // the newest on the right
    place.replaceChildren(h("div.scroll", h("table.grid", h("caption.soft", `The last ${runs.length} runs, the newest on the right. A cell leads to the task's run.`),
      h("thead", h("tr", h("td"), order.map((number) => h("th", { scope: "col" }, block(runs[number].state, { href: `/runs/${runs[number].id}`, title: `${runs[number].name}: ${runs[number].state}, ${exact(runs[number].start_time ?? runs[number].scheduled_start_time)}` }))))),
      h("tbody", tasks.map(({ slug }) => h("tr", h("th", { scope: "row" }, slug), order.map((number) => {
        const state = cells[slug]?.[number] ?? null;
        const counts = children[slug]?.[number];
        const more = counts ? ` (${Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ")})` : "";
        return h("td", block(state, { href: state ? taskPlace(runs[number].id, slug) : null, title: `${slug} in ${runs[number].name}: ${state ?? "not run"}${more}` }));
      })))))));
    return null;
  });
  return () => fresh.stop();
}

export async function tasksTab(here, panel) {
  const { tasks, runs } = await get(`flow_groups/${here.group.id}/durations`, { runs: 50 });
  const most = Math.max(...tasks.map((one) => one.p95 ?? 0), 0.001);
  const time = (value) => (value === null ? h("span.none", "–") : duration(value * 1000));
  panel.append(card(null, h("p.soft", `Of the last ${runs.length} runs.`), table([
    { head: "Task", cell: (one) => one.slug },
    { head: "Runs", class: "number", cell: (one) => one.count },
    { head: "Failed", class: "number", cell: (one) => (one.failed ? h("span.bad", one.failed) : "0") },
    { head: "Median", class: "number", cell: (one) => time(one.p50) },
    { head: "95 %", class: "number", cell: (one) => time(one.p95) },
    { head: "Last", class: "number", hide: true, cell: (one) => time(one.last) },
    { head: "", hide: true, cell: (one) => h("span.meter", { role: "img", "aria-label": `Median ${duration((one.p50 ?? 0) * 1000)}` },
      h("span.meter-wide", { style: { width: `${((one.p95 ?? 0) / most) * 100}%` } }), h("span.meter-fill", { style: { width: `${((one.p50 ?? 0) / most) * 100}%` } })) },
  ], tasks, { empty: "It has not run yet." })));
}
