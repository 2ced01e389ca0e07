// Elements with the marks a reader of the page looks for.

import { boot } from './graph.js';
import { words } from './words.js';

export const text = words[boot.language];
const isBare = boot.mood === 'bare';
const SVG = 'http://www.w3.org/2000/svg';

function adorn(element, marks) {
  for (const [name, value] of Object.entries(marks)) {
    const hides = isBare && (name === 'data-testid' || name === 'aria-label');
    if (!hides) {
      element.setAttribute(name, value);
    }
  }
  return element;
}

export function draw(tag, marks = {}, ...children) {
  const element = adorn(document.createElement(tag), marks);
  element.append(...children);
  return element;
}

const icon = (id, label) => adorn(document.createElementNS(SVG, 'svg'), { 'data-testid': id, 'aria-label': label });

const link = (handle, marks, ...children) =>
  draw('a', { href: `/${handle}`, role: 'link', ...marks }, ...children);

export const progress = () => draw('div', { role: 'progressbar', 'aria-label': text.loading });

export const emptyState = (message) =>
  draw('div', { 'data-testid': 'emptyState' }, draw('span', {}, message));

/// An empty cell of the list; the browser's parser would not nest its buttons, its document does.
export function makeCell() {
  const cell = draw('div', { 'data-testid': 'cellInnerDiv' });
  cell.style.cssText = 'position:absolute;width:100%';
  cell.append(draw('button', { role: 'button', class: 'cell', 'data-testid': 'UserCell' }));
  return cell;
}

export function fillCell(cell, row) {
  const picture = draw('img', { alt: '', ...(row.picture ? { src: row.picture } : {}) });
  // Nobody is offered to follow themselves.
  const follow = row.handle !== boot.viewer && draw(
    'button',
    { role: 'button', 'data-testid': `${row.id}-follow`, 'aria-label': text.followWhom(row.handle) },
    text.follow,
  );
  const parts = [
    draw('div', { 'data-testid': `UserAvatar-Container-${row.handle}` }, link(row.handle, {}, picture)),
    link(row.handle, {}, draw('span', {}, row.name)),
    row.verified && icon('icon-verified', text.verified),
    row.locked && icon('icon-lock', text.locked),
    link(row.handle, { tabindex: '-1' }, draw('span', {}, `@${row.handle}`)),
    row.followsYou && draw('div', { 'data-testid': 'userFollowIndicator' }, text.followsYou),
    follow,
    draw('div', { dir: 'auto' }, row.bio),
  ];
  cell.firstChild.replaceChildren(...parts.filter(Boolean));
}

/// What stands around every view.
export function frame(column) {
  const navigation = draw(
    'nav',
    { role: 'navigation' },
    draw('a', { href: '/home', 'data-testid': 'AppTabBar_Home_Link' }, text.home),
    draw('a', { href: `/${boot.viewer}`, 'data-testid': 'AppTabBar_Profile_Link' }, text.profile),
  );
  const account = draw(
    'div',
    { 'data-testid': 'SideNav_AccountSwitcher_Button' },
    draw('div', { 'data-testid': `UserAvatar-Container-${boot.viewer}` }),
    draw('span', {}, `@${boot.viewer}`),
  );
  const primary = draw('div', { 'data-testid': 'primaryColumn' }, column);
  return [draw('header', { role: 'banner' }, navigation, account), draw('main', { role: 'main' }, primary)];
}

export function header(person) {
  const count = draw('a', { href: `/${person.handle}/followers`, role: 'link' }, `${person.followers} ${text.title}`);
  return draw(
    'div',
    {},
    draw('div', { 'data-testid': 'UserName' }, `${person.name} @${person.handle}`),
    draw('div', { 'data-testid': 'UserDescription' }, person.bio),
    draw(
      'div',
      { 'data-testid': 'UserProfileHeader_Items' },
      draw('span', { 'data-testid': 'UserLocation' }, person.place ?? ''),
      draw('span', { 'data-testid': 'UserJoinDate' }, person.created ?? ''),
    ),
    count,
  );
}
