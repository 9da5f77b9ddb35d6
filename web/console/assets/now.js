// The first page, live: one stream of server-sent events, one picture a second. Without it the page shows the moment in which it was loaded.
"use strict";
(() => {
  const root = document.getElementById("now"), state = document.getElementById("state"), pause = document.getElementById("pause");
  if (!root || !window.EventSource) return;
  const zone = root.dataset.zone || undefined;
  const keep = 301, step = 2; // points, and seconds of one
  let paused = false, last = 0, newest = null, source = null, lag = 0;
  const points = new Map(), colours = new Map();

  const group = (n) => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const clock = (d) => d.toLocaleTimeString("en-GB", zone ? { timeZone: zone } : {});
  const el = (name, text, cls) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; return e; };
  const link = (href, text) => { const a = el("a", text); a.href = href; return a; };
  const put = (name, text) => { for (const e of document.querySelectorAll(`[data-f="${name}"]`)) if (e.textContent !== text) e.textContent = text; };
  const share = (v) => { const p = v * 100; return p === 0 ? "0 %" : p < 0.01 ? p.toFixed(4) + " %" : p < 1 ? p.toFixed(2) + " %" : (Math.min(Math.round(p * 10), v < 1 ? 999 : 1000) / 10).toFixed(1) + " %"; };

  function say() {
    const d = state.dataset, at = last ? clock(new Date(last)) : "";
    let cls = "is-live", text = `${d.liveWord} · ${at}`;
    if (paused) { cls = "is-paused"; text = `${d.pausedWord} ${at}`; }
    else if (!source || source.readyState !== 1) { cls = "is-late"; text = last ? `${d.lateWord} ${at} · ${d.backWord}` : d.backWord; }
    else if (Date.now() - arrived > 4000) { cls = "is-late"; text = `${d.lateWord} ${at}`; }
    else if (lag > 2000) { cls = "is-late"; text = `${d.lagWord} ${group(lag)} ${d.entriesWord} · ${at}`; }
    root.classList.remove("is-live", "is-late", "is-paused");
    root.classList.add(cls);
    if (state.textContent !== text) state.textContent = text;
  }

  // Charts. A reason keeps its colour while the page is open.
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function colourOf(reason) {
    if (reason === "issuer") return 0;
    if (!colours.has(reason)) colours.set(reason, 1 + colours.size % 7);
    return colours.get(reason);
  }
  for (const tr of document.querySelectorAll("#reasons tr[data-reason]")) colourOf(tr.dataset.reason);
  let good = null, bad = null, drawn = "";
  function size(node, height) { return { width: Math.max(node.clientWidth, 200), height }; }
  function axes() {
    const text = css("--chart-text"), grid = { stroke: css("--chart-grid"), width: 1 }, font = "12px system-ui, sans-serif";
    return [{ stroke: text, grid: { show: false }, ticks: { show: false }, font, size: 24, space: 90, values: (u, list) => list.map((v) => clock(new Date(v * 1000)).slice(0, 5)) },
      { stroke: text, grid, ticks: { show: false }, font, size: 46, space: 34, values: (u, list) => list.map((v) => v >= 10000 ? v / 1000 + "k" : String(Math.round(v * 100) / 100)) }];
  }
  const common = () => ({ legend: { show: false }, cursor: { sync: { key: "now" }, drag: { x: false, y: false }, points: { show: false } }, tzDate: zone ? (t) => uPlot.tzDate(new Date(t * 1e3), zone) : undefined });
  function draw(force) {
    const a = document.getElementById("chart-good"), b = document.getElementById("chart-bad");
    if (!a || !window.uPlot || !points.size) return;
    const end = Math.max(...points.keys()) - step; // the one that still grows is not shown
    const xs = [], ok = [], reasons = [...new Set([...points.values()].flatMap((p) => Object.keys(p.r || {})))];
    for (const r of reasons) colourOf(r);
    reasons.sort();
    const stack = reasons.map(() => []);
    for (let t = end - (keep - 2) * step; t <= end; t += step) {
      const p = points.get(t) || {};
      xs.push(t);
      ok.push((p.a || 0) / step);
      let sum = 0;
      reasons.forEach((r, i) => { sum += ((p.r || {})[r] || 0) / step; stack[i].push(sum); });
    }
    const shape = reasons.join(" ");
    if (!good || force) {
      if (good) good.destroy();
      a.replaceChildren();
      good = new uPlot({ ...common(), ...size(a, 150), scales: { y: { range: (u, lo, hi) => [0, Math.max(hi * 1.1, 1)] } }, axes: axes(), series: [{}, { stroke: css("--chart-good"), fill: css("--chart-fill"), width: 2, points: { show: false } }] }, [xs, ok], a);
    } else good.setData([xs, ok]);
    if (!bad || force || shape !== drawn) {
      if (bad) bad.destroy();
      b.replaceChildren();
      drawn = shape;
      const series = reasons.map((r) => ({ stroke: css("--s" + colourOf(r)), fill: css("--s" + colourOf(r)), width: 0, paths: uPlot.paths.bars({ size: [0.9, 12], align: 1 }), points: { show: false } }));
      bad = new uPlot({ ...common(), ...size(b, 170), scales: { y: { range: (u, lo, hi) => [0, Math.max(hi * 1.1, 1)] } }, axes: axes(), series: [{}, ...series.reverse()] }, [xs, ...stack.slice().reverse()], b);
    } else bad.setData([xs, ...stack.slice().reverse()]);
  }
  addEventListener("resize", () => { if (good) good.setSize(size(document.getElementById("chart-good"), 150)); if (bad) bad.setSize(size(document.getElementById("chart-bad"), 170)); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));

  function needs(list) {
    const ul = document.getElementById("needs");
    if (!ul) return;
    const made = list.map((n) => {
      const li = el("li", undefined, n.grave ? "grave" : ""), a = el("a"), b = el("b", (n.grave ? "▲ " : "") + group(n.count), "need-n"), w = el("span", n.words, "need-w");
      a.href = n.href;
      if (n.more) w.append(el("small", n.more));
      a.append(b, w);
      li.append(a);
      return li;
    });
    if (!made.length) { const li = el("li", undefined, "calm"); li.append(el("span", "✓ " + ul.dataset.none, "need-w")); made.push(li); }
    swap(ul, made);
  }
  // A list whose text did not change is left alone, with whatever has the focus in it.
  function swap(parent, made) {
    const text = made.map((e) => e.textContent).join("\n");
    if (parent.dataset.shown === text || parent.contains(document.activeElement) && document.activeElement !== document.body) return;
    parent.dataset.shown = text;
    parent.replaceChildren(...made);
  }
  function reasonsTable(now) {
    const body = document.getElementById("reasons");
    if (!body) return;
    const from = new Date(Date.parse(now.at) - 600000).toISOString().slice(0, 19) + "Z";
    const rows = now.reasons.map((r) => {
      const tr = el("tr"), name = el("td"), n = el("td", undefined, "n");
      name.append(el("span", undefined, "key s" + colourOf(r.reason)), r.words);
      name.firstChild.setAttribute("aria-hidden", "true");
      n.append(link("/transactions?" + new URLSearchParams(r.reason === "issuer" || r.reason === "other" ? { from } : { reason: r.reason, from }), group(r.count)));
      tr.append(name, n);
      return tr;
    });
    if (!rows.length) { const tr = el("tr"), td = el("td", body.dataset.none, "dim"); td.colSpan = 2; tr.append(td); rows.push(tr); }
    swap(body, rows);
  }
  function latest(list, shop) {
    const body = document.getElementById("latest");
    const rows = list.map((x) => {
      const tr = el("tr"), t = el("td", undefined, "t"), term = el("td"), code = el("td");
      t.append(link("/transactions/" + x.id, x.at));
      if (x.terminal) {
        const a = link("/terminals/" + encodeURIComponent(x.terminal), "");
        a.append(el("code", x.terminal));
        term.append(a);
      } else term.textContent = "–";
      code.append(el("code", x.de39 || ""));
      const cause = el("td");
      if (shop) cause.textContent = x.do || "";
      else if (x.cause) cause.textContent = x.cause;
      else { const dash = el("span", "–", "dim"); dash.title = body.dataset.sought; cause.append(dash); }
      tr.append(t, term, el("td", x.words), cause, el("td", x.amount || "", "n"), code);
      return tr;
    });
    if (!rows.length) { const tr = el("tr"), td = el("td", body.dataset.none, "dim"); td.colSpan = 6; tr.append(td); rows.push(tr); }
    swap(body, rows);
  }

  function show(now) {
    if (now.shop) {
      put("shop-approved", group(now.shop.approved));
      put("shop-taken", now.shop.approved_amount);
      put("shop-refused", group(now.shop.refused));
      latest(now.shop.latest, true);
      return;
    }
    put("rate", now.messages_per_second.toFixed(1));
    put("money", now.financial_per_second.toFixed(1));
    put("p99", now.p99_ms.toFixed(2));
    put("approved", group(now.approved));
    put("refused", group(now.refused));
    put("suppressed", group(now.suppressed));
    if (now.proven) {
      const p = now.proven;
      put("proven", p.approvals ? share(p.fully_proven / p.approvals) : "–");
      put("canary", p.canary_says);
      put("sentence", p.sentence);
      put("least", share(p.false_failure_least));
      put("most", share(p.false_failure_most));
      for (const e of document.querySelectorAll('[data-f="canary"]')) e.className = "canary-" + p.canary;
    }
    needs(now.needs);
    reasonsTable(now);
    latest(now.latest, false);
    draw(false);
  }
  let arrived = 0, failures = 0;
  function take(e) {
    const now = JSON.parse(e.data);
    if (e.type === "begin") points.clear();
    for (const p of now.points || []) points.set(p.t, p);
    const oldest = Math.max(0, ...points.keys()) - keep * step;
    for (const t of points.keys()) if (t < oldest) points.delete(t);
    arrived = Date.now();
    failures = 0;
    lag = now.lag;
    newest = now;
    if (!paused) { last = Date.parse(now.at); show(now); }
    say();
  }
  function open() {
    if (source) return;
    source = new EventSource(root.dataset.live);
    source.addEventListener("begin", take);
    source.addEventListener("beat", take);
    source.onerror = () => {
      say();
      if (source && source.readyState === 2) { // refused: signed out, or too many watch
        source = null;
        if (++failures > 5) { root.classList.add("is-late"); state.textContent = state.dataset.goneWord; return; }
        setTimeout(open, 5000);
      }
    };
  }
  function close() { if (source) source.close(); source = null; }
  // Nobody looks at a page that is hidden: the host need not draw for it.
  let hiding = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, 30000);
    else open();
  });
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? pause.dataset.go : pause.dataset.pause;
      pause.setAttribute("aria-pressed", String(paused));
      if (!paused && newest) { last = Date.parse(newest.at); show(newest); }
      say();
    });
  }
  setInterval(say, 1000);
  addEventListener("pagehide", close);
  open();
})();
