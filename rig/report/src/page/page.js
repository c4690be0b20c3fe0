// The script of Brickproof's pages: unpacks what the page carries, lists the trials, draws their pictures.
// Whatever comes from a board is put into the page as text, never as HTML. Nothing here asks a network for anything.
'use strict';
(() => {
  const find = (selector, root = document) => root.querySelector(selector);

  /** An element with properties and children; strings become text. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      if (value === undefined || value === null) continue;
      if (key === 'on') for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
      else if (key in element && key !== 'list') element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children.filter(child => child !== null && child !== undefined));
    return element;
  }

  /** What the page carries under a name. */
  async function unpack(name) {
    const text = atob(document.getElementById(name).textContent);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return JSON.parse(await new Response(stream).text());
  }

  // Quantities, as people read them.

  const trimmed = (value, digits) => String(Number(value.toFixed(digits)));
  const voltage = millivolts => `${(millivolts / 1000).toFixed(2)} V`;
  const instant = nanos => `${(Math.floor(nanos / 1e6) / 1e3).toFixed(3)} s`;
  function span(nanos) {
    const size = Math.abs(nanos);
    if (size >= 60e9) return `${Math.floor(size / 60e9)} min ${trimmed((size % 60e9) / 1e9, 0)} s`;
    if (size >= 1e9) return `${trimmed(nanos / 1e9, 2)} s`;
    if (size >= 1e6) return `${trimmed(nanos / 1e6, 2)} ms`;
    if (size >= 1e3) return `${trimmed(nanos / 1e3, 1)} µs`;
    return `${nanos} ns`;
  }
  const hex = address => `0x${address.toString(16)}`;

  // ---- The picture of a trial -------------------------------------------------------------------------------------------------

  const CAPTION = 15, GAP = 7, AXIS = 42, FLAGS = 22;
  const FLASH = ['programs a word', 'erases a page', 'erases everything'];
  const FAULTS = { brown_out: 'brown-out', power_cut: 'power cut', load_step: 'load step' };

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

  class Scope {
    constructor(host, data, trial, chosen) {
      this.host = host;
      this.trial = trial;
      this.chosen = chosen;
      this.end = Math.max(data.end, trial.duration_ns, 1);
      [this.from, this.to] = [0, this.end];
      this.cursor = null;
      this.line = null;
      this.take(data);
      this.build();
      this.resize();
      new ResizeObserver(() => this.resize()).observe(host);
    }

    take(data) {
      this.data = data;
      this.verdict = data.verdict ?? trialEnd(this.trial);
      this.lights = data.lights.map(light => {
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
      this.rail = data.rail && { ...summed(data.rail.points), from: data.rail.from };
      if (this.rail) this.most = Math.max(1000, Math.ceil(this.rail.values.reduce((a, b) => Math.max(a, b), 0) / 500 + 0.2) * 500);
      let now = 0;
      this.flash = data.flash.map(([after, takes, kind, address, ppm]) => ({ at: now += after, takes, kind, address, ppm }));
      this.console = data.console;
      this.consoleAt = Float64Array.from(data.console, line => line[0]);
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
      this.levels = [...levels.values()];
    }

    build() {
      const tool = (text, title, act) => make('button', { type: 'button', textContent: text, title, on: { click: act } });
      this.label = make('span', { className: 'span' });
      this.canvas = make('canvas', {
        tabIndex: 0, role: 'img',
        ariaLabel: `Timeline of the trial, ${span(this.end)} long. Arrow keys move, plus and minus zoom, 0 shows all.`,
      });
      this.readout = make('div', { className: 'readout', ariaLive: 'off' });
      const tools = make('div', { className: 'tools' },
        tool('+', 'closer', () => this.zoom(0.5)), tool('−', 'farther', () => this.zoom(2)), tool('All', 'the whole trial', () => this.show(0, this.end)));
      for (const fault of this.trial.faults) {
        const at = struckAt(fault);
        if (at === null) continue;
        const lasts = (fault.achieved && fault.achieved.below_brown_out_ns) || 20e6;
        tools.append(tool('Fault', `the ${FAULTS[fault.kind] || fault.kind}`, () => this.show(at - lasts * 0.6, at + lasts * 1.8)));
      }
      if (this.verdict !== null) tools.append(tool('Verdict', 'the moment of the verdict', () => this.show(this.verdict - 3e9, this.verdict + 0.6e9)));
      tools.append(this.label);
      this.host.replaceChildren(tools, this.canvas, this.readout);
      this.listen();
    }

    layout() {
      const lanes = [];
      let top = AXIS;
      const lane = (name, caption, height, more = {}) => {
        lanes.push({ name, caption, top: top + CAPTION, height, ...more });
        top += CAPTION + height + GAP;
      };
      lane('steps', 'steps', 24);
      if (this.rail) lane('rail', this.rail.from === 'world' ? 'supply (the world knows all of it)' : 'supply (readings of the station)', 78);
      if (this.levels.length) lane('levels', 'lines', this.levels.length * 19);
      for (const light of this.lights) lane('light', light.led ? `light ${light.led + 1}, as its sensor saw it` : 'light, as its sensor saw it', 30 + 20, { light });
      if (this.flash.length) lane('flash', 'flash', 24);
      if (this.console.length) lane('console', 'console', 52);
      if (this.data.events.length) lane('events', 'cloud, USB', 20);
      this.lanes = lanes;
      this.height = top + 6;
    }

    resize() {
      const width = this.canvas.clientWidth || this.host.clientWidth - 18;
      if (width < 50) return;
      this.layout();
      this.width = width;
      const ratio = Math.min(window.devicePixelRatio || 1, 3);
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      this.canvas.style.height = `${this.height}px`;
      this.ratio = ratio;
      this.draw();
    }

    // Where one looks.

    show(from, to) {
      const least = 2e3, length = Math.min(Math.max(to - from, least), this.end * 1.02);
      const start = Math.min(Math.max(from, -this.end * 0.01), this.end * 1.01 - length);
      [this.from, this.to] = [start, start + length];
      this.later();
    }
    zoom(factor, around = (this.from + this.to) / 2) {
      this.show(around - (around - this.from) * factor, around + (this.to - around) * factor);
    }
    pan(share) {
      const by = (this.to - this.from) * share;
      this.show(this.from + by, this.to + by);
    }
    later() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => { this.waiting = false; this.draw(); });
    }
    x(at) { return (at - this.from) / (this.to - this.from) * this.width; }
    at(x) { return this.from + x / this.width * (this.to - this.from); }

    /** Shows a console line where it is; with a view that is all or far, closer. */
    seek(number) {
      this.line = number;
      const at = this.console[number][0], length = this.to - this.from;
      this.cursor = at;
      if (at < this.from || at > this.to || length > this.end * 0.8) {
        const wanted = Math.min(length, Math.max(this.end / 6, 2e9));
        this.show(at - wanted / 2, at + wanted / 2);
      }
      this.later();
    }

    listen() {
      const canvas = this.canvas, fingers = new Map();
      let began = null, pinch = null, scrolled = 0;
      const place = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
      // A page that is being scrolled goes on scrolling when a picture comes under the mouse.
      window.addEventListener('scroll', () => { scrolled = performance.now(); }, { passive: true });
      canvas.addEventListener('wheel', event => {
        if (performance.now() - scrolled < 200) return;
        event.preventDefault();
        const [x] = place(event);
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan((event.deltaX || event.deltaY) / this.width);
        else this.zoom(Math.exp(Math.max(-200, Math.min(200, event.deltaY)) * 0.003), this.at(x));
      }, { passive: false });
      canvas.addEventListener('pointerdown', event => {
        if (event.button) return;
        const [x, y] = place(event);
        fingers.set(event.pointerId, x);
        canvas.setPointerCapture(event.pointerId);
        began = fingers.size === 1 ? { x, y, from: this.from, to: this.to, moved: false } : null;
        pinch = fingers.size === 2 ? { ats: [...fingers.values()].map(x => this.at(x)) } : null;
      });
      canvas.addEventListener('pointermove', event => {
        const [x, y] = place(event);
        if (fingers.has(event.pointerId)) fingers.set(event.pointerId, x);
        if (pinch && fingers.size === 2) {
          const [a, b] = [...fingers.values()], [p, q] = pinch.ats;
          if (Math.abs(a - b) > 8) {
            const scale = (q - p) / (b - a);
            if (scale > 0) this.show(p - a * scale, p + (this.width - a) * scale);
          }
        } else if (began) {
          if (Math.abs(x - began.x) > 4) began.moved = true;
          const by = (began.x - x) / this.width * (began.to - began.from);
          if (began.moved) this.show(began.from + by, began.to + by);
        } else {
          this.cursor = this.at(x);
          this.later();
        }
      });
      const up = event => {
        if (began && !began.moved && event.type === 'pointerup') this.press(...place(event));
        fingers.delete(event.pointerId);
        began = pinch = null;
      };
      canvas.addEventListener('pointerup', up);
      canvas.addEventListener('pointercancel', up);
      canvas.addEventListener('pointerleave', event => {
        if (event.pointerType === 'mouse' && this.line === null) { this.cursor = null; this.later(); }
      });
      canvas.addEventListener('dblclick', event => this.zoom(0.25, this.at(place(event)[0])));
      canvas.addEventListener('keydown', event => {
        const act = { ArrowLeft: () => this.pan(-0.2), ArrowRight: () => this.pan(0.2), '+': () => this.zoom(0.5), '=': () => this.zoom(0.5), '-': () => this.zoom(2),
          0: () => this.show(0, this.end), Home: () => this.show(0, this.to - this.from), End: () => this.show(this.end - (this.to - this.from), this.end) }[event.key];
        if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
      });
    }

    press(x, y) {
      this.cursor = this.at(x);
      this.line = null;
      const lane = this.lanes.find(it => it.name === 'console');
      if (lane && y >= lane.top - CAPTION && y <= lane.top + lane.height + GAP) {
        let best = null, reach = 14;
        for (let n = above(this.consoleAt, this.at(x - reach)); n < this.console.length; n++) {
          const away = Math.abs(this.x(this.consoleAt[n]) - x);
          if (this.x(this.consoleAt[n]) > x + 14) break;
          if (away < reach) [best, reach] = [n, away];
        }
        if (best !== null) { this.line = best; this.cursor = this.consoleAt[best]; this.chosen(best); }
      }
      this.later();
    }

    // Drawing.

    draw() {
      const began = performance.now(), style = getComputedStyle(document.documentElement);
      const ink = {};
      for (const name of ['paper', 'panel', 'ink', 'soft', 'rule', 'accent', 'failed', 'failed-wash', 'error', 'undecided', 'passed', 'supply', 'supply-wash', 'line', 'erase', 'program', 'fault', 'fault-wash', 'unseen', 'halo'])
        ink[name] = style.getPropertyValue(`--${name}`).trim();
      this.ink = ink;
      const g = this.g = this.canvas.getContext('2d');
      g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      g.clearRect(0, 0, this.width, this.height);
      g.font = `11.5px ${style.getPropertyValue('font-family') || 'sans-serif'}`;
      g.font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
      g.textBaseline = 'middle';
      this.drawFaultBands();
      this.drawAxis();
      for (const lane of this.lanes) {
        this.text(lane.caption, 0, lane.top - CAPTION / 2 + 1, ink.soft);
        this[`draw_${lane.name}`](lane);
      }
      this.drawMarks();
      this.label.textContent = this.to - this.from > this.end ? `all of ${span(this.end)}` : `${span(this.to - this.from)} of ${span(this.end)}`;
      this.tell();
      this.took = performance.now() - began;
      this.canvas.dataset.view = `${Math.round(this.from)} ${Math.round(this.to)}`;
    }

    text(words, x, y, colour, room = Infinity, align = 'left') {
      const g = this.g;
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

    drawAxis() {
      const g = this.g, length = this.to - this.from;
      const least = length / Math.max(2, this.width / 86), decade = 10 ** Math.floor(Math.log10(least));
      const step = [1, 2, 5, 10].map(n => n * decade).find(n => n >= least);
      const digits = Math.max(0, -Math.floor(Math.log10(step / 1e9) + 1e-9));
      for (let n = Math.max(0, Math.ceil(this.from / step)); n * step <= this.to; n++) {
        const x = this.x(n * step);
        g.fillStyle = this.ink.rule;
        g.fillRect(Math.round(x), AXIS - 2, 1, this.height - AXIS);
        const words = step < 1e5 && n ? `${(n * step / 1e6).toFixed(Math.max(0, digits - 3))} ms` : `${(n * step / 1e9).toFixed(Math.min(digits, 9))} s`;
        const wide = this.g.measureText(words).width;
        this.text(words, Math.min(Math.max(x - wide / 2, 0), this.width - wide), 9, this.ink.soft);
      }
    }

    drawFaultBands() {
      const g = this.g;
      for (const fault of this.trial.faults) {
        if (!fault.achieved) continue;
        const from = this.x(fault.achieved.began_ns), to = this.x(fault.achieved.began_ns + fault.achieved.below_brown_out_ns);
        g.fillStyle = this.ink['fault-wash'];
        g.fillRect(from, FLAGS, Math.max(to - from, 3), this.height - FLAGS);
      }
    }

    draw_steps({ top, height }) {
      const g = this.g;
      for (const step of this.trial.steps) {
        if (step.start_ns === null) continue;
        const from = this.x(step.start_ns), to = this.x(step.end_ns);
        if (to < -2 || from > this.width + 2) continue;
        const left = Math.max(from, 0), right = Math.min(Math.max(to, from + 2), this.width), bad = step.verdict !== 'passed';
        g.fillStyle = bad ? this.ink['failed-wash'] : this.ink.panel;
        g.fillRect(left, top, right - left, height);
        g.fillStyle = bad ? this.ink.failed : this.ink.soft;
        g.fillRect(left, top, bad ? 3 : 1.5, height);
        if (bad) g.fillRect(left, top + height - 2, right - left, 2);
        this.text(`${step.index}  ${step.text}`, left + 6, top + height / 2, bad ? this.ink.failed : this.ink.ink, right - left - 9);
      }
    }

    draw_rail({ top, height }) {
      const g = this.g, { at, values } = this.rail, y = value => top + height - value / this.most * height;
      g.strokeStyle = this.ink.rule;
      g.lineWidth = 1;
      g.beginPath();
      for (let volts = 0; volts * 1000 <= this.most; volts++) { g.moveTo(0, Math.round(y(volts * 1000)) + 0.5); g.lineTo(this.width, Math.round(y(volts * 1000)) + 0.5); }
      g.stroke();
      const first = Math.max(0, above(at, this.from) - 1), last = Math.min(at.length, above(at, this.to) + 1);
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
        const x = this.x(at[n]), pixel = Math.round(x * 2) / 2;
        if (!begun) { path.moveTo(x, y(values[n])); begun = true; }
        if (pixel !== column) { flush(); column = pixel; enter = low = high = values[n]; }
        value = values[n];
        if (value < low) low = value;
        if (value > high) high = value;
      }
      flush();
      if (last === at.length && this.rail.from === 'station' && column !== null) path.lineTo(Math.max(column, this.x(this.end)), y(value));
      g.strokeStyle = this.ink.supply;
      g.lineWidth = 1.6;
      g.lineJoin = 'round';
      g.stroke(path);
      for (let volts = 1; volts * 1000 <= this.most; volts++) this.text(`${volts} V`, 2, y(volts * 1000) + 7, this.ink.soft);
    }

    draw_levels({ top }) {
      const g = this.g;
      this.levels.forEach((line, row) => {
        const high = top + row * 19 + 3, low = high + 11;
        g.strokeStyle = this.ink.line;
        g.lineWidth = 1.4;
        g.beginPath();
        if (line.pulled) {
          g.moveTo(0, high);
          for (const [from, to] of line.spans) {
            const left = this.x(from), right = Math.max(this.x(to), left + 1.5);
            if (right < 0 || left > this.width) continue;
            g.lineTo(left, high); g.lineTo(left, low); g.lineTo(right, low); g.lineTo(right, high);
          }
          g.lineTo(this.width, high);
        } else {
          let up = line.edges.length ? !line.edges[0][1] : false;
          g.moveTo(0, up ? high : low);
          for (const [at, rises] of line.edges) {
            const x = this.x(at);
            if (x > this.width) break;
            if (x >= 0) { g.lineTo(x, up ? high : low); g.lineTo(x, rises ? high : low); } else g.moveTo(0, rises ? high : low);
            up = rises;
          }
          g.lineTo(this.width, up ? high : low);
        }
        g.stroke();
        const wide = g.measureText(line.name).width + 6;
        g.fillStyle = this.ink.halo;
        g.globalAlpha = 0.8;
        g.fillRect(0, high - 2, wide, 15);
        g.globalAlpha = 1;
        this.text(line.name, 2, high + 6, this.ink.ink);
      });
    }

    draw_light({ top, light }) {
      const g = this.g, height = 30, { ends, colours, palette, order } = light;
      g.fillStyle = this.ink.unseen;
      g.fillRect(0, top, this.width, height);
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
      const scale = this.width / (this.to - this.from);
      for (let n = above(ends, this.from), before = n ? ends[n - 1] : 0; n < ends.length && before < this.to; before = ends[n], n++) {
        let from = Math.max((before - this.from) * scale, 0);
        const to = Math.min((ends[n] - this.from) * scale, this.width);
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
        const from = Math.max(this.x(at), 0), to = Math.min(this.x(n + 1 < light.words.length ? light.words[n + 1][0] : this.end), this.width);
        if (to <= from) return;
        g.fillStyle = this.ink.soft;
        if (this.x(at) >= 0) g.fillRect(from, top + height, 1, 18);
        this.text(words, from + 4, top + height + 10, this.ink.ink, to - from - 7);
      });
    }

    draw_flash({ top, height }) {
      const g = this.g;
      g.fillStyle = this.ink.rule;
      g.fillRect(0, top + height, this.width, 1);
      let last = [-1, -1, -1];
      for (const { at, takes, kind, ppm } of this.flash) {
        if (at > this.to) break;
        if (at + takes < this.from) continue;
        const from = this.x(at), to = Math.max(this.x(at + takes), from + 1), cut = ppm < 1e6;
        // The next one within the same pixel adds nothing to be seen.
        if (!cut && to <= last[kind]) continue;
        last[kind] = Math.max(last[kind], Math.ceil(to * 2) / 2);
        const tall = kind ? height : height * 0.55;
        g.fillStyle = kind ? this.ink.erase : this.ink.program;
        g.fillRect(from, top + height - tall, to - from, tall);
        if (cut) {
          g.fillStyle = this.ink.failed;
          g.fillRect(to - 1, top - 3, 2.5, height + 3);
          this.text('✂', to - 5, top - 7, this.ink.failed);
        } else if (to - from > 46) this.text(kind ? 'erase' : 'program', from + 4, top + height - tall / 2, this.ink.paper, to - from - 6);
      }
    }

    draw_console({ top, height }) {
      const g = this.g, bottom = top + 14, rows = [-1, -1];
      const first = above(this.consoleAt, this.at(-400)), colours = [this.ink.soft, this.ink.soft, this.ink.error, this.ink.failed];
      const tall = [5, 7, 11, 14];
      g.fillStyle = this.ink.rule;
      g.fillRect(0, bottom, this.width, 1);
      const seen = [];
      for (let n = first; n < this.console.length && this.consoleAt[n] <= this.to; n++) seen.push(n);
      let pixel = -1, worst = -1;
      for (const n of seen) {
        const x = this.x(this.consoleAt[n]), bad = this.console[n][1], here = Math.floor(x);
        if (here === pixel && bad <= worst) continue;
        worst = here === pixel ? Math.max(worst, bad) : bad;
        pixel = here;
        g.fillStyle = colours[bad];
        g.fillRect(x - 0.75, bottom - tall[bad], bad > 1 ? 2 : 1.5, tall[bad]);
      }
      // Words where there is room for them: complaints first.
      const taken = [[], []];
      const place = (n, must) => {
        const x = this.x(this.consoleAt[n]);
        if (x < -2) return;
        const next = n + 1 < this.console.length ? this.x(this.consoleAt[n + 1]) - x : this.width;
        const wanted = Math.min(must ? 260 : Math.max(next * 2 - 8, 90), this.width - x - 2);
        if (wanted < 60) return;
        for (const row of [0, 1]) {
          if (taken[row].some(([from, to]) => x < to && x + wanted > from)) continue;
          const y = bottom + 10 + row * 17;
          const wide = this.text(this.console[n][2], x + 2, y, colours[this.console[n][1]], wanted);
          if (wide) taken[row].push([x, x + wide + 14]);
          return;
        }
      };
      if (seen.length < 400) {
        if (this.line !== null) place(this.line, true);
        for (const bad of [3, 2, 1, 0]) for (const n of seen) if (this.console[n][1] === bad && n !== this.line) place(n, bad > 1);
      }
    }

    draw_events({ top, height }) {
      const g = this.g;
      let free = -1;
      this.data.events.forEach(([at, kind, words], n, all) => {
        const x = this.x(at), next = n + 1 < all.length ? this.x(all[n + 1][0]) : this.width;
        if (x < -300 || x > this.width) return;
        g.fillStyle = kind === 'instrument' ? this.ink.failed : this.ink.accent;
        g.beginPath();
        g.arc(x, top + height / 2, 3.2, 0, 7);
        g.fill();
        if (x > free) free = x + 8 + this.text(words, x + 6, top + height / 2, this.ink.ink, Math.min(240, next - x - 10, this.width - x - 8));
      });
    }

    /** The fault, the verdict, and where the mouse is: over everything. */
    drawMarks() {
      const g = this.g;
      const flag = (at, words, colour, dashed, row) => {
        const x = this.x(at);
        if (x < -1 || x > this.width + 1) return;
        g.strokeStyle = colour;
        g.lineWidth = dashed ? 1 : 1.8;
        g.setLineDash(dashed ? [3, 3] : []);
        g.beginPath();
        g.moveTo(x, FLAGS);
        g.lineTo(x, this.height);
        g.stroke();
        g.setLineDash([]);
        if (!words) return;
        const wide = g.measureText(words).width + 12, left = Math.min(Math.max(x - (x > this.width / 2 ? wide : 0), 0), this.width - wide);
        g.fillStyle = colour;
        g.fillRect(left, row, wide, 16);
        this.text(words, left + 6, row + 8.5, this.ink.halo);
      };
      for (const fault of this.trial.faults) {
        const name = FAULTS[fault.kind] || fault.kind, asked = fault.asked && fault.asked.at_ns;
        if (fault.achieved) {
          flag(fault.achieved.began_ns, `${name}: ${voltage(fault.achieved.lowest_uv / 1000)}`, this.ink.fault, false, FLAGS);
          if (typeof asked === 'number' && Math.abs(this.x(asked) - this.x(fault.achieved.began_ns)) > 2) flag(asked, 'asked', this.ink.fault, true, FLAGS + 17);
        } else if (typeof asked === 'number') flag(asked, `${name}: did not happen`, this.ink.fault, true, FLAGS);
      }
      const tone = { passed: 'passed', failed: 'failed', error: 'error' }[this.trial.verdict] || 'undecided';
      if (this.verdict !== null) flag(this.verdict, this.trial.verdict, this.ink[tone], false, FLAGS);
      if (this.cursor !== null) {
        const x = this.x(this.cursor);
        g.fillStyle = this.ink.accent;
        g.fillRect(x - 0.5, 16, 1, this.height);
        const words = instant(this.cursor), wide = g.measureText(words).width + 8, left = Math.min(Math.max(x - wide / 2, 0), this.width - wide);
        g.fillRect(left, 1, wide, 16);
        this.text(words, left + 4, 9.5, this.ink.halo);
      }
    }

    /** What there is where the mouse is, in words. */
    tell() {
      const at = this.cursor;
      if (at === null) {
        const hint = matchMedia('(pointer: coarse)').matches ? 'Touch to ask what was there; drag, and pinch to zoom.' : 'Point to ask what was there; wheel to zoom, drag to move, keys + − ← → 0.';
        this.readout.replaceChildren(hint);
        return;
      }
      const parts = [make('b', {}, instant(at))];
      const say = words => parts.push(' · ', words);
      const step = this.trial.steps.find(it => it.start_ns !== null && it.start_ns <= at && at <= it.end_ns);
      if (step) say(`step ${step.index}`);
      if (this.rail) {
        const n = above(this.rail.at, at);
        if (n) say(voltage(n < this.rail.at.length && this.rail.from === 'world' ? this.rail.values[n - 1] + (this.rail.values[n] - this.rail.values[n - 1]) * (at - this.rail.at[n - 1]) / Math.max(1, this.rail.at[n] - this.rail.at[n - 1]) : this.rail.values[n - 1]));
      }
      for (const light of this.lights) {
        const word = light.words.findLast(([from]) => from <= at);
        if (word) say(word[1]);
      }
      for (const line of this.levels) if (line.pulled && line.spans.some(([from, to]) => from <= at && at <= to)) say(`${line.name} pulled`);
      const near = (this.to - this.from) / this.width * 2;
      const work = this.flash.find(it => it.at - near <= at && at <= it.at + it.takes + near);
      if (work) say(`flash ${FLASH[work.kind]}${work.address === null ? '' : ` at ${hex(work.address)}`}, ${span(work.takes)}${work.ppm < 1e6 ? `, cut at ${trimmed(work.ppm / 1e4, 1)} %` : ''}`);
      const said = this.line !== null ? this.line : above(this.consoleAt, at) - 1;
      if (said >= 0) say(`“${this.console[said][2].slice(0, 120)}”`);
      this.readout.replaceChildren(...parts);
    }
  }

  const trialEnd = trial => trial.steps.reduce((end, step) => Math.max(end, step.end_ns || 0), 0) || null;
  const struckAt = fault => fault.achieved ? fault.achieved.began_ns : (fault.asked && typeof fault.asked.at_ns === 'number' ? fault.asked.at_ns : null);

  // ---- One trial ---------------------------------------------------------------------------------------------------------------

  const WORDS = { passed: 'passed', failed: 'failed', error: 'error', inconclusive: 'undecided',
    survived: 'survived', 'locked out': 'locked out', misbehaved: 'misbehaved', silent: 'silent', discarded: 'discarded', invalid: 'invalid' };
  const CLASSES = { passed: 'passed', survived: 'passed', failed: 'failed', 'locked out': 'failed', misbehaved: 'failed', silent: 'failed', error: 'error', invalid: 'error' };
  const classOf = verdict => CLASSES[verdict] || 'undecided';

  function command(words) {
    const code = make('code', {}, words);
    const copied = async event => {
      const button = event.currentTarget;
      try {
        await navigator.clipboard.writeText(words);
      } catch {
        // Without the clipboard's permission the old way still works.
        const range = document.createRange();
        range.selectNodeContents(code);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.execCommand('copy');
      }
      button.textContent = 'Copied';
    };
    return make('div', { className: 'command' }, code, make('button', { type: 'button', className: 'copy', textContent: 'Copy', on: { click: copied } }));
  }

  function verdictOf(trial) {
    const box = make('div', { className: 'verdict' });
    const passed = trial.verdict === 'passed';
    const whose = passed ? (trial.expected === 'bricked' ? 'It bricked, as the scenario expects.' : 'It survived, as the scenario expects.')
      : trial.blame ? `The ${trial.blame} is to blame.` : `It is ${WORDS[trial.verdict] || trial.verdict}.`;
    box.append(make('p', { className: 'whose' }, whose));
    if (trial.reason) box.append(make('p', {}, trial.reason));
    const aside = trial.quarantine;
    if (aside && trial.blame !== 'bench' && trial.blame !== 'scenario') box.append(make('p', {}, `Set aside until ${aside.until}: ${aside.reason}`));
    const step = trial.steps.find(it => it.verdict === 'failed' || it.verdict === 'error');
    if (step) box.append(make('p', { className: 'soft' }, `${trial.scenario.path}:${step.line}: step ${step.index}, ${step.text}`));
    return box;
  }

  function stepsOf(trial) {
    const list = make('ol', { className: 'steps' });
    for (const step of trial.steps) {
      const ran = step.start_ns !== null, bad = step.verdict === 'failed' || step.verdict === 'error';
      list.append(make('li', { className: bad ? 'bad' : ran ? '' : 'idle' },
        make('span', { className: 'no' }, bad ? '✗' : ran ? String(step.index) : '–'), make('span', {}, step.text),
        make('span', { className: 'took' }, ran ? step.end_ns === step.start_ns ? 'at once' : span(step.end_ns - step.start_ns) : 'not run')));
    }
    return list;
  }

  const ASKED = { floor_uv: ['down to', v => voltage(v / 1000)], fall_ns_per_v: ['falling', v => `${span(v)} per V`], hold_ns: ['for', v => v === null ? 'good' : span(v)], rise_ns_per_v: ['rising', v => `${span(v)} per V`],
    current_ua: ['load', v => `${trimmed(v / 1000, 2)} mA`], reaches_uv: ['until the rail is at', v => voltage(v / 1000)] };

  function faultsOf(trial) {
    const table = make('table', { className: 'facts-table' });
    const row = (name, ...what) => table.append(make('tr', {}, make('th', {}, name), make('td', {}, ...what)));
    for (const fault of trial.faults) {
      const asked = Object.entries(ASKED).filter(([key]) => fault.asked && fault.asked[key] !== undefined && fault.asked[key] !== null).map(([key, [word, show]]) => `${word} ${show(fault.asked[key])}`);
      const when = fault.asked && typeof fault.asked.at_ns === 'number' ? `at ${instant(fault.asked.at_ns)}, ` : '';
      row(`${FAULTS[fault.kind] || fault.kind}, asked`, `${when}${asked.join(', ')}`);
      const did = fault.achieved;
      row('achieved', did ? `at ${instant(did.began_ns)}${did.uncertainty_ns ? ` (within ${span(did.uncertainty_ns)})` : ''}, down to ${voltage(did.lowest_uv / 1000)}, ${span(did.below_brown_out_ns)} below brown-out` : 'it did not happen');
      if (fault.beyond_tolerance_ns) row('', `outside its tolerance: up to ${span(fault.beyond_tolerance_ns)} off`);
    }
    for (const measured of trial.measurements) row(measured.name, `${measured.unit === 'uV' ? voltage(measured.value / 1000) : span(measured.value)}${measured.within_limits ? '' : ', out of its limits'}`);
    row('firmware', `${trial.firmware.name}, SHA-256 ${trial.firmware.sha256.slice(0, 12)}…`);
    row('board', `${trial.board}${trial.board_serial ? `, serial ${trial.board_serial}` : ''}, at station ${trial.station}`);
    row('seed', String(trial.seed));
    return table;
  }

  function evidenceOf(trial) {
    const table = make('table', { className: 'facts-table' });
    for (const line of trial.evidence) {
      const meaning = line.explained.map(it => it.text).join('; ');
      table.append(make('tr', {}, make('th', {}, instant(line.at_ns)), make('td', {}, `${line.kind}: ${line.text}`, meaning ? make('span', { className: 'soft' }, ` (${meaning})`) : null)));
    }
    for (const words of trial.light) table.append(make('tr', {}, make('th', {}, 'light'), make('td', {}, words)));
    return table.rows.length ? table : null;
  }

  function consoleOf(picture, scope) {
    const box = make('div', { className: 'lines', role: 'group', ariaLabel: 'Console' });
    picture.console.forEach(([at, bad, words, meaning], number) => {
      box.append(make('button', { type: 'button', className: `b${bad}`, 'data-line': number, on: { click: () => choose(number, true) } },
        make('span', { className: 'at' }, instant(at).slice(0, -2)), make('span', { className: 'what' }, words || ' ', meaning ? make('span', { className: 'means' }, `  ${meaning}`) : null)));
    });
    if (picture.console_left_out) box.append(make('p', { className: 'note' }, `${picture.console_left_out} more lines are in the trial's files`));
    let on = null;
    function choose(number, seek) {
      if (on !== null) box.children[on].classList.remove('on');
      on = number;
      const row = box.children[number];
      row.classList.add('on');
      if (seek) scope().seek(number);
      // Within its box only: the page stays where it is.
      else box.scrollTop = row.offsetTop - box.offsetTop - box.clientHeight / 2;
    }
    return { box, choose };
  }

  async function fill(body, row, number) {
    if (table.kind === 'campaign') return fillShot(body, row);
    const parts = [];
    if (row.h === 0) {
      parts.push(make('p', {}, row.r), missing(row));
    } else {
      const { trial, picture, trouble } = await unpack(`trial-${number}`);
      parts.push(verdictOf(trial));
      const host = make('div', { className: 'scope' });
      let scope = null, lines = null;
      if (picture) {
        parts.push(host);
        lines = picture.console.length ? consoleOf(picture, () => scope) : null;
      } else parts.push(trouble ? make('p', { className: 'note' }, `No picture: ${trouble}.`) : missing(row));
      const left = make('div', {}, make('h3', {}, 'Steps'), stepsOf(trial), make('h3', {}, trial.faults.length ? 'Fault, as asked and as achieved' : 'What ran'), faultsOf(trial));
      const right = make('div', {});
      const evidence = evidenceOf(trial);
      if (evidence) right.append(make('h3', {}, 'What supports the verdict'), evidence);
      if (lines) right.append(make('h3', {}, 'Console (choose a line to find it above)'), lines.box);
      parts.push(make('div', { className: 'columns' }, left, right));
      parts.push(make('h3', {}, 'Run it again'), command(row.c));
      parts.push(make('p', { className: 'files' }, 'files: ', make('a', { href: `${row.o}/timeline.jsonl` }, 'timeline.jsonl'), ' · ', make('a', { href: `${row.o}/console.raw` }, 'console.raw')));
      body.replaceChildren(...parts);
      if (picture) {
        scope = new Scope(host, picture, trial, number => lines.choose(number, false));
        scopes.add(scope);
        host.scope = scope;
      }
      return;
    }
    parts.push(make('h3', {}, 'Run it again'), command(row.c));
    body.replaceChildren(...parts);
  }

  const missing = row => make('div', { className: 'note' }, 'There was no room for its picture in this page. This draws it:', command(`brickproof report ${folder()} --trial ${row.i}`));
  function folder() {
    const path = decodeURIComponent(location.pathname);
    return location.protocol === 'file:' ? `'${path.slice(0, path.lastIndexOf('/')).replaceAll("'", "'\\''")}'` : 'DIR';
  }

  function fillShot(body, row) {
    const facts = make('table', { className: 'facts-table' });
    const say = (name, what) => facts.append(make('tr', {}, make('th', {}, name), make('td', {}, what)));
    say('trial', row.i);
    table.axes.forEach((axis, n) => row.p[n] !== null && say(axis, row.p[n]));
    say('the fault struck', row.d === null ? 'not' : `${span(row.d)} after its trigger`);
    const set = table.axes.slice(0, table.knobs).map((knob, n) => row.p[n] === null ? '' : ` --set ${knob}=${row.p[n]}`).join('');
    if (row.e) say('known from', 'the first second of its board, which was that of a trial that was made to its end');
    body.replaceChildren(facts, make('h3', {}, 'Run it again'), command(`brickproof replay ${row.i}${set}`));
  }

  // ---- The list ----------------------------------------------------------------------------------------------------------------

  const AT_ONCE = 100, OPENED = 5, MOST_CHOICES = 60;
  const scopes = new Set();
  let table = null;

  function rowOf(row, number, open) {
    const body = make('div', { className: 'body' });
    const name = make('span', { className: 'name' });
    const values = table.axes.map((axis, n) => row.p[n]).filter(value => value !== null);
    if (table.kind === 'run') {
      const stem = row.s.split('/').pop().replace(/\.ya?ml$/, '');
      const firmware = values.some(value => row.f.endsWith(value)) ? [] : [row.f];
      name.append(make('b', {}, stem), ' ', make('span', { className: 'values' }, [...values, ...firmware].join(' · ') + (row.a > 1 ? ` · attempt ${row.a}` : '')));
    } else {
      name.append(make('b', {}, `trial ${row.n + 1}`), ' ', make('span', { className: 'values' }, table.axes.map((axis, n) => row.p[n] === null ? null : `${axis} ${row.p[n]}`).filter(Boolean).join(' · ')));
    }
    const why = table.kind === 'run' && row.r ? make('span', { className: 'why' }, (row.b ? `${row.b}: ` : '') + row.r) : null;
    const long = make('span', { className: 'long' }, table.kind === 'run' ? span(row.d) : row.d === null ? 'no fault' : `struck at ${span(row.d)}`);
    const word = (row.x ? 'bricked' : WORDS[row.v] || row.v) + (row.q ? ', set aside' : '');
    const details = make('details', { className: `trial ${classOf(row.v)}`, 'data-number': number }, make('summary', {}, make('span', { className: 'word', title: row.x ? 'bricked, as its scenario expects: passed' : row.v }, word), name, long, why), body);
    let filled = false;
    const look = () => {
      if (!details.open || filled) return;
      filled = true;
      fill(body, row, number).catch?.(error => body.replaceChildren(make('p', { className: 'note' }, `It cannot be shown: ${error}`)));
    };
    details.addEventListener('toggle', look);
    if (open) { details.open = true; look(); }
    return details;
  }

  function listing() {
    const list = find('#list'), filters = find('#filters');
    const verdicts = [...new Set(table.rows.map(row => row.v))];
    const wanted = { text: '', off: new Set(), axes: new Map(), path: null };
    const texts = [];
    const textOf = number => texts[number] ??= Object.values(table.rows[number]).flat().join(' ').toLowerCase();
    let shown = [], drawn = 0;
    const more = make('p', { className: 'note' });
    const shownWords = make('span', { className: 'shown', role: 'status' });
    const next = () => {
      const fragment = document.createDocumentFragment();
      const first = drawn === 0;
      for (const number of shown.slice(drawn, drawn + AT_ONCE)) {
        const row = table.rows[number];
        fragment.append(rowOf(row, number, (first && drawn < OPENED && classOf(row.v) === 'failed' && !row.q && table.kind === 'run') || shown.length === 1));
        drawn++;
      }
      more.before(fragment);
      more.textContent = drawn < shown.length ? `${shown.length - drawn} more trials follow` : '';
    };
    const apply = () => {
      const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
      shown = [];
      table.rows.forEach((row, number) => {
        if (wanted.off.has(row.v)) return;
        if (wanted.path && row.s !== wanted.path) return;
        for (const [axis, value] of wanted.axes) if (row.p[axis] !== value) return;
        if (words.length) { const text = textOf(number); if (!words.every(word => text.includes(word))) return; }
        shown.push(number);
      });
      drawn = 0;
      scopes.clear();
      list.replaceChildren(more);
      shownWords.textContent = shown.length === table.rows.length ? `${shown.length} trials` : `${shown.length} of ${table.rows.length} trials`;
      next();
    };
    new IntersectionObserver(seen => { if (seen.some(it => it.isIntersecting) && drawn < shown.length) next(); }, { rootMargin: '600px' }).observe(more);

    const selects = new Map();
    if (table.rows.length > 1) {
      filters.append(make('input', { type: 'search', placeholder: 'Filter: firmware, reason, id …', ariaLabel: 'Filter trials by text', on: { input: event => { wanted.text = event.target.value; apply(); } } }));
      for (const verdict of verdicts) {
        const count = table.rows.filter(row => row.v === verdict).length;
        filters.append(make('button', { type: 'button', className: 'pick', ariaPressed: 'true', 'data-verdict': verdict, on: { click: event => {
          const off = !wanted.off.delete(verdict);
          if (off) wanted.off.add(verdict);
          event.currentTarget.setAttribute('aria-pressed', String(!off));
          apply();
        } } }, make('i', { className: `mark ${classOf(verdict)}` }), `${count} ${WORDS[verdict] || verdict}`));
      }
      table.axes.forEach((axis, n) => {
        const values = [...new Set(table.rows.map(row => row.p[n]))].filter(value => value !== null);
        if (values.length < 2 || values.length > MOST_CHOICES) return;
        const select = make('select', { ariaLabel: axis, 'data-axis': axis, on: { change: event => {
          if (event.target.value) wanted.axes.set(n, event.target.value); else wanted.axes.delete(n);
          wanted.path = null;
          apply();
        } } }, make('option', { value: '' }, `${axis}: all`), ...values.map(value => make('option', { value }, `${axis}: ${value}`)));
        selects.set(axis, select);
        filters.append(select);
      });
      filters.append(shownWords);
    }
    // A square of a matrix shows its trials.
    for (const cell of document.querySelectorAll('.grid button.cell')) cell.addEventListener('click', () => {
      const { path, across, column, down, row } = cell.dataset;
      wanted.path = path;
      for (const [axis, select] of selects) if (axis !== across && axis !== down) { select.value = ''; wanted.axes.delete(table.axes.indexOf(axis)); }
      for (const [axis, value] of [[across, column], [down, row]]) {
        wanted.axes.set(table.axes.indexOf(axis), value);
        if (selects.has(axis)) selects.get(axis).value = value;
      }
      apply();
      find('.trials').scrollIntoView();
    });
    apply();
  }

  async function start() {
    table = await unpack('table');
    listing();
    find('#static').remove();
    const again = () => { for (const scope of scopes) scope.resize(); };
    // On paper everything is dark on light, and as wide as the paper.
    const paper = on => { if (on) document.documentElement.dataset.print = ''; else delete document.documentElement.dataset.print; again(); };
    addEventListener('beforeprint', () => paper(true));
    addEventListener('afterprint', () => paper(false));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  }
  start();
})();
