// What pages need beyond HTML: the theme, the menu on phones, dialogs, keys in
// the review queue, and charts. Everything is bound by data attributes, because
// the content security policy forbids script in pages.
"use strict";
(() => {
  const root = document.documentElement;

  // The theme: as the system says, unless chosen.
  const themeChoice = document.querySelector("[data-theme-choice]");
  if (themeChoice) {
    themeChoice.value = root.dataset.theme || "";
    themeChoice.addEventListener("change", () => {
      if (themeChoice.value) {
        root.dataset.theme = themeChoice.value;
        localStorage.setItem("theme", themeChoice.value);
      } else {
        delete root.dataset.theme;
        localStorage.removeItem("theme");
      }
      drawAll();
    });
  }

  const menu = document.querySelector("[data-menu]");
  if (menu) {
    menu.addEventListener("click", () => {
      const open = menu.getAttribute("aria-expanded") !== "true";
      menu.setAttribute("aria-expanded", String(open));
    });
  }

  // Dialogs, also in parts of the page that are loaded later.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      document.getElementById(opener.dataset.opens)?.showModal();
      return;
    }
    if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
  });

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method.toLowerCase() !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button:not([type=button])")) button.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
    }
  });

  // Keys in the review queue; not while somebody types or a dialog is open. Acts
  // wait for the key to come up, so that it does not land in the dialog's field.
  const elsewhere = (event) => event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented ||
    event.target.closest?.("input, textarea, select") || document.querySelector("dialog[open]");
  document.addEventListener("keydown", (event) => {
    const step = { j: 1, k: -1 }[event.key];
    if (!step || elsewhere(event)) return;
    const reviews = [...document.querySelectorAll("[data-review]")];
    const at = reviews.findIndex((link) => link.getAttribute("aria-current") === "true");
    const next = reviews[at < 0 ? 0 : at + step];
    if (next) {
      event.preventDefault();
      next.click();
    }
  });
  document.addEventListener("keyup", (event) => {
    if (elsewhere(event)) return;
    document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
  });
  document.querySelector(".queue [aria-current=true]")?.scrollIntoView({ block: "nearest" });

  // Charts: lines with bands and goals in the colours of the theme.
  const drawn = new Map();
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function draw(place) {
    drawn.get(place)?.destroy();
    const chart = JSON.parse(place.dataset.chart);
    const reading = place.parentElement.querySelector(".reading");
    const ink = colour("--muted");
    const line = colour("--line");
    const format = (value) => value.toLocaleString("en", { minimumFractionDigits: chart.digits, maximumFractionDigits: chart.digits });
    const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
    const series = [{}];
    const data = [chart.x];
    const bands = [];
    for (const one of chart.lines) {
      const stroke = colour(one.role === "held" ? "--held" : "--accent");
      series.push({ label: one.name, stroke, width: 2, dash: one.role === "held" ? [6, 4] : undefined, points: { show: chart.x.length < 30, size: 5, fill: stroke } });
      data.push(one.y);
      if (one.low) {
        const high = series.length;
        series.push({ width: 0, points: { show: false } }, { width: 0, points: { show: false } });
        data.push(one.high, one.low);
        bands.push({ series: [high, high + 1], fill: colour(one.role === "held" ? "--held-band" : "--accent-band") });
      }
    }
    const goals = chart.goals || [];
    const values = data.slice(1).flat().filter((v) => v != null).concat(goals.map((g) => g.at));
    const top = Math.max(0, ...values);
    const bottom = Math.min(0, ...values);
    const room = (top - bottom || 1) * 0.08;
    const font = "12px system-ui, sans-serif";
    const options = {
      width: place.clientWidth, height: 240, padding: [12, goals.length ? 62 : 28, 0, 0],
      cursor: { y: false, points: { size: 7 } }, legend: { show: false },
      scales: { x: { time: true }, y: { range: [bottom < 0 ? bottom - room : 0, top + room] } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { stroke: line, size: 4 }, values: (_, ticks) => ticks.map(day), space: 64 },
        { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, values: (_, ticks) => ticks.map(format), size: 58, space: 36 },
      ],
      series, bands,
      hooks: {
        setCursor: [(u) => {
          const at = u.cursor.idx;
          reading.textContent = at == null ? "" : "Week from " + day(chart.x[at]) + ": " + chart.lines.map((one) =>
            one.name + " " + (one.y[at] == null ? "–" : format(one.y[at]) + (one.low && one.low[at] != null ? " (" + format(one.low[at]) + " to " + format(one.high[at]) + ")" : ""))).join(", ");
        }],
        draw: [(u) => {
          const { left, width } = u.bbox;
          u.ctx.save();
          u.ctx.strokeStyle = u.ctx.fillStyle = ink;
          u.ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
          u.ctx.font = 11 * devicePixelRatio + "px system-ui, sans-serif";
          u.ctx.textBaseline = "middle";
          u.ctx.textAlign = "left";
          let above = Infinity; // labels keep clear of each other
          for (const goal of [...goals].sort((a, b) => a.at - b.at)) {
            const y = u.valToPos(goal.at, "y", true);
            u.ctx.beginPath();
            u.ctx.moveTo(left, y);
            u.ctx.lineTo(left + width, y);
            u.ctx.stroke();
            above = Math.min(y, above - 13 * devicePixelRatio);
            u.ctx.fillText(goal.name, left + width + 6 * devicePixelRatio, above);
          }
          u.ctx.restore();
        }],
      },
    };
    place.replaceChildren();
    drawn.set(place, new uPlot(options, data, place));
  }

  function drawAll() {
    for (const place of drawn.keys()) if (!place.isConnected) drawn.delete(place);
    for (const place of document.querySelectorAll("[data-chart]")) draw(place);
  }

  let resizing;
  window.addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(drawAll, 150);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
  drawAll();
})();
