(() => {
  const page = document.scrollingElement || document.documentElement;
  // A page that is at its end already hears of no scrolling unless something moves.
  window.scrollTo(0, Math.max(0, page.scrollHeight - 2 * window.innerHeight));
  window.scrollTo(0, page.scrollHeight);
})()
