// Elements of the page, and what it carries. Whatever comes from a board becomes text, never HTML.
const { find, make, unpack } = (() => {
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

  return { find, make, unpack };
})();
