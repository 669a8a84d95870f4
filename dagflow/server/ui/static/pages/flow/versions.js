// All versions of a flow, and what is different between two of them.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { part } from "../../lib/forms.js";
import { action, card, json, query, table } from "../../lib/parts.js";
import { moment } from "../../lib/time.js";
import { inWords } from "../../lib/words.js";
import { archive, removeVersion } from "../flow.js";

export async function versions(view, panel) {
  const difference = h("div");
  const done = async (work) => (await work) !== null && view.reload();
  const list = table([
    { head: "Version", cell: (one) => [h("a.run-name", { href: `/flows/${view.group.id}/v/${one.version}` }, `v${one.version}`), " ", one.archived ? h("span.tag", "archived") : h("span.tag", "live")] },
    { head: "Registered", cell: (one) => moment(one.created) },
    { head: "Tasks", class: "number", hide: true, cell: (one) => one.tasks_count },
    { head: "Schedule", hide: true, cell: (one) => inWords(one.schedule) },
    { head: "dagflow", hide: true, cell: (one) => one.core_version },
    { head: "", cell: (one) => h("div.tools", action(one.archived ? "Unarchive" : "Archive", (button) => done(archive(button, one))), action("Delete", (button) => done(removeVersion(button, one)), { kind: "danger" })) },
  ], view.all);
  fill(panel, card("Versions", list), view.all.length > 1 ? card("Compare", chooser(view, difference), difference) : null);
  if (view.all.length > 1) await compare(view, difference);
}

function pair(view) {
  const by = (name, otherwise) => view.all.find((one) => String(one.version) === query.get(name)) ?? otherwise;
  return [by("old", view.all[1]), by("new", view.all[0])];
}

function chooser(view, difference) {
  const [old, fresh] = pair(view);
  const select = (name, label, chosen) => h("select", { "aria-label": label, onchange: (event) => {
    query.set({ [name]: event.target.value });
    compare(view, difference);
  } }, view.all.map((one) => h("option", { value: one.version, selected: one === chosen }, `v${one.version}`)));
  return h("div.filters", "From ", select("old", "Older version", old), " to ", select("new", "Newer version", fresh));
}

function compare(view, place) {
  const [old, fresh] = pair(view);
  if (old === fresh) return fill(place, h("p.none", "Choose two different versions."));
  return part(place, async () => fill(place, shown(await get(`flows/${fresh.id}/diff`, { other: old.id }))));
}

function shown(diff) {
  const lists = [
    ["Tasks", diff.tasks.added, diff.tasks.removed, diff.tasks.changed],
    ["Edges", diff.edges.added.map(edge), diff.edges.removed.map(edge), []],
    ["Parameters", diff.parameters.added, diff.parameters.removed, diff.parameters.changed],
  ].filter(([, ...parts]) => parts.some((one) => one.length));
  const pairs = [["Schedule", diff.schedule], ["Run config", diff.run_config], ["Storage", diff.storage]].filter(([, value]) => value);
  if (!lists.length && !pairs.length) return h("p.none", "These versions have the same structure; only code may be different.");
  return [h("p.soft", `From v${diff.old.version} to v${diff.new.version}`), lists.map(([title, added, removed, changed]) => [h("h3", title), h("ul",
    added.map((one) => h("li.diff-new", `+ ${nameOf(one)}`)), removed.map((one) => h("li.diff-old", `− ${nameOf(one)}`)), changed.map(change))]),
  pairs.map(([title, [old, fresh]]) => [h("h3", title), h("div.cards", h("div", h("p.soft", "before"), json(old)), h("div", h("p.soft", "after"), json(fresh)))])];
}

const nameOf = (one) => (typeof one === "string" ? one : one.slug ?? one.name ?? JSON.stringify(one));
const edge = ({ from, to, key, mapped }) => `${from} → ${to}${key ? ` (${key})` : ""}${mapped ? ", mapped" : ""}`;

function change(one) {
  return h("li", h("code", nameOf(one)), h("ul", Object.entries(one.fields ?? {}).map(([name, [old, fresh]]) => h("li", `${name}: `, h("span.diff-old", JSON.stringify(old)), " → ", h("span.diff-new", JSON.stringify(fresh))))));
}
