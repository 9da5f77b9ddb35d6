// The message's anatomy: a field that is pointed at, or has the focus, marks its bytes, and a byte its field.
"use strict";
(() => {
  const bytes = [...document.querySelectorAll(".dump b")];
  const rows = [...document.querySelectorAll(".parts tr[data-from]")];
  if (!bytes.length || !rows.length) return;
  let lit = [];
  const mark = (row) => {
    for (const e of lit) e.classList.remove("lit");
    lit = [];
    if (!row) return;
    const from = Number(row.dataset.from), to = Number(row.dataset.to);
    lit = [row, ...bytes.slice(from, to)];
    for (const e of lit) e.classList.add("lit");
  };
  for (const row of rows) {
    const key = row.querySelector(".key");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = key.textContent;
    key.textContent = "";
    key.append(button);
    row.addEventListener("mouseenter", () => mark(row));
    row.addEventListener("mouseleave", () => mark(null));
    button.addEventListener("focus", () => mark(row));
    button.addEventListener("blur", () => mark(null));
    button.addEventListener("click", () => mark(row));
  }
  // The innermost field that holds a byte.
  const of = (at) => rows.findLast((r) => Number(r.dataset.from) <= at && at < Number(r.dataset.to));
  bytes.forEach((b, at) => {
    b.addEventListener("mouseenter", () => mark(of(at)));
    b.addEventListener("mouseleave", () => mark(null));
  });
})();
