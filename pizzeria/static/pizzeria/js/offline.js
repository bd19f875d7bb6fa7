/* Goes on by itself once the shop can be reached again. */
"use strict";

(() => {
  const LOOK_AGAIN_MS = 5000;

  // "online" says that there is a network, not that the shop is in it.
  async function look() {
    const answer = await fetch("/health", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.reload();
  }

  // At its own address this page has nowhere to go on to.
  if (location.pathname === "/offline/") return;
  addEventListener("online", look);
  setInterval(look, LOOK_AGAIN_MS);
})();
