// A burn-down as a chart that can be read point by point. Without it the page has the same as a drawing and a table.
"use strict";
(() => {
  const box = document.getElementById("burn");
  if (!box || typeof uPlot === "undefined") return;
  fetch(box.dataset.points, { credentials: "same-origin" }).then((r) => (r.ok ? r.json() : Promise.reject(r.status))).then((d) => {
    if (d.at.length < 2) return;
    const css = getComputedStyle(document.documentElement), colour = (name) => css.getPropertyValue(name).trim();
    const line = colour("--link"), dim = colour("--dim"), bad = colour("--bad"), grid = colour("--line");
    const zone = Intl.supportedValuesOf && d.zone !== "Local" ? d.zone : undefined;
    const end = Math.max(d.deadline, d.at[d.at.length - 1]);
    const wide = () => Math.max(box.clientWidth - 34, 200);
    const options = {
      width: wide(), height: 280, padding: [16, 16, 0, 0],
      tzDate: zone ? (s) => uPlot.tzDate(new Date(s * 1e3), zone) : undefined,
      scales: { x: { range: [d.at[0], end] }, y: { range: [0, Math.max(...d.left, 1) * 1.05] } },
      axes: [{ stroke: dim, grid: { stroke: grid, width: 1 } }, { stroke: dim, grid: { stroke: grid, width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 5e4, 1e5, 5e5] }],
      series: [{ label: box.dataset.time }, { label: box.dataset.label, stroke: line, width: 2.5, fill: line + "22", paths: uPlot.paths.stepped({ align: 1 }) }],
      hooks: { draw: [(u) => {
        const x = u.valToPos(d.deadline, "x", true), c = u.ctx;
        c.save(); c.strokeStyle = bad; c.setLineDash([6, 4]); c.lineWidth = 2;
        c.beginPath(); c.moveTo(x, u.bbox.top); c.lineTo(x, u.bbox.top + u.bbox.height); c.stroke(); c.restore();
      }] },
    };
    for (const child of [...box.children]) child.setAttribute("hidden", "");
    const chart = new uPlot(options, [d.at, d.left], box);
    addEventListener("resize", () => chart.setSize({ width: wide(), height: 280 }));
  }).catch(() => {}); // the drawing stays
})();
