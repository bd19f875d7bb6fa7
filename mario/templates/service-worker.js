/* Keeps one page for when the shop cannot be reached, and nothing of anybody. */
"use strict";

const KEPT = {{ kept|safe }};
const CACHE = `mario-${KEPT.version}`;
const files = new Set(KEPT.files);

// Without cookies: what is kept is what a stranger sees.
const unnamed = (address) => new Request(address, { credentials: "omit", cache: "no-cache" });

addEventListener("install", (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll([KEPT.page, ...KEPT.files].map(unnamed));
    await skipWaiting();
  };
  event.waitUntil(keep());
});

addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith("mario-") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(tidy());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  // A login is between the browser, the shop and Keycloak alone.
  if (request.method !== "GET" || origin !== location.origin || pathname.startsWith("/auth/")) return;
  const isPage = request.mode === "navigate";
  if (!isPage && !files.has(pathname)) return;
  const orKept = async () => {
    try {
      return await fetch(request);
    } catch (failure) {
      const kept = await caches.match(isPage ? KEPT.page : pathname, { cacheName: CACHE });
      if (kept) return kept;
      throw failure;
    }
  };
  event.respondWith(orKept());
});
