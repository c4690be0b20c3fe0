// What a picture carries, as its drawing needs it: instants and not what lies between two of them.
const { above, traceOf } = (() => {
  /** Instants from differences. */
  function summed(pairs) {
    const at = new Float64Array(pairs.length / 2), values = new Float64Array(pairs.length / 2);
    let now = 0;
    for (let n = 0; n < at.length; n++) {
      now += pairs[2 * n];
      at[n] = now;
      values[n] = pairs[2 * n + 1];
    }
    return { at, values };
  }

  /** The first place whose value is above `wanted`. */
  function above(sorted, wanted) {
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] > wanted) high = middle; else low = middle + 1;
    }
    return low;
  }

  /** What is drawn of a picture's data. */
  function traceOf(data) {
    const lights = data.lights.map(light => {
      const runs = light.strip.runs, ends = new Float64Array(runs.length / 2), colours = new Uint16Array(runs.length / 2);
      let now = 0;
      for (let n = 0; n < ends.length; n++) {
        now += runs[2 * n] * 1000;
        ends[n] = now;
        colours[n] = runs[2 * n + 1];
      }
      // Brightest first: that is how several colours within one pixel are stacked.
      const brightness = light.strip.palette.map(hex => hex ? parseInt(hex.slice(1, 3), 16) * 3 + parseInt(hex.slice(3, 5), 16) * 6 + parseInt(hex.slice(5, 7), 16) : -1);
      const order = brightness.map((_, n) => n).sort((a, b) => brightness[b] - brightness[a]);
      return { led: light.led, palette: light.strip.palette, ends, colours, order, words: light.words };
    });
    const rail = data.rail && { ...summed(data.rail.points), from: data.rail.from };
    if (rail) rail.most = Math.max(1000, Math.ceil(rail.values.reduce((a, b) => Math.max(a, b), 0) / 500 + 0.2) * 500);
    let now = 0;
    const flash = data.flash.map(([after, takes, kind, address, ppm]) => ({ at: now += after, takes, kind, address, ppm }));
    const consoleAt = Float64Array.from(data.console, line => line[0]);
    const levels = new Map();
    for (const [name, from, to] of data.pulled) {
      if (!levels.has(name)) levels.set(name, { name, pulled: true, spans: [] });
      levels.get(name).spans.push([from, to]);
    }
    for (const [name, at, up] of data.edges) {
      if (!levels.has(name)) levels.set(name, { name, pulled: false, edges: [] });
      const line = levels.get(name);
      if (line.edges) line.edges.push([at, up]);
    }
    return { lights, rail, flash, console: data.console, consoleAt, levels: [...levels.values()], events: data.events };
  }

  return { above, traceOf };
})();
