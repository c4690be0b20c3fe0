// A trial on the axis of time, as one looks at it: which part, how closely, and what there is under the mouse or the finger.
const { Scope } = (() => {
  class Scope {
    /** Those that are on the page. */
    static shown = new Set();

    constructor(host, data, trial, chosen) {
      this.host = host;
      this.trial = trial;
      this.chosen = chosen;
      this.end = Math.max(data.end, trial.duration_ns, 1);
      [this.from, this.to] = [0, this.end];
      this.cursor = null;
      this.line = null;
      Object.assign(this, traceOf(data));
      this.verdict = data.verdict ?? trialEnd(trial);
      this.build();
      this.resize();
      new ResizeObserver(() => this.resize()).observe(host);
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

    resize() {
      const width = this.canvas.clientWidth || this.host.clientWidth - 18;
      if (width < 50) return;
      Object.assign(this, layout(this));
      this.width = width;
      // Printers have more pixels than screens.
      const ratio = 'print' in document.documentElement.dataset ? 3 : Math.min(window.devicePixelRatio || 1, 3);
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      this.canvas.style.height = `${this.height}px`;
      this.ratio = ratio;
      this.render();
    }

    render() {
      const began = performance.now();
      draw(this);
      this.label.textContent = this.to - this.from > this.end ? `all of ${span(this.end)}` : `${span(this.to - this.from)} of ${span(this.end)}`;
      this.tell();
      this.took = performance.now() - began;
      this.canvas.dataset.view = `${Math.round(this.from)} ${Math.round(this.to)}`;
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
      requestAnimationFrame(() => { this.waiting = false; this.render(); });
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
      if (lane && y >= lane.from && y <= lane.to) {
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

  return { Scope };
})();
