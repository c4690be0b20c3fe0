// What a person could not read of a campaign's picture, whose letters are to be no smaller than the argument says.
const seen = [...document.querySelectorAll('.drawing')].filter(it => it.clientWidth);
if (seen.length !== 1) return [`${seen.length} pictures are seen`];
const trouble = [], [drawing] = seen, svg = drawing.querySelector('svg'), edge = svg.getBoundingClientRect();
if (drawing.scrollWidth > drawing.clientWidth) trouble.push(`it is ${drawing.scrollWidth} wide in ${drawing.clientWidth}`);
const channels = colour => colour.match(/[\d.]+/g).slice(0, 3).map(it => Number(it) / 255);
const bright = colour => channels(colour).map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4).reduce((sum, it, n) => sum + it * [0.2126, 0.7152, 0.0722][n], 0);
const rects = [...svg.querySelectorAll('rect')].map(it => ({ box: it.getBoundingClientRect(), style: getComputedStyle(it) }));
const words = [...svg.querySelectorAll('text')].map(it => ({ it, box: it.getBoundingClientRect() }));
for (const [n, { it, box }] of words.entries()) {
  const size = parseFloat(getComputedStyle(it).fontSize) * it.getScreenCTM().a;
  if (size < arguments[0]) trouble.push(`"${it.textContent}" is ${size} points large`);
  if (box.left < edge.left || box.right > edge.right || box.bottom > edge.bottom) trouble.push(`"${it.textContent}" is cut off`);
  const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
  const under = rects.findLast(({ box, style }) => style.fillOpacity > 0.5 && box.left <= x && x <= box.right && box.top <= y && y <= box.bottom);
  const [dark, light] = [bright(getComputedStyle(it).fill), bright(under.style.fill)].sort((a, b) => a - b);
  if ((light + 0.05) / (dark + 0.05) < 4.5) trouble.push(`"${it.textContent}" is hardly to be seen`);
  // Lines may come close to each other.
  const lies = other => box.left < other.right && other.left < box.right && box.top + 3 < other.bottom && other.top + 3 < box.bottom;
  for (const other of words.slice(n + 1)) if (lies(other.box)) trouble.push(`"${it.textContent}" and "${other.it.textContent}" lie on each other`);
}
return words.length > 5 ? trouble : ['it says nothing']
