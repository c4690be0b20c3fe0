// Quantities, as people read them.
const { trimmed, voltage, instant, span, hex } = (() => {
  const trimmed = (value, digits) => String(Number(value.toFixed(digits)));
  const voltage = millivolts => `${(millivolts / 1000).toFixed(2)} V`;
  const instant = nanos => `${(Math.floor(nanos / 1e6) / 1e3).toFixed(3)} s`;
  function span(nanos) {
    const size = Math.abs(nanos);
    if (size >= 60e9) return `${Math.floor(Math.round(size / 1e9) / 60)} min ${Math.round(size / 1e9) % 60} s`;
    if (size >= 1e9) return `${trimmed(nanos / 1e9, 2)} s`;
    if (size >= 1e6) return `${trimmed(nanos / 1e6, 2)} ms`;
    if (size >= 1e3) return `${trimmed(nanos / 1e3, 1)} µs`;
    return `${nanos} ns`;
  }
  const hex = address => `0x${address.toString(16)}`;

  return { trimmed, voltage, instant, span, hex };
})();
