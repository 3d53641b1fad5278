// The page of `webrtc-stack demo`: signalling, one RTCPeerConnection at a time, chat, files, graphs, panel. What belongs
// to the call is in call.js.

import { Call, introduce, sound, wanted } from "/call.js";
import { Graph } from "/graph.js";
import { Sha256 } from "/sha256.js";
import { StatsCard } from "/stats.js";

const $ = id => document.getElementById(id);
const LAYERS = ["ice", "dtls", "sctp", "channels", "media"];
const PING_MS = 100, PING_LOST_MS = 2000, CHUNK = 64 * 1024, LOW_WATER = 512 * 1024, HIGH_WATER = 2 * 1024 * 1024;

const rtt = new Graph($("rtt-graph"), [{ color: "--accent", fill: true }], { floor: 2, unit: "ms" });
const rate = new Graph($("rate-graph"), [{ color: "--down", fill: true }, { color: "--up", fill: true }], { floor: 1, unit: "Mbit/s" });

const ends = new StatsCard($("tiles"), $("counts"));

let signal = null;      // the WebSocket
let link = null;        // the present connection
let session = 0;
let retry = 500;
let welcome = { visitor: "", version: "", files: [], maxFile: 0 };

// --- small helpers ---------------------------------------------------------------------------------------------------

function element(tag, options = {}, ...children) {
  const { class: name, ...rest } = options;
  const made = Object.assign(document.createElement(tag), rest);
  if (name) made.className = name;
  made.append(...children);
  return made;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB"];
  let unit = -1;
  do { bytes /= 1024; unit++; } while (bytes >= 1024 && unit < 2);
  return `${bytes.toFixed(bytes < 10 ? 1 : 0)} ${units[unit]}`;
}

function mbit(bytesPerSecond) {
  const value = bytesPerSecond * 8 / 1e6;
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function milliseconds(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const value = seconds * 1000;
  return value >= 100 ? `${value.toFixed(0)} ms` : value >= 1 ? `${value.toFixed(1)} ms` : `${value.toFixed(2)} ms`;
}

function banner(tone, title, text = "") {
  $("banner").dataset.tone = tone;
  $("banner-title").textContent = title;
  $("banner-text").textContent = text;
}

function step(name, state, value, detail) {
  const item = $(`step-${name}`);
  item.dataset.state = state;
  item.querySelector("b").textContent = value;
  item.querySelector("b").title = value;
  if (detail) item.querySelector("p").textContent = detail;
}

function facts(id, rows) {
  $(id).replaceChildren(...rows.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(
    ([name, value]) => [element("dt", { textContent: name }), element("dd", {}, value)]));
}

// --- signalling ------------------------------------------------------------------------------------------------------

function openSignalling() {
  step("signalling", "wait", "connecting");
  const socket = signal = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/signal`);
  socket.onmessage = event => received(JSON.parse(event.data)).catch(problem);
  socket.onclose = () => {
    if (signal !== socket) return;
    step("signalling", "bad", "gone", "the demo’s server does not answer");
    // A restarted server knows nothing of this page, but a connection that stands needs no server.
    if (link?.chat?.readyState !== "open" || link.pc.connectionState !== "connected") gone();
    setTimeout(openSignalling, retry);
    retry = Math.min(retry * 2, 8000);
  };
}

function gone() {
  endLink();
  for (const name of LAYERS) step(name, "", "–");
  banner("bad", "Python is not there.", "Is webrtc-stack demo still running? This page tries again by itself.");
}

function tell(message) {
  if (signal?.readyState === WebSocket.OPEN) signal.send(JSON.stringify(message));
}

async function received(message) {
  if (message.kind === "welcome") {
    welcome = message;
    retry = 500;
    $("foot").textContent = `webrtc-stack ${message.version}, visitor ${message.visitor}`;
    step("signalling", "good", "open", "a WebSocket to this page’s server");
    drawOffers();
    if (window.RTCPeerConnection) introduce(message.codecs);
    await start();
    return;
  }
  if (!link || message.session !== link.session) return;
  if (message.kind === "description") await link.described(message.description);
  else if (message.kind === "candidate") await link.addCandidate(message.candidate);
  else if (message.kind === "panel") drawPanel(message.panel);
  else if (message.kind === "sound") sound(message.sound);
  else if (message.kind === "stats") ends.push("python", Object.values(message.stats), link.call.mids);
  else if (message.kind === "error") problem(new Error(`Python says: ${message.text}`));
}

function problem(error) {
  console.error(error);
  banner("bad", "Something went wrong.", `${error.message} – “Reconnect” begins again.`);
}

// --- one connection --------------------------------------------------------------------------------------------------

class Link {
  constructor(number, pythonOffers) {
    this.session = number;
    this.started = performance.now();
    this.connectedAt = null;
    this.pythonOffers = pythonOffers;
    this.pings = new Map();
    this.pingNumber = 0;
    this.timers = [];
    this.remoteCandidates = [];
    this.last = null;
    const pc = this.pc = new RTCPeerConnection();
    pc.onicecandidate = ({ candidate }) =>
      tell({ kind: "candidate", session: this.session, candidate: candidate ? candidate.toJSON() : null });
    pc.onconnectionstatechange = () => this.stateChanged();
    pc.ondatachannel = ({ channel }) => this.adopt(channel);
    const negotiate = pc.onnegotiationneeded = () => this.negotiate().catch(problem);
    this.call = new Call(pc, pythonOffers, asked => tell({ kind: "call", session: number, call: asked }), negotiate);
  }

  begin() {
    tell({ kind: "start", session: this.session, offerer: this.pythonOffers ? "python" : "browser", call: wanted() });
    if (this.pythonOffers) return;
    this.adopt(this.pc.createDataChannel("chat"));
    this.adopt(this.pc.createDataChannel("ping", { ordered: false, maxRetransmits: 0 }));
    this.call.begin();
  }

  // Either side may offer at any time; where two offers meet, Python takes its own back.
  async negotiate() {
    this.offering = true;
    try {
      await this.pc.setLocalDescription();
      tell({ kind: "description", session: this.session, description: this.pc.localDescription.toJSON() });
    } finally {
      this.offering = false;
    }
  }

  async described(description) {
    const offered = description.type === "offer";
    this.ignoring = offered && (this.offering || this.pc.signalingState !== "stable");
    if (this.ignoring) return;
    await this.pc.setRemoteDescription(description);
    if (offered) {
      this.call.adopt();
      await this.pc.setLocalDescription();
      tell({ kind: "description", session: this.session, description: this.pc.localDescription.toJSON() });
    }
    const waiting = this.remoteCandidates;
    this.remoteCandidates = [];
    for (const candidate of waiting) await this.addCandidate(candidate);
  }

  async addCandidate(candidate) {
    if (!this.pc.remoteDescription) this.remoteCandidates.push(candidate);
    else await this.pc.addIceCandidate(candidate ?? undefined).catch(error => { if (!this.ignoring) throw error; });
  }

  adopt(channel) {
    channel.binaryType = "arraybuffer";
    if (channel.label === "chat") this.chatChannel(channel);
    else if (channel.label === "ping") this.pingChannel(channel);
    else if (channel.label === "file") receiveFile(channel);
  }

  chatChannel(channel) {
    this.chat = channel;
    channel.onopen = () => {
      this.connectedAt ??= performance.now();
      this.stateChanged();
      enable(true);
    };
    if (channel.readyState === "open") channel.onopen();
    channel.onmessage = ({ data }) => {
      const { text, by } = JSON.parse(data);
      say(text, { command: "", python: "Python", echo: "echo", terminal: "from the terminal", visitor: "" }[by] ?? by);
    };
    channel.onclose = () => this.ended();
  }

  pingChannel(channel) {
    channel.onopen = () => this.timers.push(setInterval(() => this.ping(channel), PING_MS));
    if (channel.readyState === "open") channel.onopen();
    channel.onmessage = ({ data }) => {
      const sent = this.pings.get(data);
      if (sent === undefined) return;
      this.pings.delete(data);
      const value = performance.now() - sent;
      rtt.push(0, value);
      $("rtt-now").textContent = value >= 10 ? value.toFixed(0) : value.toFixed(1);
    };
  }

  ping(channel) {
    const now = performance.now();
    for (const [number, sent] of this.pings) {
      if (now - sent < PING_LOST_MS) break;
      this.pings.delete(number);
      rtt.lost(sent);
    }
    if (channel.readyState !== "open" || channel.bufferedAmount > 1000) return;
    const number = String(this.pingNumber++);
    this.pings.set(number, now);
    channel.send(number);
  }

  // Browsers may go on saying "connected" after the other side has said goodbye; the chat's end tells.
  ended() {
    if (link !== this) return;
    enable(false);
    if (signal?.readyState !== WebSocket.OPEN) return gone();
    banner("wait", "The connection has ended.", "Python closed it. “Reconnect” makes a new one.");
  }

  stateChanged() {
    if (link !== this) return;
    const state = this.pc.connectionState;
    if (state === "connected" && this.connectedAt !== null) {
      const took = (this.connectedAt - this.started).toFixed(0);
      banner("good", "Connected.", `It took ${took} ms from the first word to an open channel; ${this.pythonOffers ? "Python" : "the browser"} made the offer.`);
    } else if (state === "connected" || state === "connecting") {
      banner("wait", "Connecting.", "Looking for a path and agreeing on keys; this usually takes a blink.");
    } else if (state === "disconnected") {
      banner("wait", "The line has gone quiet.", "Nothing has come through for some seconds. It may heal by itself.");
    } else if (state === "failed") {
      banner("bad", "No path to Python was found, or it was lost.", "A VPN or a strict browser setting can hide every address. “Reconnect” tries again.");
      enable(false);
    }
  }

  close() {
    for (const timer of this.timers) clearInterval(timer);
    this.pc.onconnectionstatechange = this.pc.onnegotiationneeded = null;
    this.call.close();
    this.pc.close();
  }
}

async function start() {
  endLink();
  banner("wait", "Connecting.", "Looking for a path and agreeing on keys; this usually takes a blink.");
  for (const name of LAYERS) step(name, "", "–");
  $("pairs").replaceChildren(element("tr", {}, element("td", { colSpan: 4, class: "empty", textContent: "Pairs appear as soon as both sides have named an address." })));
  if (!window.RTCPeerConnection) {
    banner("bad", "This browser has no WebRTC.", "An extension or a policy may have turned it off.");
    return;
  }
  const pythonOffers = document.querySelector("input[name=offerer]:checked").value === "python";
  link = new Link(++session, pythonOffers);
  link.begin();
}

function endLink() {
  if (link) {
    rtt.gap();
    rate.gap();
    ends.reset();
    link.close();
    link = null;
  }
  enable(false);
}

function enable(yes) {
  for (const one of document.querySelectorAll("#chat-form input, #chat-form button, #quick button, #choose, #offers button, .tests button"))
    one.disabled = !yes;
}

// --- chat ------------------------------------------------------------------------------------------------------------

function say(text, by, mine = false) {
  $("chat-empty")?.remove();
  const box = $("messages");
  const low = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  box.append(element("div", { class: mine ? "message mine" : "message" }, text, ...(by ? [element("small", { textContent: by })] : [])));
  while (box.children.length > 500) box.firstChild.remove();
  if (low || mine) box.scrollTop = box.scrollHeight;
}

function ask(text) {
  if (!text.trim() || link?.chat?.readyState !== "open") return;
  say(text, "", true);
  link.chat.send(JSON.stringify({ text }));
}

$("chat-form").onsubmit = event => {
  event.preventDefault();
  ask($("chat-input").value);
  $("chat-input").value = "";
};
for (const button of document.querySelectorAll("#quick button")) button.onclick = () => ask(button.dataset.say);

// --- files -----------------------------------------------------------------------------------------------------------

class TransferRow {
  constructor(name, total, outgoing) {
    this.total = total;
    this.started = performance.now();
    this.facts = element("span", { class: "facts" });
    this.fill = element("i");
    this.verdict = element("div", { class: "verdict", textContent: outgoing ? "on its way to Python" : "on its way to you" });
    this.line = element("div", { class: "transfer-line" },
      element("span", { class: outgoing ? "way up" : "way down", textContent: outgoing ? "↑" : "↓", title: outgoing ? "to Python" : "from Python" }),
      element("span", { class: "name", textContent: name, title: name }), this.facts);
    this.item = element("li", {}, this.line, element("div", { class: "bar" }, this.fill), this.verdict);
    const list = $("transfers");
    list.querySelector(".empty")?.remove();
    list.prepend(this.item);
    while (list.children.length > 30) list.lastChild.remove();
    this.progress(0);
  }

  progress(moved) {
    const seconds = (performance.now() - this.started) / 1000;
    this.fill.style.width = `${this.total ? 100 * moved / this.total : 100}%`;
    this.facts.textContent = `${size(moved)} of ${size(this.total)}${seconds > 0.05 && moved ? `  ·  ${mbit(moved / seconds)} Mbit/s` : ""}`;
  }

  done(here, there) {
    this.progress(this.total);
    this.item.className = "done";
    this.verdict.replaceChildren(element("span", { class: "equal", textContent: "✓ same SHA-256 on both ends" }),
      element("span", {}, "browser ", element("code", { textContent: `${here.slice(0, 10)}…${here.slice(-4)}`, title: here })),
      element("span", {}, "Python ", element("code", { textContent: `${there.slice(0, 10)}…${there.slice(-4)}`, title: there })));
  }

  failed(why) {
    if (this.item.className) return;
    this.item.className = "failed";
    this.verdict.textContent = why;
  }
}

function below(channel, mark) {
  if (channel.bufferedAmount <= mark) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error("the connection ended"));
    channel.addEventListener("bufferedamountlow", () => { channel.removeEventListener("close", gone); resolve(); }, { once: true });
    channel.addEventListener("close", gone, { once: true });
  });
}

async function sendFile(file) {
  const row = new TransferRow(file.name, file.size, true);
  if (!link || link.chat?.readyState !== "open") return row.failed("there is no connection");
  if (file.size > welcome.maxFile) return row.failed(`Python takes files of up to ${size(welcome.maxFile)}`);
  const channel = link.pc.createDataChannel("file");
  const piece = Math.min(CHUNK, link.pc.sctp?.maxMessageSize ?? CHUNK);
  const digest = new Sha256();
  let finished = null, stopped = false;
  channel.bufferedAmountLowThreshold = LOW_WATER;
  channel.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    if ("received" in told) row.progress(told.received);
    else if (told.error) { stopped = true; row.failed(told.error); channel.close(); }
    else if (told.sha256) {
      if (told.sha256 === finished) row.done(finished, told.sha256);
      else row.failed("the checksums differ");
      channel.close();
    }
  };
  channel.onclose = () => { stopped = true; row.failed("cancelled: the channel closed"); };
  try {
    await new Promise((resolve, reject) => {
      channel.onopen = resolve;
      channel.addEventListener("close", () => reject(new Error("the channel did not open")), { once: true });
    });
    channel.send(JSON.stringify({ name: file.name, size: file.size }));
    for (let at = 0; at < file.size && !stopped; at += piece) {
      const bytes = new Uint8Array(await file.slice(at, at + piece).arrayBuffer());
      if (channel.bufferedAmount > HIGH_WATER) await below(channel, LOW_WATER);
      if (stopped) break;
      channel.send(bytes);
      digest.update(bytes);
    }
    if (!stopped) {
      finished = digest.hex();
      channel.send(JSON.stringify({ sha256: finished }));
    }
  } catch (error) {
    row.failed(error.message);
  }
}

function receiveFile(channel) {
  let header = null, row = null, moved = 0, shown = 0;
  const pieces = [], digest = new Sha256();
  const refuse = why => {
    row?.failed(why);
    if (channel.readyState === "open") channel.send(JSON.stringify({ error: why }));
  };
  channel.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      moved += data.byteLength;
      if (!header || moved > header.size) return refuse("more came than was announced");
      pieces.push(data);
      digest.update(new Uint8Array(data));
      const now = performance.now();
      if (now - shown > 50) { shown = now; row.progress(moved); }
      return;
    }
    const told = JSON.parse(data);
    if (!header) {
      header = { name: String(told.name), size: Number(told.size) };
      row = new TransferRow(header.name, header.size, false);
      return;
    }
    const here = digest.hex();
    if (here !== told.sha256 || moved !== header.size) return refuse("the checksums differ");
    row.done(here, told.sha256);
    channel.send(JSON.stringify({ sha256: here }));
    const save = element("a", { href: URL.createObjectURL(new Blob(pieces)), download: header.name, textContent: "save" });
    row.line.append(save);
  };
  channel.onclose = () => row?.failed("cancelled: the channel closed");
}

function drawOffers() {
  $("offers").replaceChildren(...welcome.files.map(one => element("button", {
    type: "button", disabled: true, title: `${one.name}, ${size(one.size)}`,
    textContent: one.id.startsWith("generated") ? size(one.size).replace(".0", "") : one.name,
    onclick: () => { if (link?.chat?.readyState === "open") link.chat.send(JSON.stringify({ send: one.id })); },
  })));
}

$("choose").onclick = () => $("picker").click();
$("picker").onchange = () => { for (const file of $("picker").files) sendFile(file); $("picker").value = ""; };
const drop = $("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, event => { event.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", event => { event.preventDefault(); for (const file of event.dataTransfer.files) sendFile(file); });
for (const name of ["dragover", "drop"]) window.addEventListener(name, event => event.preventDefault());

// --- the throughput test ---------------------------------------------------------------------------------------------

async function speedTest(direction) {
  if (link?.chat?.readyState !== "open") return;
  const buttons = document.querySelectorAll(".tests button"), note = $("rate-note");
  for (const one of buttons) one.disabled = true;
  note.textContent = direction === "down" ? "Python sends as fast as it can…" : "your browser sends as fast as it can…";
  const channel = link.pc.createDataChannel("speed"), seconds = 4;
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = LOW_WATER;
  try {
    await new Promise((resolve, reject) => { channel.onopen = resolve; channel.onclose = () => reject(new Error("the channel closed")); });
    const result = new Promise((resolve, reject) => {
      let first = null, bytes = 0;
      channel.onmessage = ({ data }) => {
        if (typeof data === "string") return resolve(direction === "down" ? { bytes, seconds: (performance.now() - first) / 1000 } : JSON.parse(data));
        first ??= performance.now();
        bytes += data.byteLength;
      };
      channel.onclose = () => reject(new Error("the channel closed"));
    });
    result.catch(() => {});
    channel.send(JSON.stringify({ direction, seconds }));
    if (direction === "up") {
      const data = new Uint8Array(16 * 1024), end = performance.now() + seconds * 1000;
      while (performance.now() < end) {
        if (channel.bufferedAmount > HIGH_WATER) await below(channel, LOW_WATER);
        channel.send(data);
      }
      channel.send(JSON.stringify({ done: true }));
    }
    const { bytes, seconds: took } = await result;
    note.textContent = `${direction === "down" ? "↓" : "↑"} ${mbit(bytes / took)} Mbit/s over ${took.toFixed(1)} s`;
    channel.close();
  } catch (error) {
    note.textContent = `the test stopped: ${error.message}`;
  }
  for (const one of buttons) one.disabled = link?.chat?.readyState !== "open";
}
$("test-down").onclick = () => speedTest("down");
$("test-up").onclick = () => speedTest("up");

// --- the panel -------------------------------------------------------------------------------------------------------

const tones = { connected: "good", completed: "good", established: "good", failed: "bad", closed: "bad", disconnected: "wait", connecting: "wait", checking: "wait", new: "" };
const tone = state => tones[state] ?? (state.includes("wait") || state.includes("echo") ? "wait" : "");
const suiteWords = suite => (suite ?? "").replace(/^TLS_/, "").replaceAll("_", " ");

function drawPanel(panel) {
  const { ice, dtls, sctp, transport, channels } = panel;
  const chosen = ice.pairs.find(pair => pair.selected);
  step("ice", tone(ice.state), ice.state,
    chosen ? `${chosen.local} ↔ ${chosen.remote}` : `${ice.local.length} addresses here, ${ice.remote.length} there, ${ice.pairs.length} pairs`);
  step("dtls", tone(dtls.state), dtls.version ? `DTLS ${dtls.version.replace(/^DTLS ?/, "")}` : dtls.state, dtls.suite ? suiteWords(dtls.suite) : "encrypts it");
  if (sctp) step("sctp", tone(sctp.state), sctp.state, sctp.state === "established" ? `window ${size(sctp.cwnd)}, ${size(sctp.flight)} in flight` : null);
  const open = channels.filter(one => one.state === "open");
  step("channels", open.length ? "good" : "", open.length ? `${open.length} open` : "–", open.length ? open.map(one => one.label).join(", ") : "carry what you do below");

  link.call.panel(panel.call);
  const flowing = Object.entries(panel.call.lines).filter(([, direction]) => direction && direction !== "inactive").map(([name]) => name);
  step("media", flowing.length && dtls.state === "connected" ? "good" : "", flowing.length ? `${flowing.length} ${flowing.length === 1 ? "line" : "lines"}` : "–",
    flowing.length ? flowing.join(", ") : "carries pictures and sound");

  facts("python-side", [
    ["State", `${panel.connectionState}${panel.reason ? `: ${panel.reason}` : ""}`],
    ["ICE", `${ice.state}, ${ice.role}, gathering ${ice.gathering}`],
    ["DTLS", dtls.version ? `${dtls.version}, ${dtls.suite}, as ${dtls.role}` : dtls.state],
    ["Fingerprint", dtls.fingerprint ? element("code", { textContent: `${dtls.fingerprint.slice(0, 35)}…`, title: `your browser’s certificate, ${dtls.fingerprint}` }) : null],
    ["SCTP", sctp && `${sctp.state}, round trip ${milliseconds(sctp.srtt)}, retransmission after ${milliseconds(sctp.rto)}`],
    ["Sent", `${size(transport.bytesSent)} in ${transport.datagramsSent.toLocaleString("en")} datagrams`],
    ["Received", `${size(transport.bytesReceived)} in ${transport.datagramsReceived.toLocaleString("en")} datagrams`],
    ["Dropped", Object.entries(panel.drops).map(([reason, count]) => `${count} × ${reason}`).join(", ")],
  ]);
  if (ice.pairs.length) $("pairs").replaceChildren(...ice.pairs.map(pair => element("tr", { class: pair.selected ? "selected" : "" },
    element("td", {}, pair.local, element("span", { class: "tag", textContent: pair.localType })),
    element("td", {}, pair.remote, element("span", { class: "tag", textContent: pair.remoteType })),
    element("td", { class: `state-${pair.state}`, textContent: pair.selected ? `${pair.state}, selected` : pair.state }),
    element("td", { class: "number", textContent: milliseconds(pair.rtt) }))));
}

const tlsNames = { FEFD: "DTLS 1.2", FEFC: "DTLS 1.3", FEFF: "DTLS 1.0" };

async function browserStats() {
  const present = link;
  if (!present || present.pc.connectionState === "closed") return;
  const report = await present.pc.getStats();
  if (link !== present) return;
  const all = [...report.values()];
  if (present.connectedAt !== null) present.call.describe(ends.push("browser", all, present.call.mids));
  const transport = all.find(one => one.type === "transport");
  const pair = report.get(transport?.selectedCandidatePairId) ?? all.find(one => one.type === "candidate-pair" && (one.selected || (one.nominated && one.state === "succeeded")));
  const now = performance.now();
  if (pair) {
    const last = present.last;
    if (last && last.id === pair.id && now > last.now) {
      const seconds = (now - last.now) / 1000;
      const down = (pair.bytesReceived - last.received) / seconds, up = (pair.bytesSent - last.sent) / seconds;
      rate.push(0, down * 8 / 1e6, now);
      rate.push(1, up * 8 / 1e6, now);
      $("rate-down").textContent = mbit(down);
      $("rate-up").textContent = mbit(up);
    }
    present.last = { id: pair.id, now, received: pair.bytesReceived ?? 0, sent: pair.bytesSent ?? 0 };
  }
  const mine = pair && report.get(pair.localCandidateId), theirs = pair && report.get(pair.remoteCandidateId);
  const where = one => one && `${one.address ?? one.ip ?? "hidden"}:${one.port} (${one.candidateType})`;
  const counted = all.filter(one => one.type === "data-channel");
  facts("browser-side", [
    ["State", present.pc.connectionState],
    ["ICE", `${present.pc.iceConnectionState}, gathering ${present.pc.iceGatheringState}`],
    ["Path", mine && theirs ? `${where(mine)} → ${where(theirs)}` : null],
    ["Round trip", pair?.currentRoundTripTime === undefined ? null : `${milliseconds(pair.currentRoundTripTime)} by STUN`],
    ["DTLS", transport ? [tlsNames[transport.tlsVersion] ?? transport.tlsVersion, transport.dtlsCipher, transport.dtlsState].filter(Boolean).join(", ") : null],
    ["SCTP", present.pc.sctp ? `${present.pc.sctp.state}, messages up to ${size(present.pc.sctp.maxMessageSize)}` : null],
    ["Messages", `${counted.reduce((sum, one) => sum + (one.messagesSent ?? 0), 0).toLocaleString("en")} sent, ${counted.reduce((sum, one) => sum + (one.messagesReceived ?? 0), 0).toLocaleString("en")} received`],
  ]);
}

setInterval(() => browserStats().catch(console.error), 1000);

const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let drawn = 0, drawnSmall = 0;
function frame(now) {
  if (now - drawnSmall > 200) {
    drawnSmall = now;
    ends.draw(now);
  }
  if (now - drawn > (calm ? 500 : 40)) {
    drawn = now;
    rtt.draw(now);
    rate.draw(now);
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

$("reconnect").onclick = () => (signal?.readyState === WebSocket.OPEN ? start() : openSignalling())?.catch?.(problem);
for (const input of document.querySelectorAll("input[name=offerer]")) input.onchange = () => { if (signal?.readyState === WebSocket.OPEN) start().catch(problem); };
addEventListener("pagehide", () => { signal?.close(); link?.pc.close(); });
openSignalling();
