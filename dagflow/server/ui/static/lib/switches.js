// The switch of a schedule; without one it cannot be used, and says so.
import { post } from "./api.js";
import { h } from "./dom.js";
import { act } from "./parts.js";

export function scheduleSwitch(one, fresh) {
  const reason = one.schedule ? (one.archived ? "This version is archived." : null) : "This flow has no schedule.";
  const field = h("input", { type: "checkbox", role: "switch", checked: Boolean(one.is_schedule_active && one.schedule), disabled: Boolean(reason),
    title: reason ?? "Follow the schedule", "aria-label": `Schedule of ${one.name}${reason ? `: ${reason}` : ""}` });
  field.addEventListener("change", async () => {
    await act(null, () => post(`flows/${one.flow_id}/schedule_active`, { active: field.checked }),
      field.checked ? `The schedule of ${one.name} is followed.` : `The schedule of ${one.name} is off; its planned runs are gone.`);
    fresh.now();
  });
  return field;
}
