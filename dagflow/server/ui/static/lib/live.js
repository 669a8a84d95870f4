// Keeping a page fresh: the event stream tells when to look again, a slow beat looks when there is no stream.
import { address, key } from "./api.js";
import { banner } from "./bar.js";
import { exact } from "./time.js";

const BEAT = 8000; // a page never shows a state older than 10 s while connected
const REST = 700; // at most so often, however much happens

// Call load() now, when something happens, and every few seconds; pages that nobody sees rest.
// Returns an object whose now() looks at once and whose stop() ends it.
export async function keepFresh(load, { flowRunId = null, kinds = null, onEvent = null } = {}) {
  const state = { stopped: false, busy: false, again: false, last: 0, timer: null, place: null, since: null };

  async function look() {
    if (state.stopped) return;
    if (state.busy) {
      state.again = true;
      return;
    }
    state.busy = true;
    state.last = Date.now();
    try {
      await load();
      connected();
    } catch (error) {
      if (error.code === "UNREACHABLE") disconnected();
      else if (error.status === 404 || error.status === 401) state.stopped = true;
      else console.error(error);
    }
    state.busy = false;
    if (state.again) {
      state.again = false;
      soon();
    }
  }

  function soon() {
    if (state.timer || state.stopped || document.hidden) return;
    state.timer = setTimeout(() => {
      state.timer = null;
      look();
    }, Math.max(0, state.last + REST - Date.now()));
  }

  function connected() {
    if (state.since) banner(null);
    state.since = null;
  }

  function disconnected() {
    state.since ??= new Date();
    banner(`The server does not answer since ${exact(state.since)}. What is shown may be old; this page goes on by itself.`);
  }

  async function listen() {
    while (!state.stopped) {
      if (document.hidden) {
        await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
        soon();
        continue;
      }
      const control = new AbortController();
      const hide = () => document.hidden && control.abort();
      document.addEventListener("visibilitychange", hide);
      try {
        await stream(control.signal);
      } catch (error) {
        if (error.name !== "AbortError") disconnected();
      }
      document.removeEventListener("visibilitychange", hide);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      soon();
    }
  }

  async function stream(signal) {
    const headers = key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
    const query = { flow_run_id: flowRunId, after: state.place };
    const answer = await fetch(address("events", query), { headers, signal });
    if (!answer.ok) throw new Error(`The event stream answered ${answer.status}.`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) take(event);
    }
  }

  function take(text) {
    const found = Object.fromEntries(text.split("\n").map((line) => {
      const place = line.indexOf(": ");
      return [line.slice(0, place), line.slice(place + 2)];
    }));
    if (found.id) state.place = found.id;
    if (!found.event || found.event === "ping") return;
    if (onEvent) onEvent(found.event, JSON.parse(found.data));
    if (!kinds || kinds.includes(found.event)) soon();
  }

  await load();
  state.last = Date.now();
  const beat = setInterval(() => !document.hidden && Date.now() - state.last >= BEAT && look(), 1000);
  listen();
  return {
    now: look,
    stop() {
      state.stopped = true;
      clearInterval(beat);
    },
  };
}
