// One end of a two-process benchmark for stacks that run in node, with the protocol of peer.py:
//   node benchmarks/peer.mjs STACK ROLE connect COUNT TRICKLE
// STACK is `werift` or `wrtc` (libwebrtc as @roamhq/wrtc builds it); PEERS is the folder that they are installed in.
import { createRequire } from "node:module";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.PEERS}/`);
const [stack, role, , count, signalling] = process.argv.slice(2);
const { RTCPeerConnection } = require(stack === "wrtc" ? "@roamhq/wrtc" : "werift");
const trickle = signalling === "trickle";

const tell = (message) => writeSync(1, JSON.stringify(message) + "\n");
let hear = () => {};
const waiting = [];
createInterface({ input: process.stdin }).on("line", (line) => {
  waiting.push(JSON.parse(line));
  hear();
});
async function heard() {
  while (!waiting.length) await new Promise((resolve) => (hear = resolve));
  return waiting.shift();
}

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    pc.addEventListener("icegatheringstatechange", () => pc.iceGatheringState === "complete" && resolve());
    pc.addEventListener("icecandidate", (event) => !event.candidate && resolve());
  });
}

async function describe(pc, description) {
  const done = gathered(pc);
  await pc.setLocalDescription(description);
  if (!trickle) await done;
  const { type, sdp } = pc.localDescription;
  tell({ description: { type, sdp } });
}

async function remote(pc, message) {
  if (message.description) {
    await pc.setRemoteDescription(message.description);
    if (message.description.type === "offer") await describe(pc, await pc.createAnswer());
  } else if (message.candidate) {
    await pc.addIceCandidate(message.candidate);
  }
}

function opened(channel) {
  if (channel.readyState === "open") return Promise.resolve();
  return new Promise((resolve) => (channel.onopen = resolve));
}

async function once() {
  const pc = new RTCPeerConnection({ iceServers: [] });
  if (trickle)
    pc.onicecandidate = ({ candidate }) => tell({ candidate: candidate ? (candidate.toJSON?.() ?? candidate) : null });
  tell({ ready: true }); // the other end may still be closing the connection before
  await heard();
  const begun = performance.now();
  let bye = null;
  const over = new Promise((resolve) => (bye = resolve));
  (async () => {
    for (;;) {
      const message = await heard();
      if (message.bye) return bye();
      await remote(pc, message);
    }
  })();
  let open;
  if (role === "offer") {
    const channel = pc.createDataChannel("bench");
    open = opened(channel);
    await describe(pc, await pc.createOffer());
  } else {
    open = new Promise((resolve) => (pc.ondatachannel = ({ channel }) => resolve(opened(channel))));
  }
  await open;
  const seconds = (performance.now() - begun) / 1000;
  if (role === "offer") {
    tell({ bye: true });
    await over;
  } else {
    await over;
    tell({ bye: true });
  }
  await pc.close();
  return seconds;
}

const times = [];
let before = process.cpuUsage();
for (let i = 0; i < Number(count); i++) {
  if (i === 1) before = process.cpuUsage(); // the first one loads what is loaded once
  times.push(await once());
}
const used = process.cpuUsage(before);
writeSync(2, "RESULT " + JSON.stringify({ times, cpu: (used.user + used.system) / 1e6 }) + "\n");
process.exit(0);
