// The page's half of the call: four lines of media, the cards that show them, and the controls that change them.
//
// Whoever makes the offers makes the changes: with "Offer from: browser" this page renegotiates, with "Python" it asks
// Python to. Lines are told apart by their order: camera, picture, voice, music.

import { Camera, StampReader, eachFrame } from "/camera.js";
import { Ear, SILENCE, fullness, noteName } from "/sound.js";
import "/counter.js";

const $ = id => document.getElementById(id);
const LINES = { camera: "video", picture: "video", voice: "audio", music: "audio" };
const CODECS = ["VP8", "VP9", "H264", "AV1"];
const SHOWN = { H264: "H.264" };

const camera = new Camera($("camera-canvas"));
const ear = new Ear();
const stamps = new StampReader();
const small = document.createElement("canvas");
[small.width, small.height] = [320, 180];
const pen = small.getContext("2d", { willReadFrequently: true });

// What the visitor wants; it outlives a connection.
const wishes = { camera: false, voice: false, hold: false, codec: "VP8" };
let microphone = null, loss = 0, music = "off", holding = false;
let call = null, able = true;

export const wanted = () => ({ ...wishes, loss, music });

/** What Python can do: the names of its codecs, null where it has none. */
export function introduce(codecs) {
  able = codecs !== null;
  const here = RTCRtpSender.getCapabilities?.("video")?.codecs ?? [];
  const names = CODECS.filter(name => here.some(one => one.mimeType.toLowerCase() === `video/${name.toLowerCase()}`) && (!able || codecs.includes(name)));
  if (!names.includes(wishes.codec)) wishes.codec = names[0] ?? "VP8";
  $("codecs").replaceChildren(...names.map(name => {
    const label = document.createElement("label"), input = document.createElement("input"), word = document.createElement("span");
    Object.assign(input, { type: "radio", name: "codec", value: name, checked: name === wishes.codec, onchange: () => change({ codec: name }) });
    word.textContent = SHOWN[name] ?? name;
    label.append(input, word);
    return label;
  }));
  const lacking = "This Python has no codecs. pip install 'webrtc-stack[demo]' brings pictures and sound.";
  $("picture-word").textContent = able ? "The picture appears when the connection stands." : lacking;
  $("voice-note").textContent = able ? "Hold the button and speak: Python listens, and says it again when you let go." : lacking;
  show();
}

export class Call {
  /** `tell` asks something of Python; `negotiate` makes an offer now. */
  constructor(pc, pythonOffers, tell, negotiate) {
    this.pc = pc;
    this.pythonOffers = pythonOffers;
    this.tell = tell;
    this.negotiate = negotiate;
    this.lines = {};
    this.mids = {};
    this.endings = [];
    this.read = { number: null, count: 0, shown: 0 };
    this.latency = null;
    call = this;
    wishes.hold = false;
    $("control-side").textContent = `${pythonOffers ? "Python" : "Your browser"} makes the offer for each of them`;
    show();
  }

  /** The page offers: four transceivers, which Python will find in this order. */
  begin() {
    for (const [name, kind] of Object.entries(LINES)) this.lines[name] = this.pc.addTransceiver(kind, { direction: "inactive", streams: [] });
    this.dress();
    this.prefer();
    this.apply();
    if (loss || music !== "off") this.tell({ loss, music });
  }

  /** Python has offered. */
  adopt() {
    if (!this.lines.music) {
      const free = { video: ["camera", "picture"], audio: ["voice", "music"] };
      for (const one of this.pc.getTransceivers()) {
        const name = free[one.receiver.track.kind].shift();
        if (name) this.lines[name] = one;
      }
      if (!this.lines.music) return;
      this.dress();
    }
    this.apply();
  }

  dress() {
    const { camera: echo, picture, voice, music: played } = this.lines;
    for (const [id, line] of [["echo-video", echo], ["picture-video", picture], ["voice-audio", voice], ["music-audio", played]]) {
      $(id).srcObject = new MediaStream([line.receiver.track]);
      $(id).play?.().catch(() => {});  // sound waits for a click, and every control is one
    }
    ear.listen([voice.receiver.track, played.receiver.track]);
    this.feed();
    this.endings.push(eachFrame($("echo-video"), () => this.sawEcho()), eachFrame($("picture-video"), () => this.sawPicture()));
  }

  feed() {
    if (!this.lines.music) return;
    for (const [name, track] of [["camera", camera.track], ["voice", microphone]])
      if (this.lines[name].sender.track !== track) this.lines[name].sender.replaceTrack(track).catch(console.error);
  }

  /** Brings this side's directions in line with the wishes. */
  apply() {
    const directions = {
      camera: wishes.camera ? "sendrecv" : "inactive", picture: "recvonly", voice: wishes.voice ? "sendrecv" : "inactive", music: "recvonly",
    };
    for (const [name, line] of Object.entries(this.lines)) {
      const direction = wishes.hold && !this.pythonOffers ? "inactive" : directions[name];
      if (line.direction !== "stopped" && line.direction !== direction) line.direction = direction;
    }
  }

  prefer() {
    const wantedType = `video/${wishes.codec.toLowerCase()}`;
    for (const name of ["camera", "picture"]) {
      const line = this.lines[name];
      const side = name === "camera" ? RTCRtpSender : RTCRtpReceiver;
      const codecs = side.getCapabilities?.("video")?.codecs;
      if (!codecs || !line.setCodecPreferences) continue;
      const first = codecs.filter(one => one.mimeType.toLowerCase() === wantedType);
      try { line.setCodecPreferences([...first, ...codecs.filter(one => !first.includes(one))]); }
      catch (error) { console.error(error); }
    }
  }

  change(changes) {
    this.feed();
    if (this.pythonOffers) this.tell(changes);
    else if (this.lines.music) {
      this.apply();
      if (!("codec" in changes)) return;
      this.prefer();
      this.negotiate();  // preferences ask for no negotiation by themselves
    }
  }

  restart() {
    if (this.pythonOffers) this.tell({ restart: true });
    else this.pc.restartIce();
  }

  sawEcho() {
    const number = wishes.camera ? stamps.read($("echo-video")) : null;
    const age = number === null ? null : camera.age(number);
    if (age === null) return;
    this.echoes = (this.echoes ?? 0) + 1;
    this.latency = this.latency === null ? age : this.latency + (age - this.latency) * 0.1;
  }

  sawPicture() {
    this.read.shown++;
    pen.drawImage($("picture-video"), 0, 0, small.width, small.height);
    const number = WebrtcCounter.read(pen.getImageData(0, 0, small.width, small.height));
    if (number === null) return;
    this.read.count++;
    this.read.number = number;
    $("picture-number").textContent = number;
    $("picture-curtain").hidden = true;
  }

  /** What Python tells of the call, twice a second. */
  panel(facts) {
    for (const [name, line] of Object.entries(this.lines)) this.mids[name] = line.mid;
    const asked = { sendrecv: "both ways", sendonly: "from Python", recvonly: "to Python", inactive: "resting", "": "–" };
    const now = Object.entries(facts.lines).map(([name, direction]) => `${name}: ${asked[direction] ?? direction}`).join("  ·  ");
    const lost = facts.lostOutgoing + facts.lostIncoming;
    this.stopped = facts.stopped.picture;
    $("control-note").textContent = `${now || "no lines yet"}${lost ? `  ·  ${lost.toLocaleString("en")} packets lost on purpose` : ""}`;
    const state = { listening: "Python listens…", speaking: "Python says it again…" }[facts.parrot];
    $("voice-word").textContent = state ?? (wishes.voice ? "microphone on" : "microphone off");
    const echoed = this.latency === null || !wishes.camera;
    $("echo-latency").textContent = echoed ? "–" : this.latency.toFixed(0);
  }

  /** What the statistics of the browser tell of pictures. */
  describe({ lines, byId }) {
    const words = stream => {
      if (!stream?.frameWidth) return null;
      const codec = byId.get(stream.codecId)?.mimeType?.split("/")[1];
      return [SHOWN[codec] ?? codec, `${stream.frameWidth}×${stream.frameHeight}`, stream.framesPerSecond ? `${Math.round(stream.framesPerSecond)} a second` : null].filter(Boolean).join(", ");
    };
    const echo = wishes.camera && !wishes.hold ? words(lines.camera.in[0]) : null;
    $("echo-note").textContent = echo ? `${echo}; encoded once` : "the same encoded frames; nothing is decoded";
    const picture = words(lines.picture.in[0]);
    const { count, shown } = this.read;
    if (this.stopped) $("picture-note").textContent = `Python sends no picture: ${this.stopped}`;
    else $("picture-note").textContent = picture ? `${picture}; ${count} of ${shown} numbers read` : "drawn and encoded in Python; this page reads the number off the pixels";
  }

  close() {
    for (const end of this.endings) end();
    for (const id of ["echo-video", "picture-video", "voice-audio", "music-audio"]) $(id).srcObject = null;
    ear.listen([]);
    if (call !== this) return;
    call = null;
    $("picture-number").textContent = $("echo-latency").textContent = "–";
    $("picture-curtain").hidden = false;
    show();
  }
}

/** How loud Python hears the microphone, and what it plays. */
export function sound(facts) {
  meter("python-meter", wishes.voice && facts.level !== null ? facts.level : SILENCE);
  $("music-word").dataset.plays = facts.frequency.toFixed(1);
}

function meter(id, level) {
  $(id).style.width = `${100 * fullness(level)}%`;
  $(id).parentElement.setAttribute("aria-valuenow", Math.round(level));
}

setInterval(() => {
  const heard = ear.measure();
  meter("browser-meter", heard?.level ?? SILENCE);
  $("music-word").textContent = heard?.frequency > 30 ? `${noteName(heard.frequency)}, ${heard.frequency.toFixed(0)} Hz` : "silence";
}, 100);

// --- controls --------------------------------------------------------------------------------------------------------

function change(changes) {
  Object.assign(wishes, changes);
  call?.change(changes);
  show();
}

function show() {
  const up = call !== null, on = wishes.camera;
  $("echo-curtain").hidden = on;
  $("camera-off").hidden = !on;
  $("camera-inset").hidden = !on;
  $("camera-on").disabled = $("drawn-on").disabled = !up;
  $("voice-on").disabled = !able || !up;
  $("voice-on").textContent = wishes.voice ? "Microphone off" : "Use the microphone";
  $("talk").disabled = !up || !wishes.voice;
  $("hold").textContent = wishes.hold ? "Resume" : "Hold";
  $("hold").setAttribute("aria-pressed", wishes.hold);
  $("hold").disabled = $("restart").disabled = $("loss").disabled = !up;
  for (const input of document.querySelectorAll("input[name=music]")) input.disabled = !able || !up;
  for (const input of document.querySelectorAll("input[name=codec]")) input.disabled = !up;
}

const refusals = {
  NotAllowedError: "The browser was told not to give it", NotFoundError: "There is none on this machine", NotReadableError: "Another program has it",
};

async function useCamera(what) {
  try {
    await camera.start(what);
    if (call) call.latency = null;
    change({ camera: true });
  } catch (error) {
    $("echo-word").textContent = `No camera: ${refusals[error.name] ?? error.message}. The drawn picture needs none.`;
  }
}

$("camera-on").onclick = () => useCamera("camera");
$("drawn-on").onclick = () => useCamera("drawn");
$("camera-off").onclick = () => {
  camera.stop();
  change({ camera: false });
};

$("voice-on").onclick = async () => {
  wake();
  if (wishes.voice) {
    microphone?.stop();
    microphone = null;
    return change({ voice: false });
  }
  try {
    if (!navigator.mediaDevices) throw new Error("browsers give microphones only to secure pages: https, or this very machine");
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true } });
    microphone = stream.getAudioTracks()[0];
    change({ voice: true });
  } catch (error) {
    $("voice-note").textContent = `No microphone: ${refusals[error.name] ?? error.message}.`;
  }
};

function wake() {
  ear.wake();
  for (const id of ["voice-audio", "music-audio"]) if ($(id).srcObject) $(id).play().catch(() => {});
}

function talk(held) {
  if (held === holding) return;
  holding = held;
  wake();
  $("talk").textContent = held ? "Let go to hear it" : "Hold to speak";
  call?.tell({ talk: held });
}
const button = $("talk");
button.onpointerdown = event => { button.setPointerCapture(event.pointerId); talk(true); };
button.onpointerup = button.onpointercancel = button.onblur = () => talk(false);
button.onkeydown = event => { if ((event.key === " " || event.key === "Enter") && !event.repeat) talk(true); };
button.onkeyup = event => { if (event.key === " " || event.key === "Enter") talk(false); };
button.oncontextmenu = event => event.preventDefault();  // a long press on a phone

for (const input of document.querySelectorAll("input[name=music]")) input.onchange = () => {
  wake();
  music = input.value;
  call?.tell({ music });
};

$("hold").onclick = () => change({ hold: !wishes.hold });
$("restart").onclick = () => call?.restart();
$("loss").oninput = () => {
  loss = Number($("loss").value);
  $("loss-value").textContent = `${loss} %`;
  call?.tell({ loss });
};
