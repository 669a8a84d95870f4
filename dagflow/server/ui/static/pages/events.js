// What happened lately, and who did it.
import { get } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { keepFresh } from "../lib/live.js";
import { card, head, table } from "../lib/parts.js";
import { badge } from "../lib/states.js";
import { moment } from "../lib/time.js";

export async function show(page) {
  const list = h("div");
  const state = { pages: 1 };
  page.append(head("Events"), card(null, list));
  const fresh = await keepFresh(async () => {
    const items = [];
    let cursor = null;
    for (let number = 0; number < state.pages; number++) {
      const found = await get("activity", { limit: 100, cursor });
      items.push(...found.items);
      cursor = found.cursor;
      if (!cursor) break;
    }
    fill(list, table([
      { head: "When", cell: (one) => moment(one.timestamp) },
      { head: "Run", cell: (one) => h("div", h("a", { href: `/runs/${one.run_id}` }, one.run_name), h("div.soft.small", one.flow_name)) },
      { head: "State", cell: (one) => badge(one.state) },
      { head: "What", cell: (one) => one.message ?? "" },
      { head: "Who, and why", hide: true, cell: (one) => h("span.soft", [one.actor, one.reason].filter(Boolean).join(": ")) },
    ], items, { empty: "Nothing has happened yet." }), cursor ? h("p", h("button", { type: "button", onclick: () => (state.pages++, fresh.now()) }, "Older")) : null);
  });
}
