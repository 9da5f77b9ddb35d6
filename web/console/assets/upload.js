// Sends the files of an act's form before the form itself, and says how much of each is there. Without it the form sends them.
"use strict";
(() => {
  const form = document.querySelector("form.act[data-sending]");
  const box = document.getElementById("sending");
  if (!form || !box) return;
  const bar = box.querySelector("progress");
  const said = box.querySelector("[role=status]");
  const wrong = box.querySelector("[role=alert]");
  const stop = box.querySelector("button");
  const kinds = form.dataset.kinds.split(" ");
  const size = (n) => (n < 1 << 20 ? `${Math.ceil(n / 1024)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  let going = null;

  // send sends one file and gives its id; a refusal is a text for the person.
  const send = (file) => new Promise((done, refused) => {
    const x = new XMLHttpRequest();
    going = x;
    let step = -1;
    x.upload.onprogress = (e) => {
      if (!e.lengthComputable) return;
      bar.max = e.total;
      bar.value = e.loaded;
      const now = Math.floor((e.loaded / e.total) * 10);
      if (now === step) return; // a screen reader says ten steps, not a thousand
      step = now;
      said.textContent = fill(form.dataset.sending, { name: file.name, done: size(e.loaded), all: size(e.total) });
    };
    x.onload = () => {
      let answer = {};
      try { answer = JSON.parse(x.responseText); } catch { /* a proxy's page: the status says enough */ }
      if (x.status === 201 && answer.id) return done(answer);
      const why = { 413: form.dataset.large, 429: form.dataset.full, 401: form.dataset.signedout }[x.status];
      refused(why || fill(form.dataset.refused, { code: (answer.error && answer.error.code) || String(x.status) }));
    };
    x.onerror = () => refused(form.dataset.lost);
    x.onabort = () => refused(form.dataset.stopped);
    x.open("POST", "/api/v1/files");
    x.setRequestHeader("Content-Type", kinds.includes(file.type) ? file.type : "application/octet-stream");
    x.setRequestHeader("X-CSRF-Token", form.elements.csrf.value);
    x.setRequestHeader("Idempotency-Key", key());
    x.send(file);
  });

  stop.addEventListener("click", () => { if (going) going.abort(); });
  form.addEventListener("submit", async (e) => {
    const inputs = Array.from(form.querySelectorAll("input[type=file]")).filter((i) => i.files.length > 0);
    if (inputs.length === 0) return;
    e.preventDefault();
    wrong.textContent = "";
    box.hidden = false;
    for (const b of form.querySelectorAll("button")) b.disabled = b !== stop;
    const ids = [];
    try {
      for (const input of inputs) {
        for (const file of input.files) {
          if (file.size > Number(form.dataset.most)) throw form.dataset.large;
          if (file.size > 0) ids.push([input.name, (await send(file)).id]);
        }
      }
    } catch (why) {
      wrong.textContent = typeof why === "string" ? why : form.dataset.lost;
      said.textContent = "";
      bar.value = 0;
      for (const b of form.querySelectorAll("button")) b.disabled = false;
      return;
    }
    for (const input of inputs) input.disabled = true;
    for (const [name, id] of ids) {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      field.value = id;
      form.append(field);
    }
    said.textContent = form.dataset.sent;
    form.submit();
  });
  // Back from the next page, a form that was sent can be sent again.
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
})();
