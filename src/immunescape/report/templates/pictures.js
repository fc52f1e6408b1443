// Draws the pictures of a page, and adapts them to a narrow screen, a dark one, and to paper.
(() => {
  const PACKED = "@plotly.js, packed@";
  const SHEET = 660; // width of a picture on paper, in CSS pixels: fits A4 and Letter between their margins
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const pictures = () => [...document.querySelectorAll(".plotly-graph-div")].filter(g => g.layout && g.data);
  const copy = value => value === undefined ? undefined : JSON.parse(JSON.stringify(value));

  // ---- text that has to fit: names of categories beside an axis, titles of axes
  function wrap(text, characters) {
    const lines = [];
    for (const word of String(text).replace(/<br>/g, " ").split(/\s+/).flatMap(w => pieces(w, characters))) {
      const last = lines.length - 1;
      if (last >= 0 && lines[last].length + 1 + word.length <= characters) lines[last] += " " + word;
      else lines.push(word);
    }
    return lines;
  }
  // a name without a space, such as a column's, is broken after an underscore or a slash
  function pieces(word, characters) {
    if (word.length <= characters) return [word];
    const parts = word.match(/[^_/-]+[_/-]*|[_/-]+/g) || [word], out = [];
    for (const part of parts) {
      if (out.length && out[out.length - 1].length + part.length <= characters) out[out.length - 1] += part;
      else out.push(part);
    }
    return out;
  }

  function fit(g, width) {
    const first = g.first, seen = Math.min(width, document.documentElement.clientWidth);
    const characters = Math.max(13, Math.floor(seen * 0.4 / 5.6)), change = {};
    const intended = first.height - 14 - (first.margin && first.margin.b || 56) - 24; // less margins and a legend of one line
    let height = first.height;
    for (const key of Object.keys(g._fullLayout).filter(k => /^yaxis\d*$/.test(k))) {
      const axis = g._fullLayout[key], set = first[key] || {};
      if (axis.type !== "category" || !axis.visible) continue;
      const values = set.tickvals || [...axis._categories], names = set.ticktext || values;
      const wrapped = names.map(n => wrap(n, characters));
      const share = axis.domain[1] - axis.domain[0], lines = wrapped.length * (Math.max(...wrapped.map(w => w.length)) * 11 + 5);
      const narrow = names.some(n => String(n).split("<br>").some(line => line.length > characters));
      change[key + ".tickmode"] = narrow ? "array" : set.tickmode || null;
      change[key + ".tickvals"] = narrow ? values : set.tickvals || null;
      change[key + ".ticktext"] = narrow ? wrapped.map(w => w.join("<br>")) : set.ticktext || null;
      change[key + ".tickfont.size"] = narrow ? 10 : (set.tickfont || {}).size || null;
      if (narrow) height = Math.max(height, first.height - intended + lines / share);
    }
    // entries of the legend are not cut at the edge of the picture
    const entry = Math.max(14, Math.floor((width - 56) / 6.6)), names = g.names.map(n => n && wrap(n, entry).join("<br>"));
    if (g.data.some((trace, i) => trace.name !== names[i] && names[i])) Plotly.restyle(g, { name: names });
    change.width = width; change.height = height; change.autosize = false;
    Plotly.relayout(g, change);
    // the legend stands below: where it takes several lines, the picture grows by them and the plot keeps its height
    const after = {}, plot = g._fullLayout._size, lost = intended + height - first.height - plot.h;
    if (lost > 4) after.height = g._fullLayout.height + lost;
    for (const key of Object.keys(g._fullLayout).filter(k => /^[xy]axis\d*$/.test(k))) {
      const title = ((first[key] || {}).title || {}).text;
      if (!title) continue;
      const axis = g._fullLayout[key], room = (axis.domain[1] - axis.domain[0]) * (key[0] === "x" ? plot.w : plot.h);
      after[key + ".title.text"] = wrap(title, Math.max(12, Math.floor(room / 7.8))).join("<br>");
    }
    if (Object.keys(after).length) Plotly.relayout(g, after);
    if (g.parentElement) g.style.height = g._fullLayout.height + "px";
  }

  // ---- colours: ink, grid, and whatever would vanish on a dark page (night.js)
  const { lighter, recoloured } = window.immunescapeNight;
  const PAINTED = ["line", "marker", "error_x", "error_y", "fillcolor", "colorscale", "textfont"];
  function paint(g, night, ink) {
    const grid = night ? "#35434f" : "#e6ebf0", hues = g.first.template.layout.colorway;
    const layout = { "font.color": ink, colorway: night ? hues.map(lighter) : hues };
    for (const key of Object.keys(g._fullLayout).filter(k => /^[xy]axis\d*$/.test(k)))
      for (const part of ["gridcolor", "zerolinecolor", "linecolor"]) layout[key + "." + part] = grid;
    for (const key of ["shapes", "annotations"])
      if (g.first[key]) layout[key] = night ? recoloured(copy(g.first[key]), key) : copy(g.first[key]);
    g.data.forEach((trace, i) => {
      for (const part of PAINTED)
        if (g.colours[i][part] !== undefined) trace[part] = night ? recoloured(copy(g.colours[i][part]), part) : copy(g.colours[i][part]);
    });
    Object.entries(layout).forEach(([key, value]) => key.split(".").reduce((at, part, i, all) =>
      i === all.length - 1 ? (at[part] = value) : (at[part] = at[part] || {}), g.layout));
    Plotly.react(g, g.data, g.layout);
  }

  function begin(g) {
    if (g.first) return;
    g.first = copy(g.layout); g.first.height = g._fullLayout.height;
    g.names = g.data.map(trace => trace.name);
    g.colours = g.data.map(trace => copy(Object.fromEntries(PAINTED.map(p => [p, trace[p]]))));
  }
  const room = g => Math.floor(g.parentElement.getBoundingClientRect().width);
  function screen(all) {
    for (const g of pictures()) {
      begin(g);
      if (!room(g)) continue; // in a part of the page that is closed
      if (all || g.was !== room(g)) { g.was = room(g); fit(g, g.was); }
      if (all && (dark.matches || g.night)) { g.night = dark.matches; paint(g, g.night, g.night ? "#dde5ec" : "#1d2733"); }
    }
  }
  // ---- the library, which the page holds packed: a third of its size
  async function library() {
    const bytes = Uint8Array.from(atob(PACKED), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }
  const parsed = new Promise(done => document.readyState === "loading"
    ? document.addEventListener("DOMContentLoaded", done) : done());
  const failed = error => document.querySelectorAll(".plotly-graph-div").forEach(g => {
    g.style.height = "auto";
    g.textContent = "This browser cannot unpack the plotting library; a newer browser can. The figure is described in words below. " + error;
    g.parentElement.querySelectorAll("details").forEach(d => { d.open = true; });
  });
  const drawn = Promise.all([library(), parsed]).then(() => {
    document.querySelectorAll("script.picture-content").forEach(part => {
      const [data, layout, config] = JSON.parse(part.textContent);
      // without a pointer that can hover, the buttons would lie over the picture all the time
      if (!matchMedia("(hover: hover)").matches) config.displayModeBar = false;
      Plotly.newPlot(part.dataset.for, data, layout, config);
    });
    screen(true);
    // where the library measures text: off the page, and nothing that a screen reader should read out
    const measured = document.getElementById("js-plotly-tester");
    if (measured) measured.setAttribute("aria-hidden", "true");
  }).catch(failed);
  window.picturesDrawn = drawn; // for those who print or photograph the page by a program
  let waits = 0;
  window.addEventListener("resize", () => { clearTimeout(waits); waits = setTimeout(() => screen(false), 120); });
  document.addEventListener("toggle", () => screen(false), true);
  dark.addEventListener("change", () => screen(true));
  window.addEventListener("beforeprint", () => pictures().forEach(g => {
    begin(g); fit(g, SHEET);
    if (g.night) paint(g, false, "#000");
  }));
  window.addEventListener("afterprint", () => { pictures().forEach(g => { g.was = 0; }); screen(true); });
})();
