// The picture of a trial on the axis of time: its lanes, one under the other, and what lies over all of them.
const { layout, draw } = (() => {
  const CAPTION = 15, GAP = 7, AXIS = 42, FLAGS = 22;

  function layout(scope) {
    const lanes = [];
    let top = AXIS;
    const lane = (name, caption, height, more = {}) => {
      lanes.push({ name, caption, from: top, top: top + CAPTION, height, to: top + CAPTION + height + GAP, ...more });
      top += CAPTION + height + GAP;
    };
    lane('steps', 'steps', 24);
    if (scope.rail) lane('rail', scope.rail.from === 'world' ? 'supply (the world knows all of it)' : 'supply (readings of the station)', 78);
    for (const line of scope.levels) lane('level', `${line.name}, ${line.pulled ? 'as the rig pulls it' : 'as the board drives it'}`, 13, { line });
    for (const light of scope.lights) lane('light', light.led ? `light ${light.led + 1}, as its sensor saw it` : 'light, as its sensor saw it', 30 + 20, { light });
    if (scope.flash.length) lane('flash', 'flash', 24);
    if (scope.console.length) lane('console', 'console', 52);
    if (scope.events.length) lane('events', 'cloud, USB', 20);
    return { lanes, height: top + 6 };
  }

  function draw(scope) {
    const style = getComputedStyle(document.documentElement);
    const ink = {};
    for (const name of ['paper', 'panel', 'ink', 'soft', 'rule', 'accent', 'failed', 'failed-wash', 'error', 'undecided', 'passed', 'supply', 'supply-wash', 'line', 'erase', 'program', 'fault', 'fault-wash', 'unseen', 'halo'])
      ink[name] = style.getPropertyValue(`--${name}`).trim();
    scope.ink = ink;
    const g = scope.g = scope.canvas.getContext('2d');
    g.setTransform(scope.ratio, 0, 0, scope.ratio, 0, 0);
    g.clearRect(0, 0, scope.width, scope.height);
    g.font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
    g.textBaseline = 'middle';
    faultBands(scope);
    timeAxis(scope);
    for (const lane of scope.lanes) LANES[lane.name](scope, lane);
    marks(scope);
    for (const { caption, top } of scope.lanes) {
      // Marks run through where it stands.
      g.strokeStyle = ink.halo;
      g.lineWidth = 3;
      g.lineJoin = 'round';
      g.strokeText(caption, 0, top - CAPTION / 2 + 1);
      text(scope, caption, 0, top - CAPTION / 2 + 1, ink.soft);
    }
  }

  function text(scope, words, x, y, colour, room = Infinity, align = 'left') {
    const g = scope.g;
    if (room < 14) return 0;
    let wide = g.measureText(words).width;
    if (wide > room) {
      let keep = Math.max(1, Math.floor(words.length * room / wide) - 1);
      while (keep > 1 && g.measureText(`${words.slice(0, keep)}…`).width > room) keep--;
      words = `${words.slice(0, keep)}…`;
      wide = g.measureText(words).width;
      if (wide > room) return 0;
    }
    g.fillStyle = colour;
    g.textAlign = align;
    g.fillText(words, x, y);
    g.textAlign = 'left';
    return wide;
  }

  function timeAxis(scope) {
    const g = scope.g, length = scope.to - scope.from;
    const least = length / Math.max(2, scope.width / 86), decade = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map(n => n * decade).find(n => n >= least);
    const digits = Math.max(0, -Math.floor(Math.log10(step / 1e9) + 1e-9));
    for (let n = Math.max(0, Math.ceil(scope.from / step)); n * step <= scope.to; n++) {
      const x = scope.x(n * step);
      g.fillStyle = scope.ink.rule;
      g.fillRect(Math.round(x), AXIS - 2, 1, scope.height - AXIS);
      const words = step < 1e5 && n ? `${(n * step / 1e6).toFixed(Math.max(0, digits - 3))} ms` : `${(n * step / 1e9).toFixed(Math.min(digits, 9))} s`;
      const wide = scope.g.measureText(words).width;
      text(scope, words, Math.min(Math.max(x - wide / 2, 0), scope.width - wide), 9, scope.ink.soft);
    }
  }

  function faultBands(scope) {
    const g = scope.g;
    for (const fault of scope.trial.faults) {
      if (!fault.achieved) continue;
      const from = scope.x(fault.achieved.began_ns), to = scope.x(fault.achieved.began_ns + fault.achieved.below_brown_out_ns);
      g.fillStyle = scope.ink['fault-wash'];
      g.fillRect(from, FLAGS, Math.max(to - from, 3), scope.height - FLAGS);
    }
  }

  function stepsLane(scope, { top, height }) {
    const g = scope.g;
    for (const step of scope.trial.steps) {
      if (step.start_ns === null) continue;
      const from = scope.x(step.start_ns), to = scope.x(step.end_ns);
      if (to < -2 || from > scope.width + 2) continue;
      const left = Math.max(from, 0), right = Math.min(Math.max(to, from + 2), scope.width), bad = step.verdict !== 'passed';
      g.fillStyle = bad ? scope.ink['failed-wash'] : scope.ink.panel;
      g.fillRect(left, top, right - left, height);
      g.fillStyle = bad ? scope.ink.failed : scope.ink.soft;
      g.fillRect(left, top, bad ? 3 : 1.5, height);
      if (bad) g.fillRect(left, top + height - 2, right - left, 2);
      text(scope, `${step.index}  ${step.text}`, left + 6, top + height / 2, bad ? scope.ink.failed : scope.ink.ink, right - left - 9);
    }
  }

  function railLane(scope, { top, height }) {
    const g = scope.g, { at, values } = scope.rail, y = value => top + height - value / scope.rail.most * height;
    g.strokeStyle = scope.ink.rule;
    g.lineWidth = 1;
    g.beginPath();
    for (let volts = 0; volts * 1000 <= scope.rail.most; volts++) { g.moveTo(0, Math.round(y(volts * 1000)) + 0.5); g.lineTo(scope.width, Math.round(y(volts * 1000)) + 0.5); }
    g.stroke();
    const first = Math.max(0, above(at, scope.from) - 1), last = Math.min(at.length, above(at, scope.to) + 1);
    const path = new Path2D();
    let column = null, enter = 0, low = 0, high = 0, value = 0, begun = false;
    const flush = () => {
      if (column === null) return;
      // From where it came, the whole range of what happened within one pixel, to where it goes.
      path.lineTo(column, y(enter));
      if (low < high) { path.lineTo(column, y(high)); path.lineTo(column, y(low)); }
      path.lineTo(column, y(value));
    };
    for (let n = first; n < last; n++) {
      const x = scope.x(at[n]), pixel = Math.round(x * 2) / 2;
      if (!begun) { path.moveTo(x, y(values[n])); begun = true; }
      if (pixel !== column) { flush(); column = pixel; enter = low = high = values[n]; }
      value = values[n];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    flush();
    if (last === at.length && scope.rail.from === 'station' && column !== null) path.lineTo(Math.max(column, scope.x(scope.end)), y(value));
    g.strokeStyle = scope.ink.supply;
    g.lineWidth = 1.6;
    g.lineJoin = 'round';
    g.stroke(path);
    for (let volts = 1; volts * 1000 <= scope.rail.most; volts++) text(scope, `${volts} V`, 2, y(volts * 1000) + 7, scope.ink.soft);
  }

  function levelLane(scope, { top, height, line }) {
    const g = scope.g, high = top + 0.5, low = top + height - 0.5;
    g.strokeStyle = scope.ink.line;
    g.lineWidth = 1.4;
    g.beginPath();
    if (line.pulled) {
      g.moveTo(0, high);
      for (const [from, to] of line.spans) {
        const left = scope.x(from), right = Math.max(scope.x(to), left + 2);
        if (right < 0 || left > scope.width) continue;
        g.fillStyle = scope.ink['supply-wash'];
        g.fillRect(left, high, right - left, low - high);
        g.lineTo(left, high); g.lineTo(left, low); g.lineTo(right, low); g.lineTo(right, high);
      }
      g.lineTo(scope.width, high);
    } else {
      let up = line.edges.length ? !line.edges[0][1] : false;
      g.moveTo(0, up ? high : low);
      for (const [at, rises] of line.edges) {
        const x = scope.x(at);
        if (x > scope.width) break;
        if (x >= 0) { g.lineTo(x, up ? high : low); g.lineTo(x, rises ? high : low); } else g.moveTo(0, rises ? high : low);
        up = rises;
      }
      g.lineTo(scope.width, up ? high : low);
    }
    g.stroke();
  }

  function lightLane(scope, { top, light }) {
    const g = scope.g, height = 30, { ends, colours, palette, order } = light;
    g.fillStyle = scope.ink.unseen;
    g.fillRect(0, top, scope.width, height);
    const paint = (from, to, y, tall, colour) => {
      if (!palette[colour]) return;
      g.fillStyle = palette[colour];
      g.fillRect(from, y, to - from, tall);
    };
    // What is longer than a pixel is drawn as it is; what several share is stacked by its share, the brightest on top.
    const shares = new Float64Array(palette.length);
    let column = -1, used = false;
    const flush = () => {
      if (!used) return;
      const whole = shares.reduce((sum, share) => sum + share, 0);
      let y = top;
      for (const colour of order) {
        if (!shares[colour]) continue;
        const tall = shares[colour] / whole * height;
        paint(column, column + 1, y, tall, colour);
        y += tall;
        shares[colour] = 0;
      }
      used = false;
    };
    const scale = scope.width / (scope.to - scope.from);
    for (let n = above(ends, scope.from), before = n ? ends[n - 1] : 0; n < ends.length && before < scope.to; before = ends[n], n++) {
      let from = Math.max((before - scope.from) * scale, 0);
      const to = Math.min((ends[n] - scope.from) * scale, scope.width);
      while (from < to) {
        const pixel = Math.floor(from);
        if (pixel !== column) { flush(); column = pixel; }
        if (from === pixel && to >= pixel + 1) {
          const until = Math.floor(to);
          paint(pixel, until, top, height, colours[n]);
          from = until;
        } else {
          const until = Math.min(to, pixel + 1);
          shares[colours[n]] += until - from;
          used = true;
          from = until;
        }
      }
    }
    flush();
    light.words.forEach(([at, words], n) => {
      const from = Math.max(scope.x(at), 0), to = Math.min(scope.x(n + 1 < light.words.length ? light.words[n + 1][0] : scope.end), scope.width);
      if (to <= from) return;
      g.fillStyle = scope.ink.soft;
      if (scope.x(at) >= 0) g.fillRect(from, top + height, 1, 18);
      text(scope, words, from + 4, top + height + 10, scope.ink.ink, to - from - 7);
    });
  }

  function flashLane(scope, { top, height }) {
    const g = scope.g;
    g.fillStyle = scope.ink.rule;
    g.fillRect(0, top + height, scope.width, 1);
    let last = [-1, -1, -1];
    for (const { at, takes, kind, ppm } of scope.flash) {
      if (at > scope.to) break;
      if (at + takes < scope.from) continue;
      const from = scope.x(at), to = Math.max(scope.x(at + takes), from + 1), cut = ppm < 1e6;
      // The next one within the same pixel adds nothing to be seen.
      if (!cut && to <= last[kind]) continue;
      last[kind] = Math.max(last[kind], Math.ceil(to * 2) / 2);
      const tall = kind ? height : height * 0.55;
      g.fillStyle = kind ? scope.ink.erase : scope.ink.program;
      g.fillRect(from, top + height - tall, to - from, tall);
      if (cut) {
        g.fillStyle = scope.ink.failed;
        g.fillRect(to - 1, top - 3, 2.5, height + 3);
        text(scope, '✂', to - 5, top - 7, scope.ink.failed);
      } else if (to - from > 46) text(scope, kind ? 'erase' : 'program', from + 4, top + height - tall / 2, scope.ink.paper, to - from - 6);
    }
  }

  /** The axis tells the time better than the words do. */
  const withoutTime = words => words.replace(/^\d{6,} +(?=\S)/, '');

  function consoleLane(scope, { top, height }) {
    const g = scope.g, bottom = top + 14, rows = [-1, -1];
    const first = above(scope.consoleAt, scope.at(-400)), colours = [scope.ink.soft, scope.ink.soft, scope.ink.error, scope.ink.failed];
    const tall = [5, 7, 11, 14];
    g.fillStyle = scope.ink.rule;
    g.fillRect(0, bottom, scope.width, 1);
    const seen = [];
    for (let n = first; n < scope.console.length && scope.consoleAt[n] <= scope.to; n++) seen.push(n);
    let pixel = -1, worst = -1;
    for (const n of seen) {
      const x = scope.x(scope.consoleAt[n]), bad = scope.console[n][1], here = Math.floor(x);
      if (here === pixel && bad <= worst) continue;
      worst = here === pixel ? Math.max(worst, bad) : bad;
      pixel = here;
      g.fillStyle = colours[bad];
      g.fillRect(x - 0.75, bottom - tall[bad], bad > 1 ? 2 : 1.5, tall[bad]);
    }
    // Words where there is room for them: complaints first.
    const taken = [[], []];
    const place = (n, must) => {
      const x = scope.x(scope.consoleAt[n]);
      if (x < -2) return;
      const next = n + 1 < scope.console.length ? scope.x(scope.consoleAt[n + 1]) - x : scope.width;
      const wanted = Math.min(must ? 260 : Math.max(next * 2 - 8, 90), scope.width - x - 2);
      if (wanted < 60) return;
      for (const row of [0, 1]) {
        if (taken[row].some(([from, to]) => x < to && x + wanted > from)) continue;
        const y = bottom + 10 + row * 17;
        const wide = text(scope, withoutTime(scope.console[n][2]), x + 2, y, colours[scope.console[n][1]], wanted);
        if (wide) taken[row].push([x, x + wide + 14]);
        return;
      }
    };
    if (seen.length < 400) {
      if (scope.line !== null) place(scope.line, true);
      for (const bad of [3, 2, 1, 0]) for (const n of seen) if (scope.console[n][1] === bad && n !== scope.line) place(n, bad > 1);
    }
  }

  function eventsLane(scope, { top, height }) {
    const g = scope.g;
    let free = -1;
    scope.events.forEach(([at, kind, words], n, all) => {
      const x = scope.x(at), next = n + 1 < all.length ? scope.x(all[n + 1][0]) : scope.width;
      if (x < -300 || x > scope.width) return;
      g.fillStyle = kind === 'instrument' ? scope.ink.failed : scope.ink.accent;
      g.beginPath();
      g.arc(x, top + height / 2, 3.2, 0, 7);
      g.fill();
      if (x > free) free = x + 8 + text(scope, words, x + 6, top + height / 2, scope.ink.ink, Math.min(240, next - x - 10, scope.width - x - 8));
    });
  }

  /** The fault, the verdict, and where the mouse is: over everything. */
  function marks(scope) {
    const g = scope.g;
    const flag = (at, words, colour, dashed, row) => {
      const x = scope.x(at);
      if (x < -1 || x > scope.width + 1) return;
      g.strokeStyle = colour;
      g.lineWidth = dashed ? 1 : 1.8;
      g.setLineDash(dashed ? [3, 3] : []);
      g.beginPath();
      g.moveTo(x, FLAGS);
      g.lineTo(x, scope.height);
      g.stroke();
      g.setLineDash([]);
      if (!words) return;
      const wide = g.measureText(words).width + 12, left = Math.min(Math.max(x - (x > scope.width / 2 ? wide : 0), 0), scope.width - wide);
      g.fillStyle = colour;
      g.fillRect(left, row, wide, 16);
      text(scope, words, left + 6, row + 8.5, scope.ink.halo);
    };
    for (const fault of scope.trial.faults) {
      const name = FAULTS[fault.kind] || fault.kind, asked = fault.asked && fault.asked.at_ns;
      if (fault.achieved) {
        flag(fault.achieved.began_ns, `${name}: ${voltage(fault.achieved.lowest_uv / 1000)}`, scope.ink.fault, false, FLAGS);
        if (typeof asked === 'number' && Math.abs(scope.x(asked) - scope.x(fault.achieved.began_ns)) > 2) flag(asked, 'asked', scope.ink.fault, true, FLAGS + 17);
      } else if (typeof asked === 'number') flag(asked, `${name}: did not happen`, scope.ink.fault, true, FLAGS);
    }
    const tone = { passed: 'passed', failed: 'failed', error: 'error' }[scope.trial.verdict] || 'undecided';
    if (scope.verdict !== null) flag(scope.verdict, scope.trial.verdict, scope.ink[tone], false, FLAGS);
    if (scope.cursor !== null) {
      const x = scope.x(scope.cursor);
      g.fillStyle = scope.ink.accent;
      g.fillRect(x - 0.5, 16, 1, scope.height);
      const words = instant(scope.cursor), wide = g.measureText(words).width + 8, left = Math.min(Math.max(x - wide / 2, 0), scope.width - wide);
      g.fillRect(left, 1, wide, 16);
      text(scope, words, left + 4, 9.5, scope.ink.halo);
    }
  }


  const LANES = { steps: stepsLane, rail: railLane, level: levelLane, light: lightLane, flash: flashLane, console: consoleLane, events: eventsLane };

  return { layout, draw };
})();
