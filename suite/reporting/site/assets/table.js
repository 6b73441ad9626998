// Elements and sortable tables. Text goes in as text alone, never as markup.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A long name may be broken behind what separates its parts.
const breakable = (name) => name.split(/(?<=[:/|=@_])/).flatMap((part, n) => (n ? [make("wbr"), part] : [part]));
const linkTo = (kind, name) => make("a", { href: `#${kind}=${encodeURIComponent(name)}` }, ...breakable(name));

// What a cell of a table that came with the page sorts by: its number, or its text.
function sortKey(cell) {
  const text = cell.textContent.trim();
  if (text === ABSENT || text === "") return null;
  const number = Number.parseFloat(text.replaceAll(",", "").replace("−", "-"));
  return cell.classList.contains("n") && !Number.isNaN(number) ? number : text;
}

// Absent values stand last whatever the direction.
function compare(a, b, direction) {
  if (!known(a) || !known(b)) return Number(!known(a)) - Number(!known(b));
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return order * direction;
}

function sortButton(heading, onSort) {
  const button = make("button", { type: "button" }, ...heading.childNodes);
  heading.replaceChildren(button);
  heading.classList.add("sorting");
  button.addEventListener("click", () => {
    const before = heading.getAttribute("aria-sort");
    const first = heading.classList.contains("n") && heading.dataset.first !== "ascending" ? "descending" : "ascending";
    const opposite = before === "ascending" ? "descending" : "ascending";
    const now = before ? opposite : first;
    for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", now);
    onSort(now === "ascending" ? 1 : -1);
  });
}

// Tables that came with the page: their rows are moved.
function enhance(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (heading.textContent.trim() === "rank") heading.dataset.first = "ascending";
    sortButton(heading, (direction) => {
      const rows = [...body.rows].map((row) => [sortKey(row.cells[column]), row]);
      rows.sort((a, b) => compare(a[0], b[0], direction));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// Tables that the page makes: `columns` = {title, key(row), text(row) or node(row), number, share(row)}.
class Grid {
  constructor(table, columns, { sort = 0, direction = 1, limit = Infinity, describe = "" } = {}) {
    Object.assign(this, { table, columns, sort, direction, limit, rows: [] });
    const headings = columns.map((column, n) => {
      const heading = make("th", { scope: "col", class: this.classOf(column), title: column.hint }, column.title);
      if (column.ascending) heading.dataset.first = "ascending";
      if (n === sort) heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      return heading;
    });
    table.classList.add("pinned");
    this.body = make("tbody");
    const caption = describe ? [make("caption", { class: "note" }, describe)] : [];
    table.replaceChildren(...caption, make("thead", {}, make("tr", {}, ...headings)), this.body);
    headings.forEach((heading, n) => sortButton(heading, (way) => { this.sort = n; this.direction = way; this.draw(); }));
    this.more = make("button", { type: "button" }, "Show all");
    this.more.addEventListener("click", () => { this.limit = Infinity; this.draw(); });
  }

  classOf(column) {
    return [column.number && "n", column.link && "key", column.wide && "wide"].filter(Boolean).join(" ") || null;
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  sorted() {
    const key = this.columns[this.sort].key;
    return this.rows.map((row, n) => [key(row), n, row]).sort((a, b) => compare(a[0], b[0], this.direction) || a[1] - b[1]).map(([, , row]) => row);
  }

  draw() {
    const rows = this.sorted();
    this.body.replaceChildren(...rows.slice(0, this.limit).map((row) => this.line(row)));
    this.more.textContent = `Show all ${rows.length.toLocaleString("en")}`;
    if (rows.length > this.limit) this.table.parentElement.after(this.more);
    else this.more.remove();
  }

  line(row) {
    const fields = this.columns.map((column) => {
      const content = column.text ? column.text(row) : asText(column.key(row));
      const field = make(column.link ? "th" : "td", { class: this.classOf(column), scope: column.link ? "row" : null });
      field.append(column.link ? linkTo(column.link, content) : content);
      if (column.link) field.title = content;
      if (column.share) {
        field.classList.add("bar");
        field.style.setProperty("--share", `${(100 * column.share(row)).toFixed(1)}%`);
      }
      return field;
    });
    return make("tr", { class: row.unranked ? "unranked" : null }, ...fields);
  }

  // The rows as they stand, as CSV.
  csv() {
    const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const line = (values) => values.map((value) => quoted(known(value) ? String(value) : "")).join(",");
    return [line(this.columns.map((c) => c.title)), ...this.sorted().map((row) => line(this.columns.map((c) => c.key(row))))].join("\n") + "\n";
  }
}

const asText = (value) => (known(value) && value !== "" ? String(value) : ABSENT);

function save(name, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
