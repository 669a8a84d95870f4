// A flow by whatever its address has: the id of its group, or of one version.
import { get } from "./api.js";

export async function groupOf(id) {
  const ofGroup = await get("flows", { flow_group_id: id, limit: 1 }); // a list is empty where an item would be an error
  if (ofGroup.items.length) return { group: await get(`flow_groups/${id}`), version: null };
  const flow = await get(`flows/${id}`);
  return { group: await get(`flow_groups/${flow.flow_group_id}`), version: flow.version };
}
