// All versions, and what is different between two.
import { del, get, post } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { act, action, ask, card, query, table } from "../../lib/parts.js";
import { moment } from "../../lib/time.js";

export async function versionsTab(here, panel) {
  const { versions, group } = here;
  const place = h("div");
  const names = versions.map((one) => [one.id, `version ${one.version}`]);
  const choice = (label, chosen) => h("select", { "aria-label": label }, names.map(([id, name]) => h("option", { value: id, selected: id === chosen }, name)));
  const older = choice("Older version", query.get("old", versions[1]?.id ?? versions[0].id));
  const newer = choice("Newer version", query.get("new", versions[0].id));
  const compare = async () => {
    query.set({ old: older.value, new: newer.value });
    fill(place, older.value === newer.value ? h("p.none", "Choose two different versions.") : difference(await get(`flows/${newer.value}/diff`, { other: older.value })));
  };
  older.addEventListener("change", compare);
  newer.addEventListener("change", compare);
  panel.append(card("Versions", table([
    { head: "Version", cell: (one) => h("a", { href: `/flows/${group.id}/v/${one.version}` }, one.version) },
    { head: "Registered", cell: (one) => moment(one.created) },
    { head: "Tasks", class: "number", hide: true, cell: (one) => one.tasks_count },
    { head: "", cell: (one) => (one.archived ? h("span.tag", "archived") : h("span.tag", "live")) },
    { head: "", cell: (one) => h("span.tools", one.archived
      ? action("Unarchive", (button) => change(here, button, `flows/${one.id}/unarchive`, `Version ${one.version} can be run again.`))
      : action("Archive", async (button) => (await ask(`Archive version ${one.version}?`, { body: h("p", "Its planned runs are deleted, waiting ones cancelled; those that run go on."), confirm: "Archive" }))
        && change(here, button, `flows/${one.id}/archive`, `Version ${one.version} is archived.`)),
      action("Delete", async (button) => (await ask(`Delete version ${one.version}?`, { body: h("p", "All its runs, their states and log lines are deleted with it."), confirm: "Delete", danger: true, typed: here.flow.name }))
        && act(button, () => del(`flows/${one.id}`), `Version ${one.version} is deleted.`).then((done) => done && location.assign(versions.length > 1 ? `/flows/${group.id}` : "/flows")), { kind: "danger" })) },
  ], versions)), card("What is different", h("div.filters", older, " and ", newer), place));
  if (versions.length > 1) await compare();
  else fill(place, h("p.none", "There is one version only."));
}

async function change(here, button, path, said) {
  if (await act(button, () => post(path), said)) location.reload();
}

const text = (value) => (value === null || value === undefined ? "nothing" : typeof value === "string" ? value : JSON.stringify(value));
const pair = (name, [old, now]) => h("li", h("strong", name), ": ", h("del", text(old)), " → ", h("ins", text(now)));
const arrow = (edge) => `${edge.from} → ${edge.to}${edge.key ? ` (${edge.key})` : ""}`;

export function difference(found) {
  const lists = [
    ["Tasks added", found.tasks.added.map((one) => h("li", h("ins", text(one))))], ["Tasks removed", found.tasks.removed.map((one) => h("li", h("del", text(one))))],
    ["Tasks changed", found.tasks.changed.map((one) => h("li", one.slug, h("ul", Object.entries(one.fields).map(([name, values]) => pair(name, values)))))],
    ["Edges added", found.edges.added.map((one) => h("li", h("ins", arrow(one))))], ["Edges removed", found.edges.removed.map((one) => h("li", h("del", arrow(one))))],
    ["Parameters added", (found.parameters.added ?? []).map((one) => h("li", h("ins", text(one.name ?? one))))], ["Parameters removed", (found.parameters.removed ?? []).map((one) => h("li", h("del", text(one.name ?? one))))],
    ["Parameters changed", (found.parameters.changed ?? []).map((one) => h("li", one.name ?? one.slug ?? text(one), one.fields ? h("ul", Object.entries(one.fields).map(([name, values]) => pair(name, values))) : null))],
    ...["schedule", "run_config", "storage"].filter((name) => found[name]).map((name) => [{ schedule: "Schedule", run_config: "Run config", storage: "Storage" }[name], [pair("", found[name])]]),
  ].filter(([, items]) => items.length);
  if (!lists.length) return h("p.none", "Nothing that is registered differs; the code may.");
  return h("div.diff", lists.map(([title, items]) => [h("h3", `${title} (${items.length})`), h("ul", items)]));
}
