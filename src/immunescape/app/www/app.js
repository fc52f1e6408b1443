/* Inputs, figures and small helpers of the immunescape app. No request leaves the page's own origin. */
(function () {
  "use strict";

  // --- sliders: a native range, with a box that says whether the value is set or drawn -------------------------------
  function shown(el) {
    const range = el.querySelector("input[type=range]");
    const use = el.querySelector(".isc-use");
    const value = parseFloat(range.value);
    let text;
    if (el.dataset.scale === "log2") {
      text = value === 0 ? "as it is" : "× " + parseFloat(Math.pow(2, value).toPrecision(3));
    } else {
      text = value + (el.dataset.unit ? " " + el.dataset.unit : "");
    }
    if (use && !use.checked) text = "as drawn";
    el.querySelector("output").textContent = text;
    range.setAttribute("aria-valuetext", text);
  }

  const ranges = new Shiny.InputBinding();
  Object.assign(ranges, {
    find: (scope) => $(scope).find(".isc-range"),
    initialize: shown,
    getValue: function (el) {
      const use = el.querySelector(".isc-use");
      if (use && !use.checked) return null;
      return parseFloat(el.querySelector("input[type=range]").value);
    },
    setValue: function (el, value) {
      const use = el.querySelector(".isc-use");
      if (use) use.checked = value !== null;
      if (value !== null) el.querySelector("input[type=range]").value = value;
      shown(el);
    },
    receiveMessage: function (el, message) {
      this.setValue(el, message.value);
      $(el).trigger("isc:change");
    },
    subscribe: function (el, callback) {
      const range = el.querySelector("input[type=range]");
      const use = el.querySelector(".isc-use");
      range.addEventListener("input", () => { if (use) use.checked = true; shown(el); callback(true); });
      if (use) use.addEventListener("change", () => { shown(el); callback(true); });
      $(el).on("isc:change", () => callback(false));
    },
    unsubscribe: (el) => $(el).off("isc:change"),
    getRatePolicy: () => ({ policy: "debounce", delay: 250 }),
  });
  Shiny.inputBindings.register(ranges, "immunescape.range");

  document.addEventListener("click", function (event) {
    const reset = event.target.closest(".isc-reset");
    if (reset) {
      const scope = document.getElementById(reset.dataset.scope);
      scope.querySelectorAll(".isc-range").forEach((el) => ranges.receiveMessage(el, {
        value: el.querySelector(".isc-use") ? null : 0 }));
      scope.querySelectorAll("select.isc-drawn").forEach((el) => {
        el.value = ""; el.dispatchEvent(new Event("change", { bubbles: true }));
      });
    }
    const copy = event.target.closest(".isc-copy");
    if (copy && navigator.clipboard) {
      navigator.clipboard.writeText(copy.parentElement.querySelector("code").textContent).then(() => {
        copy.textContent = "Copied";
        setTimeout(() => { copy.textContent = "Copy"; }, 1500);
      });
    }
  });

  // --- completion of drugs: what is proposed follows the last "+" of what is typed -----------------------------------
  const proposals = JSON.parse((document.getElementById("isc-regimens") || { textContent: "[]" }).textContent);
  document.addEventListener("input", function (event) {
    const field = event.target;
    if (!field.classList || !field.classList.contains("isc-regimen")) return;
    const list = document.getElementById(field.getAttribute("list"));
    const cut = Math.max(field.value.lastIndexOf("+"), field.value.toLowerCase().lastIndexOf(" then "));
    const from = cut < 0 ? 0 : (field.value[cut] === "+" ? cut + 1 : cut + 6);
    const head = field.value.slice(0, from).trimEnd();
    const typed = field.value.slice(from).trim().toLowerCase();
    const starts = [], holds = [];
    for (const text of proposals) {
      const low = text.toLowerCase();
      if (head && (text === "none" || low.includes(" then "))) continue;
      if (low.startsWith(typed)) starts.push(text); else if (typed.length > 2 && low.includes(typed)) holds.push(text);
    }
    list.replaceChildren(...starts.concat(holds).slice(0, 20).map((text) => {
      const option = document.createElement("option");
      option.value = head ? head + " " + text : text;
      return option;
    }));
  });

  // --- uploads: said before they are sent; the server holds the same bounds ----------------------------------------
  document.addEventListener("change", function (event) {
    const field = event.target;
    const box = field.closest && field.closest(".isc-upload");
    if (!box || field.type !== "file") return;
    const files = Array.from(field.files);
    const large = files.find((f) => f.size > box.dataset.fileMb * 1048576);
    const total = files.reduce((sum, f) => sum + f.size, 0);
    let text = "";
    if (large) text = large.name + " is too large: a file may have " + box.dataset.fileMb + " MB.";
    else if (files.length > box.dataset.files) text = "Too many files: at most " + box.dataset.files + "; send a zip.";
    else if (total > box.dataset.totalMb * 1048576) text = "The files together are too large: at most " + box.dataset.totalMb + " MB.";
    box.querySelector(".isc-upload-error").textContent = text;
    if (text) { event.stopImmediatePropagation(); event.preventDefault(); field.value = ""; }
  }, true);

  // --- figures ------------------------------------------------------------------------------------------------------
  function node(tag, className, text) {
    const el = document.createElement(tag);
    if (className) el.className = className;
    if (text !== undefined) el.textContent = text;
    return el;
  }

  function tableOf(card) {
    const box = node("div", "isc-scroll");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Values of: " + card.title);
    const table = node("table", "isc-table");
    table.append(node("caption", "", card.title + (card.unit ? " (" + card.unit + ")" : "")));
    const names = Object.keys(card.rows[0]);
    const head = table.createTHead().insertRow();
    names.forEach((name) => { const th = node("th", "", name); th.scope = "col"; head.append(th); });
    const body = table.createTBody();
    card.rows.forEach((row) => {
      const tr = body.insertRow();
      names.forEach((name, i) => {
        const cell = node(i ? "td" : "th", "", row[name] === undefined ? "" : row[name]);
        if (!i) cell.scope = "row";
        tr.append(cell);
      });
    });
    box.append(table);
    return box;
  }

  // a figure is as wide as its card, also where it was drawn before the page was laid out
  function fit(plot) {
    const drawn = plot._fullLayout && plot._fullLayout.width;
    if (drawn && plot.clientWidth && Math.abs(drawn - plot.clientWidth) > 1) Plotly.Plots.resize(plot);
  }
  const widths = new ResizeObserver((entries) => entries.forEach((entry) => fit(entry.target)));

  function makeCard(key) {
    const card = node("figure", "isc-card");
    card.dataset.key = key;
    card.append(node("h3"), node("div", "isc-plot"), node("figcaption"), node("details"));
    const plot = card.querySelector(".isc-plot");
    plot.setAttribute("role", "img");
    const details = card.querySelector("details");
    details.append(node("summary", "", "Values and picture"), node("div", "isc-values"));
    const save = node("button", "btn btn-sm btn-outline-secondary", "Save as PNG");
    save.type = "button";
    save.addEventListener("click", () => Plotly.downloadImage(plot, {
      format: "png", width: 900, height: 520, scale: 2, filename: "immunescape-" + key }));
    details.append(save);
    return card;
  }

  // --- light or dark, as the system is set ---------------------------------------------------------------------------
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  function theme() { document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light"; }
  theme();
  dark.addEventListener("change", () => {
    theme();
    document.querySelectorAll(".isc-card").forEach((card) => { if (card.shown) fill(card, card.shown); });
  });
  const PAINTED = ["line", "marker", "error_x", "error_y", "fillcolor", "textfont"];
  function toned(value) {
    const copy = JSON.parse(JSON.stringify({ data: value.data, layout: value.layout }));
    const night = window.immunescapeNight;
    if (!dark.matches) return copy;
    copy.data.forEach((trace) => PAINTED.forEach((part) => {
      if (trace[part] !== undefined) trace[part] = night.recoloured(trace[part], part);
    }));
    ["shapes", "annotations"].forEach((part) => {
      if (copy.layout[part]) copy.layout[part] = night.recoloured(copy.layout[part], part);
    });
    copy.layout.font = Object.assign({}, copy.layout.font, { color: "#dde5ec" });
    copy.layout.paper_bgcolor = "#131a20"; // what is saved as a picture can be read on a light page too
    return copy;
  }

  function fill(card, value) {
    card.shown = value;
    const tone = toned(value);
    const heading = card.querySelector("h3");
    heading.textContent = value.title;
    card.querySelector("figcaption").textContent = value.note;
    const plot = card.querySelector(".isc-plot");
    plot.setAttribute("aria-label", value.alternative);
    plot.style.minHeight = value.layout.height + "px";
    const values = card.querySelector(".isc-values");
    values.replaceChildren(...(value.rows.length ? [tableOf(value)] : []));
    Plotly.react(plot, tone.data, tone.layout, { displayModeBar: false, responsive: true }).then(() => {
      fit(plot);
      // where the library measures text: off the page, and nothing that a screen reader should read out
      const measured = document.getElementById("js-plotly-tester");
      if (measured) measured.setAttribute("aria-hidden", "true");
    });
    widths.observe(plot);
  }

  const figures = new Shiny.OutputBinding();
  Object.assign(figures, {
    find: (scope) => $(scope).find(".isc-figures"),
    renderValue: function (el, value) {
      const cards = value || [];
      const old = new Map(Array.from(el.children).map((child) => [child.dataset.key, child]));
      const now = cards.map((card) => old.get(card.key) || makeCard(card.key));
      old.forEach((child) => { if (!now.includes(child)) { widths.unobserve(child.querySelector(".isc-plot")); Plotly.purge(child.querySelector(".isc-plot")); } });
      el.replaceChildren(...now);
      cards.forEach((card, i) => fill(now[i], card));
    },
  });
  Shiny.outputBindings.register(figures, "immunescape.figures");

  // whether texts are numbers, with or without an interval, or nothing, as in report/tables.py
  function numbers(texts) {
    const number = /^[+−-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?( ?%)?( \([^()]*\))?$/;
    return texts.some((text) => number.test(text)) && texts.every((text) => number.test(text) || text === "–" || text === "");
  }

  // number of leading columns, three at most, that tell the rows of a table apart; one where these do not
  function headings(rows, numeric) {
    for (let k = 1; k <= Math.min(3, numeric.length - 1); k++) {
      if (k > 1 && numeric[k - 1]) break;
      if (new Set(rows.map((row) => row.slice(0, k).join("\n"))).size === rows.length) return k;
    }
    return 1;
  }

  // tables of stored pages: headers that say what they head, and the columns' names for narrow pages
  function dressTables(scope) {
    scope.querySelectorAll(".isc-page table:not(.isc-stack)").forEach((table) => {
      const columns = Array.from(table.querySelectorAll("thead th")), rows = Array.from(table.querySelectorAll("tbody tr"));
      const texts = rows.map((tr) => Array.from(tr.cells).map((cell) => cell.textContent.trim()));
      const numeric = columns.map((_, i) => numbers(texts.map((row) => row[i] || "")));
      const heads = headings(texts, numeric);
      columns.forEach((th, i) => { th.scope = "col"; if (numeric[i]) th.classList.add("isc-number"); });
      table.classList.add("isc-stack");
      rows.forEach((tr) => Array.from(tr.cells).forEach((cell, i) => {
        cell.dataset.label = columns[i] ? columns[i].textContent : "";
        if (numeric[i]) cell.classList.add("isc-number");
        if (i < heads) cell.classList.add("isc-head");
        if (!cell.textContent.trim()) cell.classList.add("isc-empty");
      }));
    });
  }
  // long stored pages: their chapters as links below the title
  function listChapters() {
    document.querySelectorAll(".isc-page").forEach((page) => {
      const chapters = Array.from(page.querySelectorAll("h2")), title = page.querySelector("h1");
      if (chapters.length < 4 || !title || page.querySelector(".isc-chapters")) return;
      const box = document.createElement("details"), list = document.createElement("ul");
      box.className = "isc-chapters isc-block";
      box.open = !window.matchMedia("(max-width: 860px)").matches;
      box.appendChild(document.createElement("summary")).textContent = "On this page";
      chapters.forEach((chapter, i) => {
        chapter.id = "e_chapter" + i;
        const link = document.createElement("a");
        link.href = "#" + chapter.id;
        link.textContent = chapter.textContent;
        list.appendChild(document.createElement("li")).appendChild(link);
      });
      box.appendChild(list);
      title.after(box);
    });
  }
  function dress(scope) { dressTables(scope); listChapters(); }
  new MutationObserver((changes) => changes.forEach((c) => c.addedNodes.forEach((n) => {
    if (n.querySelectorAll && n.querySelector(".isc-page table")) dress(n);
    else if (n.closest && n.closest(".isc-page")) dress(n.closest(".isc-page").parentElement);
  }))).observe(document.body, { childList: true, subtree: true });

  // on a phone the results come first into sight: long groups of controls start closed
  if (window.matchMedia("(max-width: 860px)").matches) {
    document.querySelectorAll(".isc-controls details[open]").forEach((el) => el.removeAttribute("open"));
  }

  document.addEventListener("shown.bs.tab", () => window.dispatchEvent(new Event("resize")));
})();
