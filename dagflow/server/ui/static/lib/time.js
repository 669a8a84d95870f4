// Times: local or UTC by one setting, the other one when the pointer rests on it.
import { h } from "./dom.js";

const ZONE = "dagflow.zone";
export const zone = {
  get: () => (localStorage.getItem(ZONE) === "utc" ? "utc" : "local"),
  set: (value) => localStorage.setItem(ZONE, value),
};

const two = (number) => String(number).padStart(2, "0");

export function exact(value, which = zone.get()) {
  const at = new Date(value);
  if (which === "utc") return `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function relative(value, now = Date.now()) {
  const seconds = Math.round((now - new Date(value)) / 1000);
  const ahead = seconds < 0;
  const text = duration(Math.abs(seconds) * 1000, true);
  return ahead ? `in ${text}` : `${text} ago`;
}

// Milliseconds for people; short gives only the largest unit.
export function duration(milliseconds, short = false) {
  if (milliseconds === null || milliseconds === undefined || Number.isNaN(milliseconds)) return "";
  const seconds = milliseconds / 1000;
  if (seconds < 1) return short ? "0 s" : `${Math.round(milliseconds)} ms`;
  if (seconds < 10 && !short) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const place = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[place];
  const whole = Math.floor(seconds / size);
  if (short || place === 3) return `${whole} ${name}`;
  const [below, smaller] = units[place + 1];
  const rest = Math.floor((seconds - whole * size) / smaller);
  return rest ? `${whole} ${name} ${rest} ${below}` : `${whole} ${name}`;
}

// A moment as an element: relative or exact, with both zones in its title.
export function moment(value, { exactly = false } = {}) {
  if (!value) return h("span.none", "–");
  const title = `${exact(value, "local")} local\n${exact(value, "utc")}`;
  return h("time", { datetime: new Date(value).toISOString(), title, "data-relative": exactly ? null : "" },
    exactly ? exact(value) : relative(value));
}

// How long from start to end; goes on by itself while there is no end.
export function lasting(start, end) {
  if (!start) return h("span.none", "–");
  const text = duration((end ? new Date(end) : Date.now()) - new Date(start));
  return h("span.lasting", { "data-since": end ? null : start }, text);
}

setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-relative]")) {
    element.textContent = relative(element.getAttribute("datetime"));
  }
  for (const element of document.querySelectorAll("[data-since]")) {
    element.textContent = duration(Date.now() - new Date(element.dataset.since));
  }
}, 1000);
