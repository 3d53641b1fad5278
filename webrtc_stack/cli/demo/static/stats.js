// Statistics of both ends in small graphs. Both reports have W3C's schema, so one code reads them.

import { Graph } from "/graph.js";

const SIDES = ["python", "browser"];
const TILES = [
  { key: "rate", title: "Bitrate", unit: "Mbit/s", floor: 0.5, series: [["in", "--down"], ["out", "--up"]] },
  { key: "frames", title: "Frames a second", unit: "", whole: true, floor: 30, series: [["camera", "--up"], ["echo", "--down"], ["picture", "--accent"]] },
  { key: "rtt", title: "Round trip", unit: "ms", floor: 4, series: [["RTCP", "--accent"], ["STUN", "--down"]] },
  { key: "jitter", title: "Jitter", unit: "ms", floor: 4, series: [["video", "--accent"], ["audio", "--down"]] },
  { key: "loss", title: "Loss", unit: "%", floor: 5, series: [["in", "--down"], ["out", "--up"]] },
  { key: "repair", title: "Repair", unit: "a second", floor: 5, series: [["NACKs sent", "--down"], ["sent again", "--up"]] },
];
const COUNTS = [
  ["Packets received", "received"], ["Packets sent", "sent"], ["Lost on the way in", "lost"],
  ["NACKs sent", "nacksSent"], ["NACKs received", "nacksReceived"], ["Packets sent again", "againSent"],
  ["Key frames asked for", "plisSent"], ["Key frames asked of it", "plisReceived"], ["Packets received again", "againReceived"],
];

const sum = (entries, member) => entries.reduce((total, one) => total + (one[member] ?? 0), 0);
/** The sum for show: null where nobody counts that. */
const counted = (entries, member) => (entries.some(one => one[member] !== undefined) ? sum(entries, member) : null);
const largest = (entries, member) => entries.reduce((most, one) => Math.max(most, one[member] ?? -1), -1);

/** Makes figures of a report and the one before it. */
export class Reader {
  constructor() {
    this.last = new Map();
    this.rates = new Map();
  }

  /** `entries`: the stats; `mids`: the sections' names by line. */
  read(entries, mids = {}) {
    const byId = new Map(entries.map(one => [one.id, one]));
    const inbound = entries.filter(one => one.type === "inbound-rtp"), outbound = entries.filter(one => one.type === "outbound-rtp");
    const remote = entries.filter(one => one.type === "remote-inbound-rtp");
    const transport = entries.find(one => one.type === "transport");
    const pair = byId.get(transport?.selectedCandidatePairId) ?? entries.find(one => one.type === "candidate-pair" && (one.selected || (one.nominated && one.state === "succeeded")));
    const bytesIn = this.rate("in", inbound, "bytesReceived"), bytesOut = this.rate("out", outbound, "bytesSent");
    const on = (list, line) => list.filter(one => one.kind === "video" && one.mid !== undefined && one.mid === mids[line]);
    const rtcp = largest(remote, "roundTripTime");
    const lost = this.rate("lost", inbound, "packetsLost"), got = this.rate("got", inbound, "packetsReceived");
    const reported = remote.filter(one => one.fractionLost !== undefined);
    const kind = wanted => largest(inbound.filter(one => one.kind === wanted && one.packetsReceived), "jitter");
    const ms = value => (value >= 0 ? value * 1000 : null);
    return {
      pair, byId,
      rate: [bytesIn === null ? null : bytesIn * 8 / 1e6, bytesOut === null ? null : bytesOut * 8 / 1e6],
      lines: {
        camera: { in: on(inbound, "camera"), out: on(outbound, "camera") },
        picture: { in: on(inbound, "picture"), out: on(outbound, "picture") },
      },
      rtt: [ms(rtcp), pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000],
      jitter: [ms(kind("video")), ms(kind("audio"))],
      loss: [got === null ? null : got + lost > 0 ? Math.max(0, 100 * lost / (got + lost)) : 0, reported.length ? 100 * sum(reported, "fractionLost") / reported.length : null],
      repair: [this.rate("nacks", inbound, "nackCount"), this.rate("again", outbound, "retransmittedPacketsSent")],
      counts: {
        received: counted(inbound, "packetsReceived"), sent: counted(outbound, "packetsSent"),
        lost: counted(inbound, "packetsLost"), nacksSent: counted(inbound, "nackCount"), nacksReceived: counted(outbound, "nackCount"),
        againSent: counted(outbound, "retransmittedPacketsSent"), againReceived: counted(inbound, "retransmittedPacketsReceived"),
        plisSent: counted(inbound, "pliCount"), plisReceived: counted(outbound, "pliCount"),
      },
    };
  }

  /** How a sum of counters grows, a second; null at first. */
  rate(name, entries, member) {
    const now = entries[0]?.timestamp, value = sum(entries, member), before = this.last.get(name);
    if (now === undefined) return this.last.delete(name), null;
    if (before && now - before.now < 200) return this.rates.get(name) ?? null;
    this.last.set(name, { now, value });
    const rate = before && value >= before.value ? (value - before.value) * 1000 / (now - before.now) : null;
    this.rates.set(name, rate);
    return rate;
  }
}

const figure = (value, whole) => (value === null || value === undefined ? "–" : whole || value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(value && value < 1 ? 2 : 1));

function make(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** The card with the graphs. */
export class StatsCard {
  constructor(tiles, counts) {
    this.graphs = [];
    this.cells = {};
    this.counted = {};
    for (const tile of TILES) tiles.append(this.tile(tile));
    for (const [words, key] of COUNTS) {
      const row = document.createElement("div");
      row.append(make("dt", "", words));
      for (const side of SIDES) {
        const cell = make("dd", "", `${side === "python" ? "Python" : "browser"} `);
        const number = this.counted[`${side} ${key}`] = make("b", "", "–");
        number.id = `${key}-${side}`;
        cell.append(number);
        row.append(cell);
      }
      counts.append(row);
    }
    this.reset();
  }

  tile({ key, title, unit, floor, series }) {
    const box = make("div", "tile");
    const head = make("div", "tile-head", "");
    head.append(make("h3", "", unit ? `${title}, ${unit}` : title));
    const legend = make("span", "legend");
    for (const [name, color] of series) {
      const one = make("span", "", name);
      one.style.setProperty("--dot", `var(${color})`);
      legend.append(one);
    }
    head.append(legend);
    const pair = make("div", "pair");
    for (const side of SIDES) {
      const half = make("div", "half");
      const canvas = make("canvas", "small");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${title} as ${side === "python" ? "Python" : "your browser"} counts it, over the last 30 seconds`);
      const words = make("p", "half-head");
      const now = make("b", "");
      now.id = `${key}-${side}`;
      words.append(make("span", "", side === "python" ? "Python" : "browser"), now);
      half.append(words, canvas);
      pair.append(half);
      this.cells[`${side} ${key}`] = { now, graph: new Graph(canvas, series.map(([, color], index) => ({ color, fill: index === 0 })), { floor, unit: unit.length > 3 ? "" : unit, compact: true }) };
      this.graphs.push(this.cells[`${side} ${key}`].graph);
    }
    box.append(head, pair);
    return box;
  }

  /** Another connection begins. */
  reset() {
    this.readers = { python: new Reader(), browser: new Reader() };
    this.smooth = new Map();
    for (const graph of this.graphs) graph.gap();
  }

  /** Takes a report of "python" or "browser". Returns: what was read from it. */
  push(side, entries, mids) {
    const reader = this.readers[side], read = reader.read(entries, mids);
    const { camera, picture } = read.lines;
    const [sent, came, made] = side === "python" ? [camera.in, camera.out, picture.out] : [camera.out, camera.in, picture.in];
    const rate = (name, list) => reader.rate(name, list, list[0]?.type === "inbound-rtp" ? "framesReceived" : "framesSent");
    read.frames = [rate("camera", sent), rate("echo", came), rate("picture", made)];
    for (const { key, whole } of TILES) {
      const cell = this.cells[`${side} ${key}`];
      read[key].forEach((value, index) => value !== null && cell.graph.push(index, value));
      cell.now.textContent = read[key].map(value => figure(whole && value !== null ? Math.round(value) : value, whole)).join(" · ");
    }
    for (const [, key] of COUNTS) this.counted[`${side} ${key}`].textContent = read.counts[key]?.toLocaleString("en") ?? "–";
    return read;
  }

  draw(now) {
    for (const graph of this.graphs) graph.draw(now);
  }
}
