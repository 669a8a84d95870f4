// Projects: what flows are sorted into.
import { all, del, patch, post } from "../lib/api.js";
import { plural } from "../lib/control.js";
import { fill, h } from "../lib/dom.js";
import { area, input } from "../lib/forms.js";
import { act, action, ask, card, empty, head, table } from "../lib/parts.js";
import { moment } from "../lib/time.js";

export async function show(page) {
  const place = h("div");
  const load = async () => {
    const items = await all("projects");
    fill(place, items.length ? card(null, list(items, load)) : empty("No projects", h("p", "Flows are registered in a project. Make one here, or with ", h("code", "dagflow create project NAME"), ".")));
  };
  fill(page, head("Projects", { tools: [action("New project", () => create(load), { kind: "primary" })] }), place);
  await load();
}

function list(items, load) {
  return table([
    { head: "Project", cell: (one) => h("a.run-name", { href: `/flows?project_id=${one.id}` }, one.name) },
    { head: "Description", cell: (one) => one.description ?? h("span.none", "–") },
    { head: "Flows", class: "number", cell: (one) => one.flow_count },
    { head: "Created", hide: true, cell: (one) => moment(one.created) },
    { head: "", cell: (one) => h("div.tools", h("a.button", { href: `/runs?project_name=${encodeURIComponent(one.name)}` }, "Runs"), action("Change", () => change(one, load)), action("Delete", (button) => remove(button, one, load), { kind: "danger" })) },
  ], items);
}

const fields = (one = {}) => [input("name", "Name", { required: true, maxlength: "500", value: one.name ?? "" }), area("description", "Description", one.description ?? "", null, 3)];

async function create(load) {
  const answer = await ask("New project", { fields: fields(), confirm: "Create" });
  if (answer && (await act(null, () => post("projects", { name: answer.name, description: answer.description || null }), `The project ${answer.name} is there.`))) load();
}

async function change(one, load) {
  const answer = await ask(`Change ${one.name}`, { fields: fields(one), confirm: "Save" });
  if (answer && (await act(null, () => patch(`projects/${one.id}`, { name: answer.name, description: answer.description || null }), "Saved."))) load();
}

async function remove(button, one, load) {
  const body = h("p", one.flow_count ? `Its ${plural(one.flow_count, "flow")} and all their runs are deleted too. This cannot be undone.` : "It has no flows.");
  if ((await ask(`Delete ${one.name}?`, { confirm: "Delete", danger: true, typed: one.name, body })) && (await act(button, () => del(`projects/${one.id}`), `${one.name} is deleted.`))) load();
}
