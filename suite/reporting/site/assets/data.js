// The records that the page carries: unpacked once, then read by everything else.

async function unpack(element) {
  const bytes = Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const data = await unpack(document.getElementById("payload"));
const { traces, codecs, cells } = data;
const ALL_TRACES = traces.name.map((_, n) => n);
const codecNumber = new Map(codecs.codec.map((name, n) => [name, n]));
const traceNumber = new Map(traces.name.map((name, n) => [name, n]));
const BASELINE = codecNumber.get("raw");

const reasonOf = new Map(data.problems.map(([codec, trace, reason]) => [codec * traces.name.length + trace, data.reasons[reason]]));

// A number of a cell, or null where it was not measured.
const cellValue = (column, codec, trace) => cells[column][codec]?.[trace] ?? null;
const traitOf = (dimension, trace) => traces[dimension].names[traces[dimension].of[trace]];
const problem = (codec, trace) => reasonOf.get(codec * traces.name.length + trace) ?? "";

// Totals of one codec over some traces; null where it has none of them. `complete` only if it has all.
function totals(codec, chosen) {
  const coded = cells.coded_bits[codec];
  if (!coded) return null;
  let [raw, bits, values, reference, logs, covered] = [0, 0, 0, 0, 0, 0];
  const effective = { 32: 0, 64: 0 };
  for (const trace of chosen) {
    if (coded[trace] === null) continue;
    covered += 1;
    raw += traces.raw_bits[trace];
    bits += coded[trace];
    values += traces.values[trace];
    reference += traces.reference_bits[trace] ?? NaN;
    logs += Math.log(traces.raw_bits[trace] / coded[trace]);
    for (const granule of [32, 64]) effective[granule] += cellValue(`effective_bits_${granule}`, codec, trace) ?? NaN;
  }
  if (!covered) return null;
  return {
    covered, complete: covered === chosen.length, ratio: raw / bits, geomean: Math.exp(logs / covered),
    perValue: bits / values, efficiency: reference / bits, effective32: raw / effective[32],
    effective64: raw / effective[64], encode: speed("encode_ns", codec, chosen), decode: speed("decode_ns", codec, chosen),
  };
}

// MB/s: raw bytes over the sum of median times, on the traces where a plain copy was timed too.
function speed(column, codec, chosen) {
  const times = cells[column][codec];
  const copies = BASELINE === undefined ? null : cells[column][BASELINE];
  if (!times || !copies) return NaN;
  let [bytes, ns] = [0, 0];
  for (const trace of chosen) {
    if (times[trace] === null || copies[trace] === null) continue;
    bytes += traces.raw_bits[trace] / 8;
    ns += times[trace];
  }
  return ns ? (bytes / ns) * 1e3 : NaN;
}

const ABSENT = "–";
const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const asRatio = (value) => (known(value) ? value.toFixed(3) : ABSENT);
const asRate = (value) => (known(value) ? (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))) : ABSENT);
const asCount = (value) => (known(value) ? value.toLocaleString("en") : ABSENT);
const asPercent = (value) => (known(value) ? `${Number((value * 100).toPrecision(3))} %` : ABSENT);
const asMib = (bits) => `${(bits / 8 / 2 ** 20).toFixed(bits < 8e7 ? 2 : 1)} MiB`;
const sum = (list) => list.reduce((total, value) => total + value, 0);
