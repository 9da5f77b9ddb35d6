// A passphrase may be shown while it is typed: a button beside each field.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const zh = document.documentElement.lang.startsWith("zh");
  for (const field of document.querySelectorAll("input[data-shown]")) {
    const b = document.createElement("button");
    b.type = "button";
    b.className = "second reveal";
    const say = () => {
      const hidden = field.type === "password";
      b.textContent = hidden ? (zh ? "显示" : "Show") : (zh ? "隐藏" : "Hide");
      b.setAttribute("aria-pressed", String(!hidden));
    };
    b.addEventListener("click", () => { field.type = field.type === "password" ? "text" : "password"; say(); });
    field.form.addEventListener("submit", () => { field.type = "password"; });
    b.setAttribute("aria-controls", field.id);
    const row = document.createElement("div");
    row.className = "revealed";
    field.replaceWith(row);
    row.append(field, b);
    if (field.autofocus) field.focus();
    say();
  }
});
