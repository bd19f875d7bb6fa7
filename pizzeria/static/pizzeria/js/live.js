/* Pages that update themselves: a stream says what changed, htmx fetches what shows it.
   Without the stream the page looks by itself; without this file, when it is reloaded. */
"use strict";

(() => {
  const DEBOUNCE_MS = 150;
  // Whatever the stream says, a page looks once a minute: the database is the truth.
  const LOOK_MS = 60_000;
  const AGAIN_MS = 30_000;
  const LOGOUT_MS = 4000;
  // A page that nobody looks at gives its connection back.
  const HIDDEN_MS = 60_000;

  const page = document.body;
  let source = null;
  let lastId = null;
  let isOn = false;
  let again = null;
  let hidden = null;

  // A board's stream tells of notifications, too: a page needs one.
  const feed = () =>
    (document.querySelector("[data-live-feed]:not([data-live-rest])") ??
      document.querySelector("[data-live-feed]"))?.dataset.liveFeed;

  /* What a message makes the page fetch ----------------------------------------- */

  const seen = new WeakMap();
  // When each part was told to look again, and when it last began to.
  const dirty = new Map();
  const asked = new Map();
  let soon = null;

  const concerns = (part, message) =>
    part.dataset.live.split(" ").some((start) => message.type.startsWith(start)) &&
    (!part.dataset.liveOrder || Number(part.dataset.liveOrder) === message.order);

  function refresh(isConcerned) {
    document.querySelectorAll("[data-live]").forEach((part) => {
      if (isConcerned(part)) dirty.set(part.id, performance.now());
    });
    fetchSoon();
  }

  function fetchSoon() {
    soon ??= setTimeout(fetchDirty, DEBOUNCE_MS);
  }

  function fetchDirty() {
    soon = null;
    dirty.forEach((_, id) => {
      const part = document.getElementById(id);
      if (part) htmx.trigger(part, "live");
      else dirty.delete(id);
    });
  }

  // Whoever logged out in another window leaves nothing on this one. It looks again when
  // the logout is through everywhere: a moment earlier the realm would let it in again.
  function putAway() {
    const parts = document.querySelectorAll("main [data-live]");
    parts.forEach((part) => {
      const words = document.createElement("p");
      words.className = "stale";
      words.setAttribute("role", "status");
      words.textContent = "Your login ended, or what you may see has changed. Looking again…";
      part.removeAttribute("hx-get");
      part.replaceChildren(words);
    });
    if (parts.length) setTimeout(() => location.reload(), LOGOUT_MS);
    else again = setTimeout(start, AGAIN_MS);
  }

  /* The stream ---------------------------------------------------------------------- */

  function turn(on) {
    isOn = on;
    tell();
  }

  function hear(event) {
    if (event.lastEventId) lastId = event.lastEventId;
  }

  function listen(name, then) {
    source.addEventListener(name, (event) => {
      hear(event);
      then(event);
    });
  }

  function start() {
    const address = feed();
    clearTimeout(again);
    if (source || !address || !window.EventSource) return;
    const url = new URL(address, location.href);
    if (lastId) url.searchParams.set("after", lastId);
    source = new EventSource(url, { withCredentials: url.origin !== location.origin });
    listen("hello", () => {
      turn(true);
      refresh(() => true);
    });
    listen("resumed", () => turn(true));
    listen("back", () => turn(true));
    listen("reset", () => {
      turn(true);
      refresh(() => true);
    });
    listen("away", () => turn(false));
    listen("change", (event) => {
      const message = JSON.parse(event.data);
      refresh((part) => concerns(part, message));
    });
    listen("end", (event) => {
      turn(false);
      // A restart: EventSource comes back by itself, after the time it was told.
      if (JSON.parse(event.data).reason === "restart") return;
      stop();
      putAway();
    });
    source.addEventListener("error", () => {
      turn(false);
      if (source?.readyState !== EventSource.CLOSED) return;
      // Refused, or a server without streams: the page looks by itself meanwhile.
      stop();
      again = setTimeout(start, AGAIN_MS);
    });
  }

  function stop() {
    source?.close();
    source = null;
    isOn = false;
    tell();
  }

  /* Polling is for when the stream is silent ------------------------------------------- */

  const isTimer = (event) => {
    const { elt, triggeringEvent } = event.detail.requestConfig ?? event.detail;
    return elt.matches?.("[data-live]") && !triggeringEvent;
  };

  page.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (!isTimer(event) || !isOn || dirty.has(part.id)) return;
    const age = Date.now() - (seen.get(part) ?? 0);
    if (age < LOOK_MS) event.preventDefault();
  });

  page.addEventListener("htmx:beforeSend", (event) => {
    asked.set(event.detail.target.id, performance.now());
  });

  // What somebody opened or types stays as it is while the page renews itself.
  let kept = null;

  page.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    const isRenewal = event.detail.requestConfig?.verb === "get";
    kept = null;
    if (!isRenewal || !part.matches("[data-live]")) return;
    kept = {
      open: [...part.querySelectorAll("details[open][id]")].map(({ id }) => id),
      typed: [...part.querySelectorAll("input:not([type=hidden])[id], select[id]")]
        .filter((input) => input.value !== input.defaultValue)
        .map(({ id, value }) => [id, value]),
    };
  });

  function putBack() {
    kept?.open.forEach((id) => {
      const details = document.getElementById(id);
      if (details) details.open = true;
    });
    kept?.typed.forEach(([id, value]) => {
      const input = document.getElementById(id);
      if (input) input.value = value;
    });
    kept = null;
  }

  page.addEventListener("htmx:afterSwap", (event) => {
    const part = document.getElementById(event.detail.target.id);
    if (!part?.matches("[data-live]")) return;
    putBack();
    // What was told while the answer was on its way is not in it.
    if (dirty.get(part.id) > asked.get(part.id)) fetchSoon();
    else dirty.delete(part.id);
    seen.set(part, Date.now());
    shownAt = Date.now();
    noticeNew(part);
    dressTools();
    tell();
  });

  /* What the page says about itself ------------------------------------------------------ */

  let shownAt = Date.now();

  const old = (ms) => {
    const seconds = Math.round(ms / 1000);
    return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  };

  function tell() {
    const state = document.querySelector("[data-live-state]");
    if (!state) return;
    state.hidden = false;
    state.dataset.state = isOn ? "live" : "polling";
    const words = isOn ? "Live" : `Reconnecting, last updated ${old(Date.now() - shownAt)} ago`;
    if (state.textContent !== words) state.textContent = words;
  }

  /* What is new rings, for who wants it ------------------------------------------------------ */

  const known = new Set();
  let audio = null;

  const remembered = (name) => {
    try {
      return localStorage.getItem(`sound-${name}`) === "on";
    } catch {
      return false;
    }
  };

  function ring() {
    if (!audio || audio.state !== "running") return;
    [880, 1174.7].forEach((pitch, number) => {
      const begin = audio.currentTime + number * 0.18;
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.25, begin);
      volume.gain.exponentialRampToValueAtTime(0.001, begin + 0.5);
      tone.connect(volume).connect(audio.destination);
      tone.start(begin);
      tone.stop(begin + 0.5);
    });
  }

  const firsts = () =>
    [...document.querySelectorAll("[data-ticket]:is([data-stage=pending], [data-stage=confirmed], [data-stage=ready], .cancelled *)")];

  function noticeNew(part) {
    if (part.id !== "board") return;
    const sound = document.querySelector("[data-sound]")?.dataset.sound;
    let isNew = false;
    firsts().forEach((ticket) => {
      const name = `${ticket.dataset.ticket} ${ticket.dataset.stage ?? "cancelled"}`;
      if (known.has(name)) return;
      known.add(name);
      // What is ready is news for drivers, not for the kitchen that made it.
      if (sound === "kitchen" && ticket.dataset.stage === "ready") return;
      ticket.classList.add("is-new");
      isNew = true;
    });
    if (isNew) ring();
  }

  function dressTools() {
    const button = document.querySelector("[data-sound]");
    if (!button || !window.AudioContext) return;
    const on = remembered(button.dataset.sound);
    button.hidden = false;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Sound is on" : "Sound is off";
  }

  page.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sound]");
    if (!button) return;
    const name = button.dataset.sound;
    const on = !remembered(name);
    try {
      localStorage.setItem(`sound-${name}`, on ? "on" : "off");
    } catch {
      return;
    }
    dressTools();
    if (on) wakeSound().then(ring);
  });

  // Browsers let a page sound after it was touched, not before.
  async function wakeSound() {
    audio ??= new AudioContext();
    await audio.resume();
  }
  addEventListener(
    "pointerdown",
    () => {
      const button = document.querySelector("[data-sound]");
      if (button && remembered(button.dataset.sound)) wakeSound();
    },
    true,
  );

  /* --------------------------------------------------------------------------------------- */

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) {
      // A board goes on: it may have to ring.
      if (!document.querySelector("[data-sound]")) hidden = setTimeout(stop, HIDDEN_MS);
    } else {
      start();
    }
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", start);

  firsts().forEach((ticket) => {
    known.add(`${ticket.dataset.ticket} ${ticket.dataset.stage ?? "cancelled"}`);
  });
  dressTools();
  setInterval(() => {
    if (!isOn) tell();
  }, 1000);
})();
