// The virtual list: a tall box, and only as many cells as can be seen. Cells are used again for other rows, and rows
// far above the window are forgotten, so that a list of any length costs what a short one does.

const HEIGHT = 76;
const BEYOND = 5;
const KEPT_ABOVE = 150;

/// `make()` builds an empty cell, `fill(cell, row)` shows a row in it.
export class List {
  constructor(box, { make, fill, forgets }) {
    this.box = box;
    this.make = make;
    this.fill = fill;
    this.forgets = forgets;
    this.rows = [];
    this.first = 0;
    this.seen = new Set();
    this.cells = [];
  }

  get length() {
    return this.first + this.rows.length;
  }

  append(rows) {
    for (const row of rows) {
      if (!this.seen.has(row.id)) {
        this.seen.add(row.id);
        this.rows.push(row);
      }
    }
    this.box.style.minHeight = `${this.length * HEIGHT}px`;
  }

  get above() {
    return Math.max(0, -this.box.getBoundingClientRect().top);
  }

  // How many pixels of rows are left below the window.
  get left() {
    return this.box.getBoundingClientRect().top + this.length * HEIGHT - window.innerHeight;
  }

  render() {
    const top = Math.floor(this.above / HEIGHT) - BEYOND;
    const count = Math.ceil(window.innerHeight / HEIGHT) + 2 * BEYOND;
    this.forget(top);
    const from = Math.max(this.first, Math.min(top, this.length - count));
    const to = Math.min(this.length, from + count);
    this.keep(to - from);
    for (let index = from; index < to; index += 1) {
      this.show(this.cells[index % this.cells.length], index);
    }
  }

  show(cell, index) {
    cell.style.transform = `translateY(${index * HEIGHT}px)`;
    const row = this.rows[index - this.first];
    if (cell.row !== row) {
      cell.row = row;
      this.fill(cell, row);
    }
  }

  keep(count) {
    while (this.cells.length < count) {
      const cell = this.make();
      this.cells.push(cell);
      this.box.append(cell);
    }
    while (this.cells.length > count) {
      this.cells.pop().remove();
    }
  }

  forget(top) {
    const gone = Math.min(this.rows.length, top - KEPT_ABOVE - this.first);
    if (!this.forgets || gone < KEPT_ABOVE) {
      return;
    }
    for (const row of this.rows.splice(0, gone)) {
      this.seen.delete(row.id);
    }
    this.first += gone;
  }
}
