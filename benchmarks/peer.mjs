// One end of a two-process benchmark for stacks that run in node. What is measured, and what the ends say to each other,
// is told in webrtc_stack/cli/bench/ends.py:
//   node benchmarks/peer.mjs STACK ROLE MODE [ARGUMENT...]
// STACK is `werift`, `roamhq` (libwebrtc as @roamhq/wrtc builds it) or `ndc` (libdatachannel as node-datachannel builds
// it); PEERS is the folder that they are installed in.
import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.PEERS}/`);
const [stack, role, mode, ...words] = process.argv.slice(2);
const offers = role === "offer";
const library = require({ werift: "werift", roamhq: "@roamhq/wrtc", ndc: "node-datachannel/polyfill" }[stack]);
const HIGH = 1 << 20;
const LOW = 256 << 10;
const SETTLE = 300;
const FRAME_PACKETS = 50;
const PAYLOAD = Buffer.concat([Buffer.from([0x90, 0x80, 0x80, 0]), Buffer.alloc(1196, 0x42)]);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const turn = () => new Promise((resolve) => setImmediate(resolve));
const seconds = () => performance.now() / 1000;
const tell = (message) => writeSync(1, JSON.stringify(message) + "\n");
const result = (values) => writeSync(2, "RESULT " + JSON.stringify(values) + "\n");

function meter() {
  const wall = seconds();
  const before = process.cpuUsage();
  return () => {
    const used = process.cpuUsage(before);
    return { wall: seconds() - wall, cpu: (used.user + used.system) / 1e6 };
  };
}

let hear = () => {};
const waiting = [];
createInterface({ input: process.stdin })
  .on("line", (line) => {
    waiting.push(JSON.parse(line));
    hear();
  })
  .on("close", () => {
    waiting.push({ bye: true, gone: true });
    hear();
  });
async function heard() {
  while (!waiting.length) await new Promise((resolve) => (hear = resolve));
  return waiting.shift();
}

async function barrier(name) {
  tell({ [name]: true });
  for (;;) {
    const message = await heard();
    if (message[name]) return;
    if (message.gone) process.exit(1);
  }
}

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && resolve());
    pc.addEventListener("icecandidate", (event) => !event.candidate && resolve());
  });
}

async function describe(pc, description, trickle) {
  const done = gathered(pc);
  const early = []; // one stack finds candidates before its description is at hand
  let told = false;
  if (trickle)
    pc.onicecandidate = ({ candidate }) => {
      const message = { candidate: candidate ? (candidate.toJSON?.() ?? candidate) : null };
      if (told) tell(message);
      else early.push(message);
    };
  await pc.setLocalDescription(description);
  if (!trickle) await done;
  const { type, sdp } = pc.localDescription;
  tell({ description: { type, sdp } });
  told = true;
  early.forEach(tell);
}

async function remote(pc, message, trickle, prepare) {
  if (message.description) {
    await pc.setRemoteDescription(message.description);
    if (message.description.type === "offer") {
      await prepare(pc);
      await describe(pc, await pc.createAnswer(), trickle);
    }
  } else if (message.candidate) {
    await pc.addIceCandidate(message.candidate);
  }
}

function opened(channel) {
  if (stack !== "werift") channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = LOW;
  if (channel.readyState === "open") return Promise.resolve(channel);
  return new Promise((resolve) => (channel.onopen = () => resolve(channel)));
}

function connection() {
  if (stack !== "werift") return new library.RTCPeerConnection({ iceServers: [] });
  const vp8 = new library.RTCRtpCodecParameters({ mimeType: "video/VP8", clockRate: 90000, payloadType: 96 });
  return new library.RTCPeerConnection({ iceServers: [], codecs: { video: [vp8] } });
}

// Connects both ends. `prepare` is done to the connection before the answer.
async function connect(pc, { trickle = false, prepare = async () => {} } = {}) {
  const channel = offers && pc.createDataChannel("bench");
  const incoming = new Promise((resolve) => (pc.ondatachannel = (event) => resolve(opened(event.channel))));
  await barrier("ready");
  const begun = seconds();
  const over = (async () => {
    for (;;) {
      const message = await heard();
      if (message.bye) return;
      await remote(pc, message, trickle, prepare);
    }
  })();
  const open = offers ? opened(channel) : incoming;
  if (offers) await describe(pc, await pc.createOffer(), trickle);
  const made = await open;
  const took = seconds() - begun;
  tell({ bye: true });
  await over;
  return [made, took];
}

const onMessage = (channel, take) => (channel.onmessage = (event) => take(event.data));
const sizeOf = (data) => data.byteLength ?? data.length;

async function drained(channel) {
  // Events of one stack come late and of another never: a look at the amount serves all of them.
  while (channel.bufferedAmount > LOW) await (stack === "roamhq" ? sleep(1) : turn());
}

async function throughput(size, duration) {
  const pc = connection();
  const [channel] = await connect(pc);
  if (offers) {
    const seen = new Promise((resolve) => onMessage(channel, resolve));
    await barrier("ready");
    await sleep(SETTLE);
    const data = randomBytes(size);
    const burst = Math.max(1, Math.min(64, Math.floor(65536 / size)));
    const used = meter();
    const end = seconds() + duration;
    let messages = 0;
    while (seconds() < end) {
      for (let i = 0; i < burst; i++) channel.send(data);
      messages += burst;
      if (channel.bufferedAmount > HIGH) await drained(channel);
      else if (messages % (burst * 8) === 0) await turn();
    }
    channel.send(`done ${messages}`);
    await seen;
    result({ messages, ...used() });
  } else {
    let messages = 0;
    let bytes = 0;
    let used = meter();
    const done = new Promise((resolve) =>
      onMessage(channel, (data) => {
        if (typeof data === "string") return resolve(Number(data.slice(5)));
        if (!messages) used = meter();
        messages++;
        bytes += sizeOf(data);
      }),
    );
    await barrier("ready");
    const expected = await done;
    result({ messages, bytes, expected, ...used() });
    channel.send("seen");
  }
  await sleep(200);
  await barrier("over");
  await pc.close();
}

async function connecting(count, signalling) {
  const times = [];
  let used = meter();
  for (let number = 0; number <= count; number++) {
    if (number === 1) used = meter(); // the first one loads what is loaded once
    const pc = connection();
    times.push((await connect(pc, { trickle: signalling === "trickle" }))[1]);
    await pc.close();
  }
  result({ times: times.slice(1), ...used() });
}

async function ping(count) {
  const pc = connection();
  const [channel] = await connect(pc);
  const data = Buffer.alloc(64);
  let came = () => {};
  let number = 0;
  const answered = new Promise((resolve) =>
    onMessage(channel, () => {
      came();
      if (offers) return;
      channel.send(data);
      if (++number === count) resolve();
    }),
  );
  await barrier("ready");
  if (offers) await sleep(SETTLE);
  const used = meter();
  const times = [];
  if (offers) {
    for (let i = 0; i < count; i++) {
      const begun = seconds();
      const back = new Promise((resolve) => (came = resolve));
      channel.send(data);
      await back;
      times.push(seconds() - begun);
    }
  } else {
    await answered;
  }
  result(offers ? { times, ...used() } : used());
  await barrier("over");
  await pc.close();
}

function kilobytes() {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"))[1]);
}

async function idle(count, duration) {
  const connections = [];
  let first = 0;
  for (let number = 0; number <= count; number++) {
    const pc = connection();
    connections.push([pc, await connect(pc)]);
    if (number === 0) {
      await sleep(SETTLE);
      first = kilobytes();
    }
  }
  await barrier("ready");
  await sleep(1000);
  const full = kilobytes();
  const used = meter();
  await sleep(duration * 1000);
  const { cpu, wall } = used();
  await barrier("measured");
  result({ process_kilobytes: first, kilobytes: (full - first) / count, cpu: cpu / wall / (count + 1) });
  for (const [pc] of connections) await pc.close();
}

// Video of werift: packets are written and read as they are.
let sequence = 0;
function writeFrame(track, number) {
  for (let i = 0; i < FRAME_PACKETS; i++) {
    const header = Buffer.alloc(12);
    header[0] = 0x80;
    header[1] = 96 | (i === FRAME_PACKETS - 1 ? 0x80 : 0);
    header.writeUInt16BE(sequence++ & 0xffff, 2);
    header.writeUInt32BE((number * 3000) >>> 0, 4);
    header.writeUInt32BE(0x1234567, 8);
    track.writeRtp(Buffer.concat([header, PAYLOAD]));
  }
}

async function writeFrames(track, duration, frames) {
  const begun = seconds();
  let number = 0;
  for (let now = 0; now < duration; now = seconds() - begun) {
    if (!frames || number <= now * frames) writeFrame(track, number++);
    if (frames) await sleep(Math.max(0, (number / frames - (seconds() - begun)) * 1000));
    else await turn();
  }
  return number * FRAME_PACKETS;
}

const newTrack = () => new library.MediaStreamTrack({ kind: "video" });
let received = 0;

function count(pc, also = () => {}) {
  pc.onTrack.subscribe((track) =>
    track.onReceiveRtp.subscribe((packet) => {
      received++;
      also(packet);
    }),
  );
}

async function media(duration, frames) {
  const pc = connection();
  const track = newTrack();
  if (offers) pc.addTransceiver(track, { direction: "sendonly" });
  else count(pc);
  await connect(pc);
  await barrier("ready");
  await sleep(SETTLE);
  const before = received;
  const used = meter();
  let packets = 0;
  if (offers) packets = await writeFrames(track, duration, frames);
  else await sleep(duration * 1000);
  const spent = used();
  result({ packets: offers ? packets : received - before, ...spent });
  await barrier("over");
  await pc.close();
}

async function fanout(copies, frames, duration) {
  const source = newTrack();
  const outs = [];
  const connections = [];
  let sent = 0;
  for (let number = 0; number <= copies; number++) {
    const pc = connection();
    if (offers) pc.addTransceiver(number ? "video" : source, { direction: number ? "recvonly" : "sendonly" });
    if (offers && number) count(pc);
    if (!offers && !number)
      count(pc, (packet) => {
        for (const out of outs) out.writeRtp(packet.clone());
        sent += outs.length;
      });
    await connect(pc, {
      prepare: async () => {
        if (!number) return;
        const track = newTrack();
        const [transceiver] = pc.getTransceivers();
        transceiver.setDirection("sendonly");
        await transceiver.sender.replaceTrack(track);
        outs.push(track);
      },
    });
    connections.push(pc);
  }
  await barrier("ready");
  await sleep(SETTLE);
  const before = received;
  sent = 0;
  const used = meter();
  if (offers) sent = await writeFrames(source, duration, frames);
  else await sleep(duration * 1000);
  const spent = used();
  await sleep(SETTLE);
  result({ sent, received: received - before, ...spent });
  await barrier("over");
  for (const pc of connections) await pc.close();
}

const modes = { throughput, connect: connecting, ping, media, fanout, idle };
await modes[mode](...words.map((word) => (Number.isNaN(Number(word)) ? word : Number(word))));
process.exit(0);
