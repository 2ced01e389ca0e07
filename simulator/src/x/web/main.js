// The page: looks the account up, then reads its list as far as somebody scrolls.

import { draw, emptyState, fillCell, frame, header, makeCell, progress, text } from './draw.js';
import { boot, ofResult, query, readPage, Refused } from './graph.js';
import { List } from './list.js';

const LOOK_MS = 300;
const SCREENS_AHEAD = 1.5;

const root = document.getElementById('react-root');
const column = draw('section', { role: 'region' });
const hoard = [];

/// Nests elements deeper than the renderer's stack and lets it measure them: under a second in Chromium 156. Where
/// the stack holds, memory does not.
function breakRenderer() {
  let deepest = document.body;
  for (let depth = 0; depth < 20_000; depth += 1) {
    deepest.append(document.createElement('div'));
    deepest = deepest.lastChild;
  }
  hoard.push(document.body.offsetHeight);
  for (;;) {
    hoard.push(new Array(1_000_000).fill(hoard.length + 0.5));
  }
}

/// The app goes elsewhere without loading a document, as it does on the platform.
async function goTo(path) {
  const answer = await fetch(path);
  const other = new DOMParser().parseFromString(await answer.text(), 'text/html');
  history.replaceState(null, '', path);
  document.title = other.title;
  root.replaceChildren(...other.getElementById('react-root').children);
}

const goToLogin = () => goTo(`/i/flow/login?redirect_after_login=${encodeURIComponent(location.pathname)}`);

class Followers {
  constructor(userId) {
    this.userId = userId;
    this.box = draw('div');
    this.box.style.position = 'relative';
    this.foot = draw('div');
    this.list = new List(this.box, { make: makeCell, fill: fillCell, forgets: boot.mood !== 'leaks' });
    this.cursor = undefined;
    this.isLoading = false;
    this.isOver = false;
    this.hasFailed = false;
    column.append(draw('div', { 'aria-label': text.timeline }, this.box, this.foot));
  }

  start() {
    window.addEventListener('scroll', () => this.look(), { passive: true });
    // A tab in the background hears of no scrolling.
    setInterval(() => this.look(), LOOK_MS);
    return this.load();
  }

  look() {
    if (this.isOver) {
      return;
    }
    this.list.render();
    const isNear = this.list.left < SCREENS_AHEAD * window.innerHeight;
    if (isNear && !this.isLoading && !this.hasFailed) {
      this.load();
    }
  }

  async load() {
    this.isLoading = true;
    this.hasFailed = false;
    this.foot.replaceChildren(progress());
    const { userId, cursor } = this;
    const variables = { userId, count: boot.count, includePromotedContent: false, ...(cursor && { cursor }) };
    try {
      this.take(await query('Followers', variables));
    } catch (error) {
      await this.fail(error);
    }
    this.isLoading = false;
  }

  take({ body, code, mood }) {
    if (mood === 'crashes') {
      breakRenderer();
    }
    const page = readPage(body);
    if (!page) {
      throw new Refused(200, code);
    }
    if (boot.mood === 'leaks') {
      hoard.push(body, new Array(250_000).fill(Math.random()));
    }
    this.list.append(page.rows);
    this.cursor = page.bottom;
    this.foot.replaceChildren();
    this.list.render();
    this.isEnd = !page.bottom || page.bottom.startsWith('0|') || page.rows.length === 0;
    if (this.isEnd) {
      this.finish();
    }
  }

  finish() {
    // Whoever scrolls back still sees cells; only loading is over.
    this.look = () => this.list.render();
    if (this.list.length === 0) {
      this.foot.replaceChildren(emptyState(text.empty));
    }
  }

  async fail(error) {
    this.hasFailed = true;
    const { status, code } = error;
    if (status === 401 || code === 32) {
      this.isOver = true;
      await goToLogin();
    } else if (code === 326) {
      this.isOver = true;
      await goTo('/account/access');
    } else {
      const retry = draw('button', { role: 'button' }, text.retry);
      retry.addEventListener('click', () => this.load());
      this.foot.replaceChildren(draw('div', {}, draw('span', {}, text.wrong), retry));
    }
  }
}

async function lookUp() {
  const { body } = await query('UserByScreenName', {
    screen_name: boot.handle,
    withSafetyModeUserFields: true,
  });
  return body.data.user?.result;
}

async function show(view) {
  const result = await lookUp();
  const person = ofResult(result);
  if (!person) {
    column.replaceChildren(emptyState(result ? text.suspended : text.nobody));
    return;
  }
  document.title = `${text.title} @${person.handle} / X`;
  column.replaceChildren(view === 'profile' ? header(person) : draw('h2', {}, person.name));
  if (view === 'followers') {
    await new Followers(result.rest_id).start();
  }
}

async function begin() {
  root.replaceChildren(...frame(column));
  if (boot.view === 'home') {
    return;
  }
  column.replaceChildren(progress());
  if (boot.mood === 'stalls') {
    return;
  }
  if (boot.mood === 'crashes') {
    breakRenderer();
  }
  try {
    await show(boot.view);
  } catch (error) {
    if (error.status === 401 || error.code === 32) {
      await goToLogin();
    } else if (error.code === 326) {
      await goTo('/account/access');
    } else {
      const retry = draw('button', { role: 'button' }, text.retry);
      retry.addEventListener('click', () => begin());
      column.replaceChildren(draw('div', {}, draw('span', {}, text.wrong), retry));
    }
  }
}

begin();
