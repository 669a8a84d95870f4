// What happened: the states that runs entered, the latest first.
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { act, action, empty, head, query } from "../lib/parts.js";
import { badge, group } from "../lib/states.js";
import { moment } from "../lib/time.js";

const PAGE = 100;
const SHOWN = [["", "All states"], ["Failed", "Failed"], ["Running", "Running"], ["Done", "Ended otherwise"], ["Waiting", "Waiting"], ["actor", "Done by somebody"]];

export async function show(page) {
  const view = { items: [], cursor: null, list: h("ol.feed"), more: h("p"), none: h("div") };
  const kind = h("select", { "aria-label": "What is shown", onchange: () => {
    query.set({ show: kind.value });
    draw(view);
  } }, SHOWN.map(([id, text]) => h("option", { value: id, selected: id === query.get("show", "") }, text)));
  fill(page, head("Events"), h("div.filters", kind), h("section.card", view.list, view.none, view.more));
  await keepFresh(async () => {
    const answer = await get("activity", { limit: PAGE });
    const known = new Set(view.items.map((one) => one.seq));
    const fresh = answer.items.filter((one) => !known.has(one.seq));
    // When more happened than one answer holds, what is between is missing: begin anew.
    if (fresh.length === answer.items.length) Object.assign(view, { items: answer.items, cursor: answer.cursor });
    else view.items = [...fresh, ...view.items];
    if (fresh.length || !view.drawn) draw(view);
  }, { kinds: ["flow_run_state"] });
}

function draw(view) {
  const wanted = query.get("show");
  const items = view.items.filter((one) => !wanted || (wanted === "actor" ? one.actor : group(one.state) === wanted));
  view.drawn = true;
  fill(view.list, items.map(item));
  fill(view.none, items.length ? null : empty(view.items.length ? "Nothing of that kind among the events loaded" : "Nothing happened yet"));
  fill(view.more, view.cursor ? action("Earlier", (button) => act(button, async () => {
    const next = await get("activity", { limit: PAGE, cursor: view.cursor });
    view.items.push(...next.items);
    view.cursor = next.cursor;
    draw(view);
  })) : null);
}

function item(one) {
  return h("li", moment(one.timestamp), badge(one.state), h("div", h("a.run-name", { href: `/runs/${one.run_id}` }, one.run_name), h("span.soft", ` ${one.flow_name}`),
    one.actor ? h("span.tag", ` by ${one.actor}`) : null, one.message || one.reason ? h("div.soft", one.message, one.reason ? ` (${one.reason})` : null) : null));
}
