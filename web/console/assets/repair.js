// Looks whether the next sale passed. Without it the page says how to look again.
"use strict";
(() => {
  const box = document.getElementById("outcome");
  if (!box || box.dataset.state === "repaired") return;
  const told = box.querySelector("[role=status]");
  const steps = (r) => r.steps.map((s) => `${s.step}:${s.done ? 1 : 0}${s.proposal || ""} `).join("");
  let failed = 0;
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(box.dataset.url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (!answer.ok) throw new Error(String(answer.status));
        const r = await answer.json();
        failed = 0;
        if (r.state === "repaired" && r.passed) {
          // Said in place, so that a screen reader hears it; the whole page follows.
          const at = new Date(new Date(r.passed.at).getTime() + offset(box.dataset.zone) * 60000).toISOString().slice(11, 19);
          const strong = document.createElement("strong");
          strong.textContent = box.dataset.passed + at;
          told.replaceChildren(strong);
          box.classList.remove("waiting", "signed_in", "refused_again");
          box.classList.add("repaired");
          const link = document.createElement("a");
          link.id = "passed";
          link.href = "/transactions/" + encodeURIComponent(r.passed.id);
          link.textContent = r.passed.id;
          const p = document.createElement("p");
          p.append(link);
          box.append(p);
          return;
        }
        const typing = /^(input|textarea|select)$/i.test((document.activeElement || {}).tagName || "") && document.activeElement.id !== "find";
        if ((r.state !== box.dataset.state || steps(r) !== box.dataset.steps) && !typing) {
          location.reload();
          return;
        }
      } catch {
        failed += 1;
      }
    }
    setTimeout(look, Math.min(2000 * (1 + failed), 20000));
  };
  const offset = (zone) => { // minutes, of such as +08:00
    const m = /^([+-])(\d\d):(\d\d)$/.exec(zone);
    return m ? (m[1] === "-" ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3])) : 0;
  };
  setTimeout(look, 2000);
})();
