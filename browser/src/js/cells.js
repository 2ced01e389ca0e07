((step) => {
  const page = document.scrollingElement || document.documentElement;
  const text = (element) => (element ? element.textContent : null);
  const rows = [];
  for (const cell of document.querySelectorAll('[data-testid="UserCell"]')) {
    const button = cell.querySelector('[data-testid$="-follow"], [data-testid$="-unfollow"]');
    const links = [...cell.querySelectorAll('a[role="link"][href^="/"]')];
    const named = links.find((link) => text(link).startsWith('@'));
    const bios = [...cell.querySelectorAll('div[dir="auto"]')].filter(
      (one) => !one.closest('a') && !one.closest('button[data-testid]:not([data-testid="UserCell"])')
    );
    const shown = links.find((link) => link !== named && text(link).trim() !== '');
    rows.push({
      id: button ? button.getAttribute('data-testid').replace(/-(un)?follow$/, '') : null,
      handle: named ? text(named).trim().slice(1) : null,
      name: text(shown),
      bio: bios.length > 0 ? text(bios[bios.length - 1]) : null,
      verified: cell.querySelector('[data-testid="icon-verified"]') !== null,
      locked: cell.querySelector('[data-testid="icon-lock"]') !== null,
    });
  }
  const before = window.scrollY;
  window.scrollBy(0, step * window.innerHeight);
  return JSON.stringify({
    rows,
    moved: window.scrollY > before,
    left: page.scrollHeight - window.innerHeight - window.scrollY,
    waits: document.querySelectorAll('[role="progressbar"]').length,
    column: document.querySelectorAll('[data-testid="primaryColumn"]').length,
  });
})
