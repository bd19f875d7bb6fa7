/* What the pages do beyond links and forms. Without this file they still work. */
"use strict";

(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const SVG = "http://www.w3.org/2000/svg";
  const TOAST_MS = 6000;

  /* Dishes: price and picture follow what is chosen. ------------------------- */

  const money = (cents) =>
    `$${(cents / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;

  const layers = new Map(
    [...document.querySelectorAll(".pizza-sprite g[id^='t-']")].map((group, layer) => [
      `#${group.id}`,
      layer,
    ]),
  );

  function priceOf(form) {
    const size = form.querySelector("[name=size]:checked");
    if (!size) return null;
    const extras = form.querySelectorAll("[name=extra_toppings]:checked").length;
    const quantity = Number(form.elements.quantity.value);
    if (!Number.isInteger(quantity) || quantity < 1) return null;
    return (Number(size.dataset.cents) + extras * Number(form.dataset.toppingCents)) * quantity;
  }

  function lay(disc, topping) {
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", topping);
    use.setAttribute("class", "is-new");
    use.dataset.extra = "";
    const above = [...disc.children].find(
      (other) => (layers.get(other.getAttribute("href")) ?? -1) > (layers.get(topping) ?? 99),
    );
    disc.insertBefore(use, above ?? null);
  }

  function drawDish(form) {
    const picture = form.closest(".dish").querySelector(".pizza");
    const disc = picture.querySelector(".pizza-disc");
    const size = form.querySelector("[name=size]:checked");
    if (size) picture.dataset.size = size.value;
    const wanted = new Set(
      [...form.querySelectorAll("[data-t]:checked")].map((box) => `#t-${box.dataset.t}`),
    );
    for (const use of disc.querySelectorAll("[data-extra]")) {
      if (!wanted.delete(use.getAttribute("href"))) use.remove();
    }
    wanted.forEach((topping) => lay(disc, topping));
    const cents = priceOf(form);
    form.querySelector("[data-price]").textContent = cents === null ? "" : money(cents);
  }

  function startDishes() {
    document.querySelectorAll("[data-dish]").forEach((form) => {
      form.addEventListener("input", () => drawDish(form));
      // Browsers fill forms in again after "back" and after a reload.
      form.addEventListener("reset", () => setTimeout(() => drawDish(form)));
      drawDish(form);
    });
  }

  /* Messages: they come, are read out, and go. -------------------------------- */

  const toasts = document.getElementById("toasts");

  function showToast(words, kind = "error") {
    const toast = document.createElement("p");
    toast.className = `toast toast-${kind}`;
    toast.dataset.toast = "";
    toast.textContent = words;
    toasts?.append(toast);
    armToast(toast);
    return toast;
  }

  function armToast(toast) {
    if (toast.dataset.armed) return;
    toast.dataset.armed = "yes";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => toast.remove());
    toast.append(close);
    // What went wrong stays until it is read; what went well may go by itself.
    if (toast.matches(".toast-error, .toast-warning")) return;
    let left = setTimeout(() => toast.remove(), TOAST_MS);
    toast.addEventListener("pointerenter", () => clearTimeout(left));
    toast.addEventListener("focusin", () => clearTimeout(left));
    toast.addEventListener("pointerleave", () => {
      left = setTimeout(() => toast.remove(), TOAST_MS / 2);
    });
  }

  const armToasts = () => document.querySelectorAll("[data-toast]").forEach(armToast);

  /* Times: "5 min ago" grows older while it is looked at. ----------------------- */

  function inWords(seconds) {
    const minutes = Math.floor(Math.max(seconds, 0) / 60);
    if (minutes < 1) return "just now";
    if (minutes < 60) return `${minutes} min ago`;
    if (minutes >= 12 * 60) return null;
    const rest = minutes % 60;
    return `${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ""} ago`;
  }

  // A clock that is wrong by minutes would contradict the page: stay with the
  // server's words and count on from when they came.
  const clockAhead = () => {
    const said = document.querySelector("[data-now]")?.dataset.now;
    return said ? arrived - Date.parse(said) : 0;
  };
  const arrived = Date.now();
  const ahead = clockAhead();

  function tellTimes() {
    document.querySelectorAll("time[data-ago]").forEach((time) => {
      const words = inWords((Date.now() - ahead - Date.parse(time.dateTime)) / 1000);
      if (words && words !== time.textContent) time.textContent = words;
    });
  }

  /* A notice with a moment is shown from then on, on a page that is open for long. */

  function tellNotices() {
    document.querySelectorAll("[data-from][hidden]").forEach((notice) => {
      notice.hidden = Date.now() - ahead < Date.parse(notice.dataset.from);
    });
  }

  /* What keeps itself fresh says so when it cannot. ------------------------------ */

  let freshAt = Date.now();
  let isStale = false;

  function tellFreshness() {
    const notice = document.querySelector("[data-fresh] [data-stale]");
    if (!notice) return;
    notice.hidden = !isStale;
    if (!isStale) return;
    const seconds = Math.round((Date.now() - freshAt) / 1000);
    const old = seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
    notice.textContent = `Last updated ${old} ago, reconnecting…`;
  }

  // Who asked: by the time of the answer it may be off the page, and htmx reports
  // the event from what stands in its place.
  const asker = (event) => event.detail.requestConfig?.elt;
  const isPoll = (event) =>
    event.detail.requestConfig?.verb === "get" && asker(event).matches("[data-fresh]");

  // A finger that is down on a button must find the same button when it comes up.
  let isPressing = false;
  addEventListener("pointerdown", () => (isPressing = true), true);
  ["pointerup", "pointercancel"].forEach((end) => {
    addEventListener(end, () => setTimeout(() => (isPressing = false)), true);
  });

  function failed(event) {
    if (isPoll(event)) {
      isStale = true;
      tellFreshness();
      return;
    }
    showToast("The shop did not answer, so nothing was changed. Please try again.");
  }

  /* htmx ---------------------------------------------------------------------------- */

  const isPage = (text) => /^\s*<!doctype/i.test(text);

  function beforeSwap(event) {
    const { xhr } = event.detail;
    if (isPressing && isPoll(event)) {
      event.detail.shouldSwap = false;
      return;
    }
    // A whole page never belongs into a fragment's place. An error's page has one
    // sentence for people: that is what is shown.
    if (isPage(xhr.responseText)) {
      event.detail.shouldSwap = false;
      if (isPoll(event)) {
        // Whoever may not look any more is shown why, by the page itself.
        if ([403, 404].includes(xhr.status)) location.reload();
        isStale = true;
        tellFreshness();
        return;
      }
      const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
      showToast(
        ["h1", ".lede"].map((part) => page.querySelector(part)?.textContent ?? "").join(" ").trim(),
      );
    }
  }

  function answered(event) {
    if (!isPoll(event) || !event.detail.successful) return;
    freshAt = Date.now();
    isStale = false;
  }

  // A ticket that moves to another lane slides there: it has the same name before
  // and after.
  function nameTickets() {
    document.querySelectorAll("[data-ticket]").forEach((ticket) => {
      ticket.style.viewTransitionName = `ticket-${ticket.dataset.ticket}`;
    });
  }

  function startHtmx() {
    const { body } = document;
    body.addEventListener("htmx:beforeSwap", beforeSwap);
    body.addEventListener("htmx:afterRequest", answered);
    body.addEventListener("htmx:sendError", failed);
    body.addEventListener("htmx:timeout", failed);
    body.addEventListener("htmx:responseError", (event) => {
      // A refusal brings its own words: a fragment, or a page that beforeSwap quotes.
      const { status, responseText } = event.detail.xhr;
      if (![400, 409, 422].includes(status) && !isPage(responseText)) failed(event);
    });
    body.addEventListener("htmx:afterSwap", nameTickets);
    body.addEventListener("htmx:afterSettle", () => {
      armToasts();
      tellTimes();
      tellFreshness();
    });
    body.addEventListener("htmx:afterRequest", (event) => {
      if (!event.detail.successful) return;
      const form = asker(event);
      // The dish is in the cart: its form starts anew for the next one.
      if (form.matches("[data-dish]")) {
        form.reset();
        form.querySelector("details").open = false;
      }
    });
  }

  /* Forms that must be sent once; the receipt on paper. ------------------------------- */

  function startForms() {
    document.querySelectorAll("form[data-once]").forEach((form) => {
      form.addEventListener("submit", (event) => {
        const button = form.querySelector("[type=submit]");
        if (button.getAttribute("aria-busy")) event.preventDefault();
        button.setAttribute("aria-busy", "true");
      });
    });
    addEventListener("pageshow", () => {
      document.querySelectorAll("form[data-once] [aria-busy]").forEach((button) => {
        button.removeAttribute("aria-busy");
      });
      document.querySelectorAll("[data-dish]").forEach(drawDish);
    });
    document.getElementById("form-problem")?.focus();
    document.querySelectorAll("[data-print]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => print());
    });
  }

  // The page for when the shop cannot be reached; without it all else goes on.
  navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
  startDishes();
  nameTickets();
  startForms();
  startHtmx();
  armToasts();
  setInterval(() => {
    tellTimes();
    tellNotices();
    if (isStale) tellFreshness();
  }, 1000);
})();
