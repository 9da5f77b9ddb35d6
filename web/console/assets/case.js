// A page of work in progress looks again until it is through. Without a script the reader opens it again.
"use strict";
(() => {
  const box = document.querySelector("[data-follow]");
  if (!box) return;
  const until = Date.now() + 30 * 60 * 1000;
  const look = async () => {
    if (Date.now() > until) return;
    try {
      const answer = await fetch(box.dataset.follow, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const now = await answer.json();
        const mark = now.state + "/" + (now.working || "") + "/" + (now.halted || "");
        const bar = box.querySelector("progress");
        if (bar) { bar.value = now.done; bar.max = now.of; }
        const text = box.querySelector("[data-done]");
        if (text) text.textContent = now.done + " / " + now.of;
        const step = box.querySelector("[data-working]");
        if (step && now.working) step.textContent = now.working;
        if (now.state !== "running" || !now.working) { location.replace(location.pathname); return; }
        box.dataset.mark = mark;
      }
    } catch { /* the host is away: look again */ }
    setTimeout(look, 1500);
  };
  setTimeout(look, 1500);
})();
(() => {
  const again = document.querySelector("[data-again]");
  if (again) setTimeout(() => location.replace(location.pathname), Number(again.dataset.again));
})();
