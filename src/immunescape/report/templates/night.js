// Colours of pictures on a dark page: those of reports and of the app.
window.immunescapeNight = (() => {
  // complete response gets the lightest blue at night, as it has the darkest by day: both far from partial response
  const NIGHT = { "#1d2733": "#dde5ec", "#08519c": "#cfe5f7", "#e3e8ec": "#3b4853", "#c9d1d8": "#55626d", "#e2ecf8": "#27465c", "white": "#1b242c", "#ffffff": "#1b242c" };
  const channels = colour => {
    const hex = /^#([0-9a-f]{6})$/i.exec(colour || "");
    if (hex) return [1, [0, 2, 4].map(i => parseInt(hex[1].slice(i, i + 2), 16))];
    const short = /^#([0-9a-f]{3})$/i.exec(colour || "");
    if (short) return [1, [...short[1]].map(c => parseInt(c + c, 16))];
    const rgb = /^rgba?\(([^)]+)\)$/.exec(colour || "");
    if (!rgb) return null;
    const parts = rgb[1].split(",").map(Number);
    return [parts.length > 3 ? parts[3] : 1, parts.slice(0, 3)];
  };
  const luminance = rgb => rgb.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const PAPER = luminance([27, 36, 44]);
  // lines and marks keep their hue and get light enough to be seen: a contrast of 3 to 1 with the page
  function lighter(colour) {
    if (Array.isArray(colour)) return colour.map(lighter);
    if (typeof colour !== "string") return colour;
    const known = NIGHT[colour.toLowerCase()], parsed = channels(colour);
    if (known || !parsed) return known || colour;
    let rgb = parsed[1];
    for (let k = 0; k < 20 && (luminance(rgb) + 0.05) / (PAPER + 0.05) < 4.5; k++) rgb = rgb.map(v => v + (255 - v) * 0.12);
    return `rgba(${rgb.map(Math.round).join(",")},${parsed[0]})`;
  }
  function recoloured(value, key) {
    if (key === "color" || key === "fillcolor" || key === "bgcolor" || key === "arrowcolor") return lighter(value);
    if (key === "colorscale" && Array.isArray(value)) return value.map(([at, c]) => [at, lighter(c)]);
    if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(v => recoloured(v, "")) : value;
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, recoloured(v, k)]));
    return value;
  }
  return { lighter, recoloured };
})();
