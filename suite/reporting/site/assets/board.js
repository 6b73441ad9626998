// The leaderboard over the traces and codecs that the reader chose, and the list of traces.

const DIMENSIONS = ["role", "precision", "pruning", "model", "phase", "tensor_kind", "split"];
const DEFAULTS = { split: traces.split.names.includes("test") ? "test" : "", lossless: "yes" };
const form = document.getElementById("filters");

function fillFilters() {
  for (const name of DIMENSIONS) {
    const options = traces[name].names.filter(Boolean);
    const select = form.elements[name];
    select.append(...options.map((option) => make("option", {}, option)));
    if (options.length < 2) select.parentElement.hidden = true;
    if (options.length < 2) select.parentElement.style.display = "none";
  }
  setFilters({});
}

const fieldNames = () => [...DIMENSIONS, "kind", "lossless", "codec"];

function setFilters(chosen) {
  for (const name of fieldNames()) form.elements[name].value = chosen[name] ?? DEFAULTS[name] ?? "";
  for (const select of form.querySelectorAll("select")) if (select.selectedIndex < 0) select.value = DEFAULTS[select.name] ?? "";
}

// What differs from the defaults: this is what the address keeps.
function getFilters() {
  const all = fieldNames().map((name) => [name, form.elements[name].value.trim()]);
  return Object.fromEntries(all.filter(([name, value]) => value !== (DEFAULTS[name] ?? "")));
}

function chosenTraces() {
  const wanted = DIMENSIONS.map((name) => [name, form.elements[name].value]).filter(([, value]) => value);
  return ALL_TRACES.filter((trace) => wanted.every(([name, value]) => traitOf(name, trace) === value));
}

function boardRows(chosen) {
  const text = form.elements.codec.value.trim().toLowerCase();
  const lossless = form.elements.lossless.value === "yes";
  const rows = [];
  codecs.codec.forEach((codec, n) => {
    if (codecs.lossless[n] !== lossless) return;
    const found = totals(n, chosen);
    if (found) rows.push({ codec, kind: codecs.kind[n], ...found });
  });
  rank(rows, lossless);
  const kind = form.elements.kind.value;
  return rows.filter((row) => (!kind || row.kind === kind) && row.codec.toLowerCase().includes(text));
}

// By total ratio among all codecs of the choice of traces; equal ratios share a rank, incomplete rows have none.
function rank(rows, lossless) {
  rows.sort((a, b) => b.complete - a.complete || b.ratio - a.ratio || (a.codec < b.codec ? -1 : 1));
  rows.forEach((row, n) => {
    const above = rows[n - 1];
    row.rank = row.complete && lossless ? (above?.ratio === row.ratio ? above.rank : n + 1) : null;
    row.unranked = !row.rank;
  });
}

const column = (title, key, text, more = {}) => ({ title, key: (row) => row[key], text: (row) => text(row[key]), number: true, ...more });

// Hardware models have effective ratios in place of speeds.
function boardColumns(hardware) {
  const timed = BASELINE !== undefined && codecs.codec.some((_, n) => cells.decode_ns[n]);
  const granule = (bytes) => column(`effective, ${bytes} B`, `effective${bytes}`, asRatio, { hint: `ratio at the memory's ${bytes}-byte granule` });
  return [
    column("rank", "rank", asText, { ascending: true }),
    { title: "codec", key: (row) => row.codec, link: "codec" },
    column("total ratio", "ratio", asRatio, { share: (row) => saved(row.ratio), hint: "the bar is the share of bits saved, 1 - 1 / ratio" }),
    column("geometric mean", "geomean", asRatio),
    column("bits / value", "perValue", asRatio, { ascending: true }),
    column("efficiency", "efficiency", asRatio, { hint: "zero-aware order-0 entropy / achieved size" }),
    ...(timed && !hardware ? [column("encode MB/s", "encode", asRate), column("decode MB/s", "decode", asRate)] : []),
    ...(hardware ? [granule(32), granule(64)] : []),
    { title: "traces", key: (row) => row.covered, number: true },
  ];
}

const saved = (ratio) => Math.max(0, 1 - 1 / ratio);
let board;

function drawBoard() {
  const chosen = chosenTraces();
  const shownRows = chosen.length ? boardRows(chosen) : [];
  const hardware = form.elements.kind.value === "hardware";
  if (board?.hardware !== hardware) {
    board?.more.remove();
    board = new Grid(document.getElementById("board-table"), boardColumns(hardware), { limit: 20 });
    board.hardware = hardware;
  }
  board.show(shownRows);
  const bits = sum(chosen.map((trace) => traces.raw_bits[trace]));
  const unranked = shownRows.filter((row) => row.unranked).length;
  const aside = form.elements.lossless.value === "no" ? "; lossy codecs are never ranked" : unranked ? `; ${unranked} without a rank, not measured on all of these` : "";
  document.getElementById("board-status").textContent = chosen.length
    ? `${shownRows.length} of ${codecs.codec.length} codecs over ${chosen.length} of ${traces.name.length} traces, ${asMib(bits)}${aside}.`
    : "No trace has all of these properties: set one of the filters back to 'all'.";
  for (const name of fieldNames()) {
    form.elements[name].classList.toggle("set", form.elements[name].value !== (DEFAULTS[name] ?? ""));
  }
}

function startBoard() {
  fillFilters();
  const changed = () => {
    drawBoard();
    const query = new URLSearchParams(getFilters()).toString();
    history.replaceState(null, "", query ? `#board?${query}` : "#board");
  };
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => { event.preventDefault(); setFilters({}); changed(); });
  document.getElementById("csv").addEventListener("click", () => save("leaderboard.csv", board.csv()));
  drawBoard();
}

function startTraces() {
  const input = document.getElementById("trace-filter").elements.trace;
  const grid = new Grid(document.getElementById("traces-table"), traceColumns(), { sort: 0, limit: 25 });
  const rows = ALL_TRACES.map(traceRow);
  const draw = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((row) => words.every((word) => row.text.includes(word)));
    grid.show(found);
    document.getElementById("traces-status").textContent = `${found.length} of ${rows.length} traces.`;
  };
  input.form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", draw);
  draw();
}

function bestOf(trace) {
  let best = null;
  codecs.codec.forEach((codec, n) => {
    const bits = codecs.lossless[n] ? cellValue("coded_bits", n, trace) : null;
    if (bits !== null && (!best || bits < best.bits)) best = { bits, codec };
  });
  return best;
}

function traceRow(trace) {
  const best = bestOf(trace);
  const traits = Object.fromEntries(["role", "precision", "pruning", "model", "phase", "split"].map((name) => [name, traitOf(name, trace)]));
  const name = traces.name[trace];
  return {
    ...traits, name, raw: traces.raw_bits[trace], zeros: traces.zero_fraction[trace],
    ratio: best ? traces.raw_bits[trace] / best.bits : null, best: best?.codec ?? "",
    text: [name, ...Object.values(traits)].join(" ").toLowerCase(),
  };
}

const traceColumns = () => [
  { title: "trace", key: (row) => row.name, link: "trace" },
  column("size", "raw", asMib),
  column("zeros", "zeros", asPercent),
  column("best ratio", "ratio", asRatio),
  { title: "best codec", key: (row) => row.best },
  { title: "split", key: (row) => row.split },
  { title: "phase", key: (row) => row.phase },
];
