// First steps: three commands to a first run, checked off as they happen.
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { refill } from "../lib/forms.js";
import { keepFresh } from "../lib/live.js";
import { copyable, head } from "../lib/parts.js";

const EXAMPLE = `from dagflow import Flow, Parameter, task

@task
def greet(name):
    print(f"Hello, {name}!")

with Flow("hello") as flow:
    greet(Parameter("name", default="world"))`;

export async function show(page) {
  const steps = h("ol.steps");
  fill(page, head("First steps"), steps);
  await keepFresh(async () => {
    const [health, flows, runs, agents] = await Promise.all([get("health"), get("flows", { limit: 1 }), get("flow_runs", { limit: 1 }), get("agents", { healthy_since_minutes: 2, limit: 1 })]);
    const flow = flows.items[0];
    const run = runs.items[0];
    const ended = run?.start_time;
    refill(steps, [health.version, flow?.id, run?.id, agents.items.length, Boolean(ended)], () => [
      step("The server is running", true, h("p", `dagflow ${health.version} answers, with ${health.database} for its database.`), command("dagflow server start")),
      step("Register a flow, and ask for a run", Boolean(flow && run), h("p", "Keep this as ", h("code", "hello.py"), ", or take a flow of yours:"), h("pre", EXAMPLE), command("dagflow create project first"), command("dagflow register --path hello.py --project first"), command("dagflow run --name hello --project first"),
        flow ? h("p", "Registered: ", h("a", { href: `/flows/${flow.flow_group_id}` }, flow.name), run ? [", with the run ", h("a", { href: `/runs/${run.id}` }, run.name), "."] : [". ", h("a.button.primary", { href: `/flows/${flow.flow_group_id}/run` }, "Run it")]) : null),
      step("Start an agent, which executes runs", agents.items.length > 0, h("p", "On the machine where the flow's code is:"), command("dagflow agent local start"), run && ended ? h("p", h("a.button.primary", { href: `/runs/${run.id}` }, "See the run")) : null),
    ]);
  }, { kinds: ["flow_run_state"] });
}

function step(title, done, ...content) {
  return h("li.card.step", { class: done ? "done" : null }, h("h2", h("span.step-sign", { "aria-hidden": "true" }, done ? "✓" : "○"), title, h("span.visually-hidden", done ? " (done)" : " (to do)")), content);
}

const command = (text) => h("p.command", h("span.soft", { "aria-hidden": "true" }, "$ "), copyable(text, "command"));
