// What every page has: keys, and times in words that go on. Pages work without it.
"use strict";
(() => {
  // "/" goes to the search field, "g" and a letter to a page, "?" says so.
  const pages = { n: "/", f: "/failures", t: "/transactions", e: "/fleet", c: "/clones", k: "/keys", i: "/incidents", l: "/laboratory", s: "/staff", j: "/journal", a: "/acts" };
  let going = 0;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(input|textarea|select)$/i.test(e.target.tagName)) return;
    if (e.key === "/") {
      const find = document.getElementById("find");
      if (find) { e.preventDefault(); find.focus(); }
    } else if (e.key === "g") {
      going = Date.now();
    } else if (going && Date.now() - going < 1500 && pages[e.key]) {
      going = 0;
      location.href = pages[e.key];
    }
  });
  // A form that was sent is not sent twice.
  document.addEventListener("submit", (e) => {
    if (e.defaultPrevented) return; // a script sends it, and sees to its buttons
    for (const b of e.target.querySelectorAll("button")) setTimeout(() => { b.disabled = true; }, 0);
  });
  addEventListener("pageshow", () => { for (const b of document.querySelectorAll("form button:disabled:not([data-off])")) b.disabled = false; });
})();
