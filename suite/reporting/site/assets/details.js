// The page of one codec and of one trace, made when its address is opened.

const detail = document.getElementById("detail");

function table(columns, rows, options) {
  const element = make("table");
  const holder = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": options?.label ?? "Table" }, element);
  const grid = new Grid(element, columns, options);
  const box = make("div", {}, holder);
  grid.show(rows);
  return box;
}

const facts = (pairs) => make("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
const tags = (words) => make("ul", { class: "tags" }, ...words.filter(Boolean).map((word) => make("li", {}, word)));
const heading = (eyebrow, name) => [
  make("p", {}, make("a", { href: "#board" }, "← The whole report")),
  make("p", { class: "eyebrow" }, eyebrow),
  make("h1", {}, ...breakable(name)),
];

// One table of ratios for each dimension that tells traces apart.
function ratiosBy(codec, dimension, title, chosen) {
  const names = traces[dimension].names.filter(Boolean);
  const rows = names.flatMap((name, order) => {
    const mine = chosen.filter((trace) => traitOf(dimension, trace) === name);
    const found = mine.length ? totals(codec, mine) : null;
    return found ? [{ name, order, ratio: found.ratio, traces: found.covered, place: placeAmong(codec, mine, found) }] : [];
  });
  if (rows.length < 2) return null;
  const columns = [
    { title, key: (row) => row.order, text: (row) => row.name },
    column("ratio", "ratio", asRatio, { share: (row) => saved(row.ratio) }),
    column("rank", "place", asText, { ascending: true }),
    column("traces", "traces", asText),
  ];
  return table(columns, rows, { label: `Ratio by ${title}` });
}

function placeAmong(codec, chosen, found) {
  if (!found.complete || !codecs.lossless[codec]) return null;
  const others = codecs.codec.map((_, n) => (codecs.lossless[n] ? totals(n, chosen) : null));
  return 1 + others.filter((other) => other?.complete && other.ratio > found.ratio).length;
}

function codecPage(codec) {
  const judged = ALL_TRACES.filter((trace) => !DEFAULTS.split || traitOf("split", trace) === DEFAULTS.split);
  const found = totals(codec, judged);
  const rows = ALL_TRACES.map((trace) => codecCell(codec, trace));
  const parts = [
    ...heading(`${codecs.kind[codec]} ${codecs.kind[codec] === "hardware" ? "model" : "codec"}`, codecs.codec[codec]),
    tags([
      codecs.lossless[codec] ? "lossless" : "lossy",
      codecs.rank[codec] ? `rank ${codecs.rank[codec]}` : "not ranked",
      codecs.version[codec] && `version ${codecs.version[codec]}`,
    ]),
  ];
  if (found) {
    parts.push(facts([
      ["total ratio", asRatio(found.ratio)],
      ["geometric mean", asRatio(found.geomean)],
      ["bits per value", asRatio(found.perValue)],
      ["efficiency", asRatio(found.efficiency)],
      ...(known(found.encode) ? [["encode, decode", `${asRate(found.encode)} MB/s, ${asRate(found.decode)} MB/s`]] : []),
      ...(known(found.effective32) ? [["effective ratio", `${asRatio(found.effective32)} at 32 B, ${asRatio(found.effective64)} at 64 B`]] : []),
      ["over", `${found.covered} of ${judged.length} ${DEFAULTS.split} traces`],
    ]));
    const tables = [["role", "role"], ["precision", "precision"], ["pruning", "pruning"], ["model", "model"], ["phase", "phase"], ["tensor_kind", "tensor"]];
    parts.push(make("h2", {}, "Where it does well"), make("div", { class: "columns" }, ...tables.map(([dimension, title]) => ratiosBy(codec, dimension, title, judged))));
  }
  parts.push(make("h2", {}, "Every trace"), table(codecColumns(codec), rows, { limit: 50, sort: 1, direction: -1, label: "Every trace" }));
  return parts;
}

function codecCell(codec, trace) {
  const bits = cellValue("coded_bits", codec, trace);
  return {
    name: traces.name[trace], split: traitOf("split", trace), ratio: bits === null ? null : traces.raw_bits[trace] / bits,
    efficiency: bits === null ? null : traces.reference_bits[trace] / bits, ...cellSpeeds(codec, trace), reason: problem(codec, trace),
    mse: cellValue("mse", codec, trace), error: cellValue("max_error", codec, trace),
  };
}

function cellSpeeds(codec, trace) {
  const rate = (column) => {
    const ns = cellValue(column, codec, trace);
    return ns ? (traces.raw_bits[trace] / 8 / ns) * 1e3 : null;
  };
  return { encode: rate("encode_ns"), decode: rate("decode_ns") };
}

function measuredColumns(rows) {
  const any = (key) => rows.some((row) => known(row[key]) && row[key] !== "");
  return [
    column("ratio", "ratio", asRatio),
    column("efficiency", "efficiency", asRatio),
    ...(any("encode") ? [column("encode MB/s", "encode", asRate), column("decode MB/s", "decode", asRate)] : []),
    ...(any("mse") ? [column("MSE", "mse", asRate), column("largest error", "error", asRate)] : []),
    ...(any("reason") ? [{ title: "not measured, because", key: (row) => row.reason, wide: true }] : []),
  ];
}

const codecColumns = (codec) => [
  { title: "trace", key: (row) => row.name, link: "trace" },
  ...measuredColumns(ALL_TRACES.map((trace) => codecCell(codec, trace))),
  { title: "split", key: (row) => row.split },
];

function tracePage(trace) {
  const bits = traces.raw_bits[trace];
  const rows = codecs.codec.map((codec, n) => ({ ...codecCell(n, trace), name: codec, kind: codecs.kind[n] }));
  const form = `${traitOf("dtype", trace)}, ${asCount(traces.values[trace])} values, ${asCount(bits / 8)} bytes`;
  const reference = traces.reference_bits[trace];
  return [
    ...heading("trace", traces.name[trace]),
    tags(["model", "role", "precision", "pruning", "phase", "tensor_kind", "split"].map((name) => traitOf(name, trace))),
    facts([
      ["layer", traitOf("layer", trace)],
      ["array", form],
      ["zeros", asPercent(traces.zero_fraction[trace])],
      ["order-0 reference", known(reference) ? `${asRatio(reference / traces.values[trace])} bits per value, zero-aware (ratio ${asRatio(bits / reference)})` : ABSENT],
      ["SHA-256", make("code", {}, traces.sha256[trace])],
    ]),
    make("h2", {}, "Every codec"),
    table([{ title: "codec", key: (row) => row.name, link: "codec" }, ...measuredColumns(rows), { title: "kind", key: (row) => row.kind }], rows, { sort: 1, direction: -1, label: "Every codec" }),
  ];
}

function missingPage(what, name) {
  return [...heading(what, `There is no ${what} '${name}' in this report.`)];
}
