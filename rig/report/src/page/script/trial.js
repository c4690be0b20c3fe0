// One trial, opened: its verdict, its picture, its steps, what supports the verdict, and how to run it again.
const { fill } = (() => {
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

  async function fill(table, body, row, number) {
    if (table.kind === 'campaign') return fillShot(table, body, row);
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
      left.append(make('h3', {}, 'Run it again'), command(row.c));
      left.append(make('p', { className: 'files' }, 'files: ', make('a', { href: `${row.o}/timeline.jsonl` }, 'timeline.jsonl'), ' · ', make('a', { href: `${row.o}/console.raw` }, 'console.raw')));
      const right = make('div', {});
      const evidence = evidenceOf(trial);
      if (evidence) right.append(make('h3', {}, 'What supports the verdict'), evidence);
      if (lines) right.append(make('h3', {}, 'Console', make('span', { className: 'hint' }, ' (choose a line to find it above)')), lines.box);
      parts.push(make('div', { className: 'columns' }, left, right));
      body.replaceChildren(...parts);
      if (picture) {
        scope = new Scope(host, picture, trial, number => lines.choose(number, false));
        Scope.shown.add(scope);
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

  function fillShot(table, body, row) {
    const facts = make('table', { className: 'facts-table' });
    const say = (name, what) => facts.append(make('tr', {}, make('th', {}, name), make('td', {}, what)));
    say('trial', row.i);
    table.axes.forEach((axis, n) => row.p[n] !== null && say(axis, row.p[n]));
    say('the fault struck', row.d === null ? 'not' : `${span(row.d)} after its trigger`);
    const set = table.axes.slice(0, table.knobs).map((knob, n) => row.p[n] === null ? '' : ` --set ${knob}=${row.p[n]}`).join('');
    if (row.e) say('known from', 'the first second of its board, which was that of a trial that was made to its end');
    body.replaceChildren(facts, make('h3', {}, 'Run it again'), command(`brickproof replay ${row.i}${set}`));
  }

  return { fill };
})();
