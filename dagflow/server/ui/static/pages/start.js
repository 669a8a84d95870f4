// First steps: what to type, and whether it has been done.
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { copyable, head } from "../lib/parts.js";

const STEPS = [
  { title: "The server runs", commands: ["dagflow server start"], done: () => true, seen: "You are looking at it." },
  { title: "Register a flow", commands: ["dagflow create project examples", "dagflow register --project examples -p examples/nyc_flights.py"],
    done: (now) => now.flows > 0, seen: (now) => h("a", { href: "/flows" }, `${now.flows} flow${now.flows === 1 ? "" : "s"} registered`) },
  { title: "Start an agent", commands: ["dagflow agent local start"], done: (now) => now.healthy > 0,
    seen: (now) => h("a", { href: "/agents" }, `${now.healthy} agent${now.healthy === 1 ? "" : "s"} asking for work`) },
  { title: "Run it", commands: ["dagflow run --name 'nyc flights' --project examples --watch"], done: (now) => now.runs > 0,
    seen: () => h("a", { href: "/runs" }, "All runs") },
];

export function steps() {
  const list = h("ol.steps");
  let shown = null;
  async function load() {
    const [groups, summary, runs] = await Promise.all([
      get("flow_groups/overview", { limit: 50 }), get("summary"), get("flow_runs", { limit: 1, started: true }),
    ]);
    const now = { flows: groups.items.length, healthy: summary.agents.healthy, runs: runs.items.length };
    if (shown === JSON.stringify(now)) return;
    shown = JSON.stringify(now);
    fill(list, STEPS.map((step) => {
      const done = step.done(now);
      return h(`li.step${done ? ".done" : ""}`, h("span.mark", { role: "img", "aria-label": done ? "done" : "to do" }, done ? "✓" : "○"),
        h("div", h("h2", step.title), step.commands.map((command) => h("pre", copyable(command, "command"))),
          done ? h("p.soft", typeof step.seen === "function" ? step.seen(now) : step.seen) : null));
    }));
  }
  return { element: list, load };
}

export async function show(page) {
  const { element, load } = steps();
  page.append(head("First steps"), h("p", "Four commands to a first run; each is ticked off as soon as it has worked."), element);
  await keepFresh(load);
}
