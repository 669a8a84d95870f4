// Projects.
import { all, del, patch, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { act, action, ask, card, empty, head, table } from "../lib/parts.js";

const fields = (one = {}) => [
  h("div.field", h("label", { for: "project-name" }, "Name"), h("input", { id: "project-name", name: "name", value: one.name ?? "", required: true })),
  h("div.field", h("label", { for: "project-about" }, "Description"), h("input", { id: "project-about", name: "description", value: one.description ?? "" })),
];

export async function show(page) {
  const list = h("div");
  page.append(head("Projects", { tools: [action("New project", async (button) => {
    const given = await ask("New project", { fields: fields(), confirm: "Create" });
    if (given && (await act(button, () => post("projects", given), `Project ${given.name} is there.`))) await load();
  }, { kind: "primary" })] }), list);

  async function load() {
    const items = await all("projects");
    fill(list, items.length ? card(null, table([
      { head: "Project", cell: (one) => h("div", h("a.strong", { href: `/flows?project_id=${one.id}` }, one.name), h("div.soft.small", one.description)) },
      { head: "Flows", class: "number", cell: (one) => one.flow_count },
      { head: "", cell: (one) => h("span.tools", action("Change", async (button) => {
        const given = await ask(`Change ${one.name}`, { fields: fields(one), confirm: "Save" });
        if (given && (await act(button, () => patch(`projects/${one.id}`, given), "The project is changed."))) await load();
      }), action("Delete", async (button) => {
        const sure = await ask(`Delete ${one.name}?`, { body: h("p", `Its ${one.flow_count} flows go with it, and all their runs.`), confirm: "Delete", danger: true, typed: one.name });
        if (sure && (await act(button, () => del(`projects/${one.id}`), `Project ${one.name} is deleted.`))) await load();
      }, { kind: "danger" })) },
    ], items)) : empty("No project yet", h("p", "Flows are registered in a project; make one here, or with ", h("code", "dagflow create project"), ".")));
  }
  await load();
}
