// What happens when the page is opened, printed, or seen in another light.
(async () => {
  listing(await unpack('table'));
  find('#static').remove();
  const again = () => { for (const scope of Scope.shown) scope.resize(); };
  // On paper everything is dark on light, and as wide as the paper.
  const paper = on => { if (on) document.documentElement.dataset.print = ''; else delete document.documentElement.dataset.print; again(); };
  addEventListener('beforeprint', () => paper(true));
  addEventListener('afterprint', () => paper(false));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
