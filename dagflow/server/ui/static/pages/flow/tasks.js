// How long tasks take, and how that changes.
import { get } from "../../lib/api.js";
import { fill, h } from "../../lib/dom.js";
import { part } from "../../lib/forms.js";
import { card, table } from "../../lib/parts.js";
import { duration } from "../../lib/time.js";
import { percent } from "../../lib/words.js";

const RUNS = [20, 50, 100];
const seconds = (value) => (value === null || value === undefined ? "–" : duration(value * 1000));

export async function tasks(view, panel) {
  const place = h("div");
  const choice = h("select", { "aria-label": "How many runs", onchange: () => load() }, RUNS.map((count) => h("option", { value: count, selected: count === 50 }, `Last ${count} runs`)));
  const load = () => part(place, async () => {
    const answer = await get(`flow_groups/${view.group.id}/durations`, { runs: choice.value });
    const longest = Math.max(1e-9, ...answer.tasks.map((one) => one.p95 ?? 0));
    fill(place, card(null, table([
      { head: "Task", cell: (one) => h("code", one.slug) },
      { head: "Runs", class: "number", hide: true, cell: (one) => one.count },
      { head: "Failed", class: "number", cell: (one) => (one.failed ? h("span.bad", `${one.failed} (${percent(one.failed / Math.max(1, one.count))})`) : "0") },
      { head: "Median", class: "number", cell: (one) => seconds(one.p50) },
      { head: "95 of 100 within", class: "number", cell: (one) => seconds(one.p95) },
      { head: "Last", class: "number", hide: true, cell: (one) => seconds(one.last) },
      { head: "Trend", hide: true, cell: (one) => trend(one) },
      { head: "", hide: true, cell: (one) => h("span.meter", { role: "img", "aria-label": `95 of 100 within ${seconds(one.p95)}` }, h("span", { style: { width: `${((one.p95 ?? 0) / longest) * 100}%` } })) },
    ], answer.tasks, { empty: "No task has run yet." })));
  });
  fill(panel, h("div.filters", choice), place);
  await load();
}

// The last run against the median: a direction in words, as a run alone says little.
function trend({ p50, last }) {
  if (!p50 || last === null || last === undefined) return h("span.none", "–");
  const share = last / p50 - 1;
  if (Math.abs(share) < 0.15) return h("span.soft", "→ as usual");
  const text = `${share > 0 ? "↑" : "↓"} ${percent(Math.abs(share))} ${share > 0 ? "longer" : "shorter"} than usual`;
  return h("span", { class: share > 0.5 ? "warn" : "soft" }, text);
}
