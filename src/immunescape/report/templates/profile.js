async function start(DATA) {
  const WORD = { p: "present", a: "absent", n: "not assessable", c: "conflicting" };
  const ORIGIN = { tumour_intrinsic: "Tumour cells", tumour_extrinsic: "Microenvironment", host: "Host" };
  const KIND = { treatment: "treatment", response: "scan", ctdna: "ctDNA", nlr: "blood", lab: "blood", gene: "gene" };
  const RECIST = { CR: "#08519c", PR: "#56a3d9", SD: "#d9b64a", PD: "#c8501e", NE: "#9a9a9a" };
  const el = (tag, cls, ...kids) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    for (const k of kids.flat()) if (k !== null && k !== undefined && k !== "") e.append(k);
    return e;
  };
  const header = (text, scope) => { const e = el("th", "", text); e.scope = scope; return e; };
  const wide = (label, ...kids) => {
    const e = el("div", "wide", ...kids);
    e.tabIndex = 0; e.setAttribute("role", "group"); e.setAttribute("aria-label", label);
    return e;
  };
  // on a phone a table of many columns becomes a list, each value beside its name, as in table.html
  const as = (role, e) => { e.setAttribute("role", role); return e; };
  function table(head, rows) {
    const stack = head.length > 3 && head.length * rows.length <= 320;
    const cell = (c, i) => {
      const e = as("cell", el("td", "", stack ? el("span", "", c) : c));
      if (stack) e.dataset.label = head[i];
      if (stack && i === 0) e.className = "head";
      return e;
    };
    const box = wide("table", as("table", el("table", "",
      as("rowgroup", el("thead", "", as("row", el("tr", "", head.map(h => as("columnheader", header(h, "col"))))))),
      as("rowgroup", el("tbody", "", rows.map(r => as("row", el("tr", "", r.map(cell)))))))));
    if (stack) box.classList.add("stack");
    return box;
  }
  const more = (title, body) => el("details", "", el("summary", "", title), body);
  const title = m => DATA.mechanisms[m] ? DATA.mechanisms[m][0] : m;

  function why(p, m) {
    const [name, , summary, needs] = DATA.mechanisms[m], [state, share, rows] = p.calls[m];
    const box = el("div", "why", el("p", "", el("b", "", name + ": " + WORD[state]), share === null ? "" : ` · ${share} % of what the rule looks at was assessable`),
      el("p", "soft", summary));
    for (const [text, threshold, cited] of rows)
      box.append(el("p", "", "• " + text, threshold ? el("code", "", " " + threshold) : "", cited ? el("span", "soft", "  [" + cited + "]") : ""));
    if (state === "n" && needs) box.append(el("p", "soft", "To call it absent: " + needs));
    return box;
  }

  function board(p) {
    const out = el("div", ""), hold = el("div", "");
    const grid = el("div", "board");
    const pick = (m, b) => {
      out.querySelectorAll(".on").forEach(x => x.classList.remove("on"));
      b.classList.add("on"); hold.replaceChildren(why(p, m));
    };
    let first = null;
    for (const [origin, label] of Object.entries(ORIGIN)) {
      const col = el("div", "", el("h4", "", label));
      const names = Object.keys(p.calls).filter(m => DATA.mechanisms[m][1] === origin);
      names.sort((x, y) => "pcan".indexOf(p.calls[x][0]) - "pcan".indexOf(p.calls[y][0]));
      for (const m of names) {
        const s = p.calls[m][0];
        const b = el("button", "chip " + s, title(m) + (DATA.mechanisms[m][4] ? " (context)" : ""), el("span", "state", WORD[s]));
        b.type = "button"; b.onclick = () => pick(m, b);
        if (s === "p" && !first && !DATA.mechanisms[m][4]) first = [m, b];
        col.append(b);
      }
      grid.append(col);
    }
    out.append(grid, hold);
    if (first) pick(...first);
    return out;
  }

  function timeline(p) {
    if (!p.timeline.length) return el("p", "soft", "No dated treatment, scan or blood value was given.");
    const NS = "http://www.w3.org/2000/svg", phone = innerWidth < 700; // where names stand above what they name
    const W = phone ? Math.max(300, innerWidth - 48) : 1060, L = phone ? 46 : 150, R = phone ? 12 : 40, above = phone ? 15 : 0;
    const days = p.timeline.flatMap(e => e[5] === null ? [e[1]] : [e[1], e[5]]);
    const lo = Math.min(0, ...days), hi = Math.max(30, ...days), x = d => L + (W - L - R) * (d - lo) / (hi - lo || 1);
    const lanes = [];
    for (const e of p.timeline.filter(e => e[0] === "treatment")) if (!lanes.includes(e[2])) lanes.push(e[2]);
    const has = k => p.timeline.some(e => e[0] === k);
    const sizes = p.timeline.filter(e => e[0] === "response" && e[3] !== null).map(e => ["sld", e[1], "sum of diameters", e[3], "mm", null, false]);
    const series = [["response", "scans"], ["sld", "sum of diameters"], ["ctdna", "ctDNA"], ["nlr", "NLR"]].filter(s => s[0] === "sld" ? sizes.length : has(s[0]));
    const H = 26 * lanes.length + series.reduce((h, s) => h + (s[0] === "response" ? 34 : 84), 0) + above * (lanes.length + series.length) + 40;
    const svg = document.createElementNS(NS, "svg"); svg.setAttribute("viewBox", `0 0 ${W} ${H}`); svg.setAttribute("class", "line timeline");
    svg.setAttribute("role", "img"); svg.setAttribute("aria-label", "Treatments, scans and blood values by day since the first dose; the table below has every value");
    const add = (tag, at, text) => {
      const e = document.createElementNS(NS, tag);
      for (const [k, v] of Object.entries(at)) e.setAttribute(k, v);
      if (text !== undefined) e.textContent = text;
      svg.append(e); return e;
    };
    const tip = (e, text) => { const t = document.createElementNS(NS, "title"); t.textContent = text; e.append(t); };
    let y = 8;
    for (const lane of lanes) {
      add("text", { x: 0, y: y + 13 }, phone ? lane : lane.slice(0, 26));
      y += above;
      for (const e of p.timeline.filter(e => e[0] === "treatment" && e[2] === lane)) {
        const open = e[5] === null, end = open ? Math.max(e[1] + (hi - lo) * 0.012, e[1]) : e[5];
        const bar = add("rect", { x: x(e[1]), y: y + 2, width: Math.max(4, x(end) - x(e[1])), height: 14, rx: 3, fill: "#0b6e99", opacity: open ? 0.55 : 0.85 });
        tip(bar, `${lane}: day ${e[1]}${open ? ", end not given" : " to " + e[5]}`);
      }
      y += 26;
    }
    for (const [kind, label] of series) {
      const rows = kind === "sld" ? sizes : p.timeline.filter(e => e[0] === kind);
      if (kind === "response") {
        add("text", { x: 0, y: y + (phone ? 13 : 17) }, "scans (RECIST)");
        y += above;
        for (const e of rows) {
          const c = add("circle", { cx: x(e[1]), cy: y + 13, r: 9, fill: RECIST[e[2]] || "#9a9a9a" });
          tip(c, `${e[2] || "before treatment or not evaluated"}, day ${e[1]}${e[3] === null ? "" : ", " + e[3] + " mm"}`);
          add("text", { x: x(e[1]), y: y + 17, "text-anchor": "middle", style: "fill:#fff;font-size:9px" }, e[2] || (e[1] <= 0 ? "0" : "?"));
        }
        y += 34; continue;
      }
      const values = rows.filter(e => e[3] !== null), top = Math.max(...values.map(e => e[3]), 1e-9), h = 60;
      if (phone) add("text", { x: 0, y: y + 13 }, rows[0][4] ? `${label}, ${rows[0][4]}` : label);
      else { add("text", { x: 0, y: y + 22 }, label); add("text", { x: 0, y: y + 36 }, rows[0][4]); }
      y += above;
      const yy = v => y + 8 + h * (1 - v / top);
      add("text", { x: L - 8, y: yy(top) + 4, "text-anchor": "end" }, Number(top.toPrecision(3))); add("text", { x: L - 8, y: yy(0) + 4, "text-anchor": "end" }, "0");
      add("line", { x1: L, x2: W - R, y1: yy(0), y2: yy(0), class: "axis" });
      for (const name of [...new Set(values.map(e => e[2]))]) {
        const pts = values.filter(e => e[2] === name);
        add("polyline", { points: pts.map(e => `${x(e[1])},${yy(e[3])}`).join(" "), fill: "none", stroke: "#c4621a", "stroke-width": 1.6, opacity: 0.8 });
        for (const e of pts) {
          const c = add("circle", { cx: x(e[1]), cy: yy(e[3]), r: 3.6, fill: e[6] ? "#fff" : "#c4621a", stroke: "#c4621a" });
          tip(c, `${name}, day ${e[1]}: ${e[6] ? "below the limit of " : ""}${e[3]} ${e[4]}`);
        }
      }
      y += 84;
    }
    add("line", { x1: L, x2: W - R, y1: y + 4, y2: y + 4, stroke: "#8a95a0" });
    const step = [7, 14, 30, 60, 90, 180, 365, 730].find(s => (hi - lo) / s <= (phone ? 5 : 12)) || 1460;
    for (let d = Math.ceil(lo / step) * step; d <= hi; d += step) {
      add("line", { x1: x(d), x2: x(d), y1: y + 4, y2: y + 9, stroke: "#8a95a0" });
      add("text", { x: x(d), y: y + 22, "text-anchor": "middle" }, d);
    }
    add("text", { x: W - R, y: y + 34, "text-anchor": "end" }, "days since the first dose");
    if (lo <= 0 && hi >= 0) add("line", { x1: x(0), x2: x(0), y1: 4, y2: y + 4, stroke: "#8a95a0", "stroke-dasharray": "3 3", "stroke-opacity": phone ? 0.4 : 1 });
    svg.setAttribute("viewBox", `0 0 ${W} ${y + 40}`);
    const losses = p.timeline.filter(e => e[0] === "gene");
    const dated = more(`All ${p.timeline.length} dated entries`, table(["Day", "What", "Which", "Value", "Until day"], p.timeline.map(e =>
      [e[1], KIND[e[0]], e[2] || "–", e[3] === null ? "–" : `${e[6] ? "< " : ""}${e[3]} ${e[4]}`, e[5] === null ? "–" : e[5]])));
    if (!losses.length) return el("div", "", wide("timeline", svg), dated);
    const box = el("div", ""), list = el("ul", "soft");
    for (const e of losses) list.append(el("li", "", `day ${e[1]}: ${e[2]}`));
    box.append(wide("timeline", svg), dated, el("p", "soft", "Genes lost, by dated sample"), list);
    return box;
  }

  function options(p) {
    if (!p.options.length) return el("p", "soft", "No strategy is matched, as no mechanism was called present.");
    return el("div", "", p.options.map(([name, because, uncertain, against, cautions]) => {
      const [t, tier, rationale, trials] = DATA.strategies[name];
      const head = el("summary", "", el("span", "tier " + tier, tier), " " + t + " ",
        el("span", "soft", "for " + because.map(m => title(m) + (uncertain.includes(m) ? " (conflicting)" : "")).join("; ")),
        against.length ? el("span", "caution", against.map(title).join("; ") + " takes away what it needs") : "",
        cautions.map(c => el("span", "caution", c)));
      return el("details", "strategy", head, el("p", "soft", rationale + " Evidence " + tier + ": " + DATA.tiers[tier]),
        table(["Trial", "Phase", "Population", "Result", "Finding", "Registry"], trials.map(r => [r[0], r[1], r[2], el("span", "result " + r[3].replace(" ", "_"), r[3]), r[4], r[5]])));
    }));
  }

  function card(p) {
    const head = el("div", "card-head",
      el("div", "", el("small", "", "Patient"), el("b", "", p.id), p.samples.length ? el("span", "soft", "  " + p.samples.join(", ")) : ""),
      el("div", "", el("small", "", "Guideline group"), p.stratum[0], p.stratum[2] ? el("span", "soft", " – " + p.stratum[2]) : "",
        p.stratum[1] ? el("small", "", "Guidelines list: " + p.stratum[1]) : ""),
      el("div", "", el("small", "", "Resistance (SITC definitions)"), p.resistance[0], el("small", "", p.resistance[1])));
    const scores = table(["Score", "Value", "Reading", "Cut-off", "Note"],
      p.scores.map(s => [s[0], s[1] + (s[2] && s[1] !== "–" ? " " + s[2] : ""), el("span", "reading " + s[3], s[3] || "–"), s[4], s[5]]));
    const [setting, outcomes, moved, unseen] = p.response;
    const chance = el("div", "", el("p", "soft", setting),
      table(["Outcome", "Probability", "95 % interval"], outcomes),
      moved.length ? more(`What ${moved.length} measurements moved from the average patient`,
        table(["Measurement", "Value", "Log odds of response", "of benefit at 12 months"], moved)) : "",
      unseen ? el("p", "soft", "Not measured, averaged over: " + unseen + ".") : "");
    return el("div", "", head, el("h3", "", "Probability under a PD-(L)1 inhibitor"), chance, el("h3", "", "Resistance mechanisms"), board(p), el("h3", "", "Timeline"), timeline(p),
      el("h3", "", "Published scores, side by side"), scores, p.disagree ? el("p", "", el("b", "", "The scores disagree. "), p.disagree) : "",
      el("h3", "", "Strategies that the literature matches to these mechanisms"),
      el("p", "soft", "A list of what was tried, negative trials included; no advice. Letters grade the evidence (see Rules)."), options(p),
      el("h3", "", "Measurements"),
      more(`${p.biomarkers.length} measured`, table(["Biomarker", "Value", "Label", "Source", "Note"], p.biomarkers)),
      p.missing.length ? more(`${p.missing.reduce((n, m) => n + m[1].length, 0)} not assessable, and why`, table(["Why", "Biomarkers"], p.missing.map(m => [m[0], m[1].join(", ")]))) : "");
  }

  const ids = DATA.patients.map(p => p.id), hold = document.getElementById("card"), pick = document.getElementById("pick");
  let at = 0;
  const show = i => {
    if (!ids.length) return;
    at = (i + ids.length) % ids.length;
    hold.replaceChildren(card(DATA.patients[at]));
    if (pick) pick.value = ids[at];
  };
  if (pick) {
    document.getElementById("ids").append(...ids.map(id => { const o = document.createElement("option"); o.value = id; return o; }));
    pick.onchange = () => { const i = ids.indexOf(pick.value); if (i >= 0) show(i); };
    pick.onfocus = () => pick.select();
    document.getElementById("prev").onclick = () => show(at - 1);
    document.getElementById("next").onclick = () => show(at + 1);
  }
  const wanted = decodeURIComponent((location.hash.match(/^#patient=(.+)$/) || [])[1] || "");
  const load = DATA.patients.map(p => Object.entries(p.calls).filter(([m, c]) => c[0] === "p" && !DATA.mechanisms[m][4]).length);
  show(ids.includes(wanted) ? ids.indexOf(wanted) : load.indexOf(Math.max(...load)));
  window.addEventListener("load", () => window.dispatchEvent(new Event("resize")));
}
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("packed").textContent.trim()), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  start(JSON.parse(await new Response(stream).text()));
})().catch(error => {
  document.getElementById("card").textContent = "This browser cannot unpack the page's data; profile.json holds the same. " + error;
});
