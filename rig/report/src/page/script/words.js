// What things are called.
const { FLASH, FAULTS, WORDS, classOf } = (() => {
  const FLASH = ['programs a word', 'erases a page', 'erases everything'];
  const FAULTS = { brown_out: 'brown-out', power_cut: 'power cut', load_step: 'load step' };
  const WORDS = { passed: 'passed', failed: 'failed', error: 'error', inconclusive: 'undecided',
    survived: 'survived', 'locked out': 'locked out', misbehaved: 'misbehaved', silent: 'silent', discarded: 'discarded', invalid: 'invalid' };
  const CLASSES = { passed: 'passed', survived: 'passed', failed: 'failed', 'locked out': 'failed', misbehaved: 'failed', silent: 'failed', error: 'error', invalid: 'error' };
  const classOf = verdict => CLASSES[verdict] || 'undecided';

  return { FLASH, FAULTS, WORDS, classOf };
})();
