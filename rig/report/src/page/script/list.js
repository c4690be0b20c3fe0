// The list of trials and its filter: by text, by what came of them, by axis, and by the squares of the matrices.
const { listing } = (() => {
  const AT_ONCE = 100, OPENED = 5, MOST_CHOICES = 60;

  function rowOf(table, row, number, open) {
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
      fill(table, body, row, number).catch?.(error => body.replaceChildren(make('p', { className: 'note' }, `It cannot be shown: ${error}`)));
    };
    details.addEventListener('toggle', look);
    if (open) { details.open = true; look(); }
    return details;
  }

  function listing(table) {
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
        fragment.append(rowOf(table, row, number, (first && drawn < OPENED && classOf(row.v) === 'failed' && !row.q && table.kind === 'run') || shown.length === 1));
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
      Scope.shown.clear();
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

  return { listing };
})();
