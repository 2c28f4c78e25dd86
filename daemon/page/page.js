/* page.js - the page of recorder and replayer. Foreign text is put into it as text, never as markup. */
"use strict";

const KEPT = 300; // seconds of live values in a chart
const LINES = 6;  // rings with a line of their own, the busiest ones
const DAY = 86400e3;
const hasCharts = typeof Dygraph !== "undefined";
const $ = (id) => document.getElementById(id);

// ---- words ----

function scaled(value, base, units) {
  let unit = 0;
  while (Math.abs(value) >= base && unit < units.length - 1) { value /= base; unit++; }
  return (unit === 0 ? Math.round(value) : value >= 100 ? value.toFixed(0) : value.toFixed(1)) + units[unit];
}
const count = (n) => scaled(n, 1000, ["", "k", "M", "G", "T"]);
const size = (n) => scaled(n, 1024, ["", "K", "M", "G", "T", "P"]);
function duration(ns) {
  if (!ns) return "-";
  if (ns < 1e3) return ns + " ns";
  if (ns < 1e6) return (ns / 1e3).toFixed(1) + " us";
  if (ns < 1e9) return (ns / 1e6).toFixed(1) + " ms";
  const s = ns / 1e9;
  if (s < 120) return s.toFixed(1) + " s";
  if (s < 7200) return Math.floor(s / 60) + " min";
  return s < 2 * 86400 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " days";
}
function moment(ns) {
  if (ns === null || ns === undefined || ns <= 0 || ns > 8.6e21) return "-";
  // A double knows such times to some 100 ns only: one that is just below a ms is that ms.
  return new Date(ns / 1e6 + 1e-3).toISOString().replace("T", " ").replace(/\.?0*Z$/, "");
}
const percent = (part, whole) => (whole > 0 ? Math.round((100 * part) / whole) + " %" : "-");

// ---- the document ----

function element(name, text, classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

/* rows: lists whose items are [text, classes] or text. */
function fillTable(id, rows, nothing) {
  const body = $(id).tBodies[0];
  const made = rows.map((cells) => {
    const row = element("tr");
    for (const cell of cells) row.append(Array.isArray(cell) ? element("td", cell[0], cell[1]) : element("td", cell));
    return row;
  });
  if (!made.length) {
    const cell = element("td", nothing, "empty");
    cell.colSpan = $(id).tHead.rows[0].cells.length;
    const row = element("tr");
    row.append(cell);
    made.push(row);
  }
  body.replaceChildren(...made);
}

function say(id, text, wrong) {
  $(id).textContent = text;
  $(id).classList.toggle("wrong", Boolean(wrong));
}

async function ask(path) {
  const response = await fetch(path);
  const body = await response.json().catch(() => null);
  if (!body || body.error) throw new Error(body ? body.error : "no answer (" + response.status + ")");
  return body;
}

// ---- charts ----

const charts = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}
const colours = () => ["one", "two", "three", "four", "five", "six"].map(colour);

/* Draw a chart in the element, or update it. Each row begins with a Date. */
function draw(id, labels, rows, options) {
  if (!hasCharts || rows.length === 0) return;
  const known = charts.find((chart) => chart.id === id);
  if (known && known.labels.join() === labels.join()) {
    known.rows = rows;
    known.graph.updateOptions({ file: rows, ...(options.again || {}) });
    return;
  }
  if (known) { known.graph.destroy(); charts.splice(charts.indexOf(known), 1); }
  const line = colour("line");
  const { again, ...rest } = options;
  const graph = new Dygraph($(id), rows, {
    labels, colors: colours(), labelsUTC: true, legend: "follow" in rest ? "follow" : "always",
    axisLineColor: line, gridLineColor: line, strokeWidth: 1.5, highlightCircleSize: 3, ...rest, ...(again || {}),
  });
  charts.push({ id, labels, rows, options, graph });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const { id, labels, rows, options, graph } of charts.splice(0)) {
    graph.destroy();
    draw(id, labels, rows, options);
  }
});

// ---- what changes ----

const past = []; // {at, rates: {ring: n}, fills: {ring: n}, write, sync}
let before = null;
let bounds = { low: 0, high: Infinity }; // of the tape, in ns, once its coverage is known

function ringState(ring, own) {
  const words = ["waiting", "held by another", null, "quarantined", "detached", "refused"];
  const degraded = ["ok", "no space", "sync fails", "write fails", "index fails"];
  return words[ring.state] === null ? degraded[own.recorder_state] || "unknown" : words[ring.state] || "unknown";
}

function rated(state) {
  const seconds = before ? (state.beat - before.beat) / 1e3 : 0; // between the counts, not between their reports
  const old = new Map(before && before.started === state.started ? before.rings.map((r) => [r.ring, r]) : []);
  for (const ring of state.rings) {
    const was = old.get(ring.ring);
    ring.rate = was && seconds > 0 ? Math.max(0, ring.ticks - was.ticks) / seconds : null;
    ring.byteRate = was && seconds > 0 ? Math.max(0, ring.taken - was.taken) / seconds : null;
  }
  const told = before ? (state.now - before.now) / 1e3 : 0;
  const played = new Map(before ? before.players.map((play) => [play.session, play]) : []);
  for (const play of state.players) {
    const was = played.get(play.session);
    play.rate = was && told > 0 ? Math.max(0, play.ticks - was.ticks) / told : null;
  }
}

/* By how much a total of the daemon's own grew per second. */
function ownRate(state, key) {
  const seconds = before ? (state.beat - before.beat) / 1e3 : 0;
  return seconds > 0 ? Math.max(0, state.own[key] - before.own[key]) / seconds : 0;
}

function recorderTiles(state) {
  const own = state.own, sum = (key) => state.rings.reduce((all, ring) => all + (ring[key] || 0), 0);
  return [
    ["ticks/s", count(sum("rate"))], ["bytes/s", size(sum("byteRate"))],
    ["lost", count(sum("lost")), sum("lost") > 0 ? "bad" : ""],
    ["tape", size(own.recorder_tape)], ["disk free", size(own.recorder_disk_free)],
    ["disk full in", own.recorder_disk_full_in ? duration(own.recorder_disk_full_in) : "not soon"],
    ["segment", String(own.recorder_segment)],
    ...(own.recorder_canary_period ? [["canary each", duration(own.recorder_canary_period)]] : []),
    ["longest sync", duration(own.recorder_sync_longest)], ["longest write", duration(own.recorder_write_longest)],
  ];
}

function replayerTiles(state) {
  const own = state.own, age = own.replayer_canary_age;
  return [
    ["plays", String(own.replayer_sessions)], ["queries", String(own.replayer_streams)],
    ["ticks/s sent", count(ownRate(state, "replayer_ticks"))], ["bytes/s sent", size(ownRate(state, "replayer_sent"))],
    ["connections", String(own.replayer_connections)],
    ["reads waiting", String(own.replayer_reads_waiting), own.replayer_reads_waiting > 0 ? "warn" : ""],
    ["could not be read", count(own.replayer_damaged), own.replayer_damaged > 0 ? "bad" : ""],
    ...(own.replayer_canary ? [["newest is", age ? duration(age) + " old" : "not expected", age > 10e9 ? "bad" : ""]] : []),
  ];
}

function showTiles(state) {
  const tiles = state.daemon === "replayer" ? replayerTiles(state) : recorderTiles(state);
  $("tiles").replaceChildren(...tiles.map(([name, value, classes]) => {
    const tile = element("div");
    tile.append(element("dt", name), element("dd", value, classes));
    return tile;
  }));
}

/* A canary's ring has the tape's name. There is only one, and its full name would fill a phone's width. */
const isCanary = (ring) => ring.track === "tapedeck.canary";
const nameOf = (ring) => (isCanary(ring) ? "canary" : ring.ring);

function showRings(state) {
  fillTable("rings", state.rings.map((ring) => {
    const words = ringState(ring, state.own), full = ring.capacity ? ring.fill / ring.capacity : 0;
    const fillClass = full >= 0.95 ? "n bad" : full >= 0.8 ? "n warn" : "n";
    return [
      ring.ring === ring.track || !ring.track || isCanary(ring) ? nameOf(ring) : ring.ring + " → " + ring.track,
      [words, words === "ok" ? "" : words === "waiting" ? "warn" : "bad"],
      [ring.rate === null ? "-" : count(ring.rate), "n"],
      [ring.byteRate === null ? "-" : size(ring.byteRate), "n"],
      [percent(ring.fill, ring.capacity), fillClass],
      [percent(ring.high_water, ring.capacity), "n"],
      [duration(ring.wait), "n"],
      [count(ring.lost), ring.lost > 0 ? "n bad" : "n"],
    ];
  }), "no ring yet");
}

function showPlayers(state) {
  fillTable("players", state.players.map((play) => {
    const from = Math.max(play.from, bounds.low), to = Math.min(play.to ?? Infinity, bounds.high);
    const span = to - from, at = Math.min(Math.max(play.at - from, 0), span);
    return [
      String(play.session), play.into,
      [play.state, play.state === "stalled" || play.state === "failed" ? "bad" : ""], moment(play.at),
      [to < 1.8e19 && span > 0 ? percent(at, span) : "-", "n"], [play.speed || "-", "n"],
      [duration(play.lateness_p99), "n"], [count(play.ticks), "n"],
      [play.rate === null ? "-" : count(play.rate), "n"],
    ];
  }), "nothing is being played by a replayer of this tape");
}

function keep(state) {
  const moment = { at: new Date(state.now), rates: {}, fills: {}, played: {}, late: {},
    write: (state.own.recorder_write_longest || 0) / 1e6, sync: (state.own.recorder_sync_longest || 0) / 1e6 };
  for (const ring of state.rings) {
    moment.rates[nameOf(ring)] = ring.rate;
    moment.fills[nameOf(ring)] = ring.capacity ? (100 * ring.fill) / ring.capacity : 0;
  }
  for (const play of state.players) {
    moment.played[play.session] = play.rate;
    moment.late[play.session] = (play.lateness_p99 || 0) / 1e6;
  }
  past.push(moment);
  if (past.length > KEPT) past.shift();
}

let lines = [];
function chooseLines(state) {
  const busy = [...state.rings].sort((a, b) => (b.rate || 0) - (a.rate || 0)).slice(0, LINES).map(nameOf);
  if (lines.length < Math.min(LINES, state.rings.length) || past.length % 30 === 0) lines = busy.sort();
}

const value = (v) => (v === undefined ? null : v);

/* The newest plays of the last minutes. */
function showPlayCharts() {
  const plays = [...new Set(past.flatMap((m) => Object.keys(m.late)))].sort((a, b) => a - b).slice(-LINES);
  if (!plays.length || past.length < 2) return;
  const names = plays.map((play) => "play " + play);
  draw("play-chart", ["time", ...names], past.map((m) => [m.at, ...plays.map((play) => value(m.played[play]))]),
    { includeZero: true, labelsKMB: true });
  draw("late-chart", ["time", ...names], past.map((m) => [m.at, ...plays.map((play) => value(m.late[play]))]),
    { includeZero: true, digitsAfterDecimal: 3 });
}

function showCharts() {
  if (!lines.length || past.length < 2) return;
  draw("rate-chart", ["time", ...lines], past.map((m) => [m.at, ...lines.map((l) => value(m.rates[l]))]),
    { includeZero: true, labelsKMB: true });
  draw("fill-chart", ["time", ...lines], past.map((m) => [m.at, ...lines.map((l) => value(m.fills[l]))]),
    { includeZero: true, digitsAfterDecimal: 1 });
  draw("sync-chart", ["time", "write", "sync"], past.map((m) => [m.at, m.write, m.sync]),
    { includeZero: true, digitsAfterDecimal: 1 });
}

function show(state) {
  if (state.error) { health(state.error, true); return; }
  document.body.classList.add(state.daemon);
  document.title = "tapedeck " + state.daemon;
  rated(state);
  health(state.trouble || state.daemon + " is well", state.trouble);
  $("tape-path").textContent = state.tape;
  $("version").textContent = "tapedeck " + state.version + ", up " + duration((state.now - state.started) * 1e6) + ".";
  showTiles(state);
  showRings(state);
  showPlayers(state);
  keep(state);
  chooseLines(state);
  if (state.daemon === "replayer") showPlayCharts();
  else showCharts();
  before = state;
}

function health(words, bad) {
  $("health").textContent = words;
  $("health").className = "pill " + (bad ? "bad" : "well");
}

// ---- coverage ----

const SVG = "http://www.w3.org/2000/svg";

/* The stretches of a track, covered and missing, as [from, to] in ms. */
function stretches(track) {
  const covered = [], missing = [];
  for (const epoch of track.epochs) {
    if (epoch.ticks > 0 && epoch.first_ts !== null) covered.push([epoch.first_ts / 1e6, epoch.last_ts / 1e6]);
    for (const [kind, gaps] of [["lost", epoch.lost], ["damaged", epoch.damaged], ["deleted", epoch.retired], ["away", epoch.away]])
      for (const gap of gaps || [])
        missing.push({ from: gap.from / 1e6, to: gap.to / 1e6, ticks: gap.count, why: gap.reason || kind, track: track.track });
  }
  return { name: track.track, covered, missing };
}

function bar(svg, from, to, low, span, kind) {
  const rect = document.createElementNS(SVG, "rect");
  const x = (1000 * (from - low)) / span, width = (1000 * (to - from)) / span;
  rect.setAttribute("x", Math.min(x, 997));
  rect.setAttribute("width", Math.max(width, 3)); // so that a gap of a single tick is visible
  rect.setAttribute("height", 10);
  rect.setAttribute("class", kind);
  svg.append(rect);
}

function showStrips(tracks, low, high) {
  const span = Math.max(high - low, 1);
  const rows = tracks.map((track) => {
    const row = element("div", undefined, "strip"), svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 1000 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", track.name + ": " + track.missing.length + " gaps");
    for (const [from, to] of track.covered) bar(svg, from, to, low, span, "whole");
    for (const gap of track.missing) bar(svg, gap.from, gap.to, low, span, "gap");
    row.append(element("span", track.name), svg);
    return row;
  });
  const ends = element("div", undefined, "ends");
  ends.append(element("span", moment(low * 1e6)), element("span", moment(high * 1e6)));
  $("strips").replaceChildren(...rows, ends);
}

/* One column for each week, with Monday at the top; at most the last year. */
function showCalendar(tracks, low, high) {
  const last = Math.floor(high / DAY), first = Math.max(Math.floor(low / DAY), last - 370);
  const monday = first - ((first + 3) % 7); // day 0 was a Thursday
  const boxes = [];
  for (let day = monday; day <= last; day++) {
    const from = day * DAY, to = from + DAY, meets = (a, b) => a < to && b >= from;
    const whole = tracks.filter((t) => t.covered.some(([a, b]) => meets(a, b))).length;
    const gaps = tracks.flatMap((t) => t.missing.filter((gap) => meets(gap.from, gap.to)));
    const box = element("span", undefined, "box " + (gaps.length ? "gap" : whole ? "whole" : "none"));
    const words = new Date(from).toISOString().slice(0, 10) + ": " + whole + " of " + tracks.length + " tracks" +
      (gaps.length ? ", " + count(gaps.reduce((n, gap) => n + gap.ticks, 0)) + " ticks missing" : "");
    box.title = words;
    boxes.push(box);
  }
  $("calendar").replaceChildren(...boxes);
}

async function showCoverage() {
  try {
    const { rows } = await ask("/coverage");
    const tracks = rows[0].tracks.map(stretches);
    const missing = tracks.flatMap((track) => track.missing);
    const all = tracks.flatMap((track) => track.covered);
    if (!all.length) { say("coverage-words", "nothing is recorded yet"); return; }
    const low = Math.min(...all.map((s) => s[0])), high = Math.max(...all.map((s) => s[1]));
    bounds = { low: low * 1e6, high: high * 1e6 };
    say("coverage-words", missing.length
      ? count(missing.reduce((n, gap) => n + gap.ticks, 0)) + " ticks are missing, in " + missing.length + " places"
      : "whole: nothing is missing");
    showCalendar(tracks, low, high);
    showStrips(tracks.slice(0, 64), low, high);
    $("gaps-details").hidden = !missing.length;
    fillTable("gaps", missing.slice(0, 500).map((gap) =>
      [gap.track, moment(gap.from * 1e6), moment(gap.to * 1e6), [count(gap.ticks), "n"], gap.why]), "nothing");
  } catch (error) {
    say("coverage-words", "what is covered cannot be told: " + error.message, true);
  }
}

// ---- prices ----

async function listSymbols() {
  try {
    const { rows } = await ask("/symbols");
    const names = [...new Set(rows.map((row) => row.symbol))].sort();
    $("symbols").replaceChildren(...names.map((name) => { const o = element("option"); o.value = name; return o; }));
    if (!$("symbol").value && names.length) $("symbol").value = names[0];
  } catch (error) {
    say("prices-words", "the symbols cannot be listed: " + error.message, true);
  }
}

const number = (text) => (text === null ? null : Number(text));

/* Volume by time; 0 where there is no row. */
function volumes(rows) {
  const points = [], gaps = rows.slice(1).map((row, i) => row.time - rows[i].time);
  const step = Math.min(...gaps);
  rows.forEach((row, i) => {
    points.push([new Date(row.time / 1e6), Number(row.volume)]);
    if (gaps[i] > 1.5 * step) points.push([new Date((row.time + step) / 1e6), 0]);
  });
  return points;
}

function showBars(rows) {
  const traded = rows.some((row) => row.close !== null), quoted = rows.some((row) => row.bid !== null);
  const names = [...(traded ? ["trade"] : []), ...(quoted ? ["bid", "ask"] : [])];
  const prices = rows.map((row) => [new Date(row.time / 1e6),
    ...(traded ? [[number(row.low), number(row.close), number(row.high)]] : []),
    ...(quoted ? [[number(row.bid), number(row.bid), number(row.bid)], [number(row.ask), number(row.ask), number(row.ask)]] : [])]);
  if (!names.length) { say("prices-words", "these ticks have no prices"); return; }
  const zoom = (from, to) => {
    $("from").value = String(Math.round(from * 1e6));
    $("to").value = String(Math.round(to * 1e6));
    drawPrices();
  };
  const both = { again: { dateWindow: null, valueRange: null } };
  draw("price-chart", ["time", ...names], prices,
    { customBars: true, digitsAfterDecimal: 6, zoomCallback: (from, to) => { if (!drawing) zoom(from, to); }, ...both });
  draw("volume-chart", ["time", "volume"], volumes(rows),
    { includeZero: true, stepPlot: true, fillGraph: true, labelsKMB: true, ...both });
  $("prices-table").hidden = hasCharts;
  if (!hasCharts) fillTable("bars", rows.map((row) => [moment(row.time),
    ...["open", "high", "low", "close", "volume", "bid", "ask"].map((key) => [row[key] === null ? "-" : row[key], "n"])]), "nothing");
}

let drawing = false;
async function drawPrices() {
  const symbol = $("symbol").value.trim();
  if (!symbol || drawing) return;
  drawing = true;
  say("prices-words", "reading the tape");
  try {
    const asked = new URLSearchParams({ symbol, from: $("from").value.trim(), to: $("to").value.trim(),
      bars: String(hasCharts ? Math.min(1000, Math.max(100, $("prices-words").clientWidth)) : 50) });
    const { rows, told } = await ask("/ticks?" + asked);
    const ticks = rows.reduce((n, row) => n + row.ticks, 0), trades = rows.reduce((n, row) => n + row.trades, 0);
    say("prices-words", (rows.length ? count(ticks) + " ticks, " + count(trades) + " trades of " + symbol
      : "no tick of " + symbol + " in that range") + (told ? "; " + told : ""));
    if (rows.length) showBars(rows);
  } catch (error) {
    say("prices-words", error.message, true);
  }
  drawing = false;
}

// ---- beginning ----

function listen() {
  const events = new EventSource("/events");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = () => health("no connection", true); // the browser tries again by itself
}

$("no-charts").hidden = hasCharts;
document.body.classList.toggle("plain", !hasCharts);
$("draw").addEventListener("click", drawPrices);
for (const id of ["symbol", "from", "to"])
  $(id).addEventListener("keydown", (event) => { if (event.key === "Enter") drawPrices(); });
$("price-chart").addEventListener("dblclick", () => { $("from").value = "start"; $("to").value = "end"; drawPrices(); });
listen();
showCoverage();
setInterval(showCoverage, 30000);
listSymbols().then(drawPrices);
