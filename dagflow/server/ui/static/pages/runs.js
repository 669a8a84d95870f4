// All flow runs.
import { head } from "../lib/parts.js";
import { runList } from "../lib/runlist.js";

export async function show(page) {
  const list = runList();
  page.append(head("Runs"), list.element);
  await list.start();
}
