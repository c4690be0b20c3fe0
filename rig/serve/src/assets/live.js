// Brings the live part of the page up to date as news comes, and leaves alone what has not changed, so that lights keep their rhythm.
(() => {
    "use strict";
    const part = document.querySelector("[data-live]");
    if (!part || !window.EventSource) return;
    const root = document.documentElement;

    const sameTag = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName;

    const takeAttributes = (old, fresh) => {
        for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
        for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    };

    const become = (old, fresh) => {
        if (old.nodeType !== Node.ELEMENT_NODE) {
            if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
            return;
        }
        takeAttributes(old, fresh);
        const [olds, freshes] = [[...old.childNodes], [...fresh.childNodes]];
        freshes.forEach((child, place) => {
            const there = olds[place];
            if (!there) old.append(document.importNode(child, true));
            else if (sameTag(there, child)) become(there, child);
            else there.replaceWith(document.importNode(child, true));
        });
        olds.slice(freshes.length).forEach((child) => child.remove());
    };

    const source = new EventSource(part.dataset.live);
    source.addEventListener("now", (event) => {
        // Parsed apart from the page: nothing of it is carried out.
        const fresh = new DOMParser().parseFromString(JSON.parse(event.data), "text/html").querySelector("[data-live]");
        if (fresh) become(part, fresh);
    });
    source.addEventListener("open", () => root.classList.remove("is-offline"));
    source.addEventListener("error", () => {
        root.classList.add("is-offline");
        // Refused for good, or the server has too many to write to: load the page anew now and then.
        if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
    });
    window.addEventListener("pagehide", () => source.close());
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
})();
