// Keys, the theme, and showing the steps of one role. Every page works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const stored = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;

  const turnTheme = () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept */ }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const find = (selector) => document.querySelector(selector);
    const all = (selector) => [...document.querySelectorAll(selector)];
    const rows = () => all(".list tbody tr, .step:not(.hidden), .diff .row:not(.heads):not(.kept)");
    let at = -1;

    const move = (by) => {
      const found = rows();
      if (!found.length) return;
      if (at < 0) {
        at = found.findIndex((row) => row.getBoundingClientRect().bottom > 90) - (by > 0 ? 1 : 0);
      }
      at = Math.min(found.length - 1, Math.max(0, at + by));
      all(".now").forEach((row) => row.classList.remove("now"));
      found[at].classList.add("now");
      found[at].scrollIntoView({ block: "nearest" });
      const link = found[at].querySelector("td a, .head a");
      if (link) link.focus({ preventScroll: true });
    };
    const follow = (selector) => { const link = find(selector); if (link) link.click(); };
    const help = () => find("#keys").showModal();
    const keys = {
      j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
      n: () => follow("a[rel=next]"), p: () => follow("a[rel=prev]"),
      "/": () => { find("#q").focus(); find("#q").select(); },
      u: () => follow("a[data-key=u]"), d: () => follow("a[data-key=d]"),
      c: () => follow("a[data-key=c]"), m: () => follow("a[data-key=m]"),
      t: turnTheme, "?": help,
    };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
      const typing = event.target.closest("input, select, textarea");
      if (typing) { if (event.key === "Escape") event.target.blur(); return; }
      if (event.key.startsWith("Arrow") && !find(".list")) return;  // scrolls the page
      if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); }
    });
    find("#theme").addEventListener("click", turnTheme);
    find("#help").addEventListener("click", help);

    // A filter that is chosen is used at once; fields that are empty stay out of the address.
    const form = find("#filters");
    if (form) {
      const send = () => {
        for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
        form.submit();
      };
      form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
      form.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") send(); });
      addEventListener("pageshow", () => { for (const field of form.elements) field.disabled = false; });
      if (matchMedia("(max-width: 999px)").matches) find(".filters").open = false;
    }

    const buttons = all(".only");
    buttons.forEach((button) => button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(on && other === button)));
      const role = on ? button.dataset.role : "";
      all(".step").forEach((s) => s.classList.toggle("hidden", !!role && s.dataset.role !== role));
      all(".ruler rect").forEach((r) => {
        r.classList.toggle("faded", !!role && !r.classList.contains(role));
      });
      at = -1;
    }));
  });
})();
