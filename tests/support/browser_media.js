// Audio and video in the page: sources that can be recognised, and meters that recognise them.
// A source is a tone of one frequency, or a picture that carries a frame counter (counter.js draws and reads it).
'use strict';

const pause = milliseconds => new Promise(r => setTimeout(r, milliseconds));

let sharedContext = null;
async function audioContext() {
  sharedContext ??= new AudioContext();
  if (sharedContext.state !== 'running') await sharedContext.resume();
  return sharedContext;
}

class Tone {
  static async open({frequency}) {
    const made = new Tone(), context = await audioContext();
    made.oscillator = new OscillatorNode(context, {frequency});
    made.gain = new GainNode(context, {gain: 0.4});
    made.sink = context.createMediaStreamDestination();
    made.sink.channelCount = 1;
    made.oscillator.connect(made.gain).connect(made.sink);
    made.oscillator.start();
    made.track = made.sink.stream.getAudioTracks()[0];
    return made;
  }
  close() { this.oscillator.stop(); this.gain.disconnect(); this.track.stop(); }
}

class Picture {
  static async open({start, width = 160, height = 120, rate = 15}) {
    const made = new Picture();
    made.canvas = Object.assign(document.createElement('canvas'), {width, height});
    made.next = start; made.drawn = 0;
    made.context = made.canvas.getContext('2d');
    made.draw();
    made.timer = setInterval(() => made.draw(), 1000 / rate);
    made.track = made.canvas.captureStream(rate).getVideoTracks()[0];
    return made;
  }
  draw() {
    WebrtcCounter.draw(this.context, this.canvas.width, this.canvas.height, this.next);
    this.next = (this.next + 1) % 65536; this.drawn++;
  }
  close() { clearInterval(this.timer); this.track.stop(); }
}

const openSource = spec => !spec ? null : 'frequency' in spec ? Tone.open(spec) : Picture.open(spec);

// Reads the counter of every frame that the page is shown.
class VideoMeter {
  constructor(track) {
    this.frames = 0; this.unread = 0; this.counters = []; this.size = [0, 0]; this.waiting = [];
    this.video = Object.assign(document.createElement('video'), {muted: true, autoplay: true, playsInline: true});
    this.video.srcObject = new MediaStream([track]);
    document.body.append(this.video);
    this.canvas = document.createElement('canvas');
    this.context = this.canvas.getContext('2d', {willReadFrequently: true});
    this.video.play().catch(() => {});
    const look = () => { if (!this.video) return; this.seen(); this.video.requestVideoFrameCallback(look); };
    this.video.requestVideoFrameCallback(look);
  }
  seen() {
    const width = this.video.videoWidth, height = this.video.videoHeight;
    if (!width) return;
    if (this.size[0] !== width || this.size[1] !== height) {
      this.size = [width, height]; this.canvas.width = width; this.canvas.height = height;
    }
    this.context.drawImage(this.video, 0, 0, width, height);
    const read = WebrtcCounter.read(this.context.getImageData(0, 0, width, height));
    this.frames++;
    if (read === null) this.unread++; else this.counters.push(read);
    const waiting = this.waiting; this.waiting = [];
    waiting.forEach(wake => wake());
  }
  // `distinct` different counters from now on, all within [least, most].
  async pictures({distinct, least, most}) {
    const from = this.counters.length, framesBefore = this.frames, unreadBefore = this.unread;
    const found = () => [...new Set(this.counters.slice(from).filter(c => c >= least && c <= most))];
    while (found().length < distinct) await new Promise(wake => this.waiting.push(wake));
    return {counters: found(), width: this.size[0], height: this.size[1],
            frames: this.frames - framesBefore, unread: this.unread - unreadBefore};
  }
  describe() {
    const {frames, unread, size, counters} = this;
    return {frames, unread, size, last: counters.slice(-5), element: [this.video?.readyState, this.video?.paused]};
  }
  close() { this.video.srcObject = null; this.video.remove(); this.video = null; }
}

// The strongest frequency, and how loud it is. Chromium only decodes what an element plays, so one does, muted.
class AudioMeter {
  static async open(track) {
    const made = new AudioMeter(), context = await audioContext();
    made.audio = Object.assign(document.createElement('audio'), {muted: true, autoplay: true});
    made.audio.srcObject = new MediaStream([track]);
    made.audio.play().catch(() => {});
    made.source = context.createMediaStreamSource(new MediaStream([track]));
    made.analyser = new AnalyserNode(context, {fftSize: 8192, smoothingTimeConstant: 0});
    made.source.connect(made.analyser);
    return made;
  }
  measure() {
    const samples = new Float32Array(2048), bins = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatTimeDomainData(samples);
    this.analyser.getFloatFrequencyData(bins);
    const width = this.analyser.context.sampleRate / this.analyser.fftSize;
    let best = Math.ceil(80 / width);
    for (let i = best; i < bins.length - 1; i++) if (bins[i] > bins[best]) best = i;
    const [left, middle, right] = [bins[best - 1], bins[best], bins[best + 1]];
    const shift = (left - right) / (2 * (left - 2 * middle + right)) || 0;  // top of the parabola through three bins
    const level = Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
    return {frequency: (best + shift) * width, level};
  }
  close() { this.source.disconnect(); this.audio.srcObject = null; }
}

// A transform that changes nothing can ask for a key frame: the only way for a page to have a PLI sent.
const KEYFRAME_WORKER = `onrtctransform = ({transformer}) => {
  transformer.readable.pipeTo(transformer.writable);
  onmessage = async ({data}) => {
    try { await transformer.sendKeyFrameRequest(); postMessage({id: data}); }
    catch (error) { postMessage({id: data, error: String(error)}); }
  };
};`;

// One transceiver under the name that the test gave it.
class Media {
  constructor(transceiver) {
    this.transceiver = transceiver; this.source = null; this.meter = null; this.tones = []; this.events = [];
    const {track} = transceiver.receiver;
    for (const name of ['mute', 'unmute', 'ended']) track.addEventListener(name, () => this.events.push(name));
  }
  get kind() { return this.transceiver.receiver.track.kind; }
  async video() { return this.meter ??= new VideoMeter(this.transceiver.receiver.track); }
  async audio() { return this.meter ??= await AudioMeter.open(this.transceiver.receiver.track); }
  setCodecs(wanted) {
    if (!wanted) return;
    const all = RTCRtpReceiver.getCapabilities(this.kind).codecs, same = (a, b) => a.toLowerCase() === b.toLowerCase();
    const chosen = wanted.flatMap(name => all.filter(codec => same(codec.mimeType, name)));
    if (!chosen.length) throw new Error(`no ${wanted} among ${[...new Set(all.map(c => c.mimeType))]}`);
    this.transceiver.setCodecPreferences([...chosen, ...all.filter(codec => same(codec.mimeType, `${this.kind}/rtx`))]);
  }
  async replace(spec) {
    const former = this.source;
    this.source = await openSource(spec);
    await this.transceiver.sender.replaceTrack(this.source && this.source.track);
    former?.close();
  }
  // Has to be called once before media flows, so that the transform is in its way.
  prepareKeyframeRequests() {
    this.worker = new Worker(URL.createObjectURL(new Blob([KEYFRAME_WORKER], {type: 'text/javascript'})));
    this.transceiver.receiver.transform = new RTCRtpScriptTransform(this.worker);
  }
  async requestKeyframe() {
    const answer = event(this.worker, 'message');
    this.worker.postMessage(1);
    const {error} = (await answer).data;
    if (error) throw new Error(error);
  }
  describe() {
    const {mid, direction, currentDirection, sender, receiver} = this.transceiver, track = receiver.track;
    return {kind: this.kind, mid, direction, currentDirection, tones: this.tones, events: this.events,
            sends: sender.track?.readyState, track: {id: track.id, muted: track.muted, readyState: track.readyState},
            meter: this.meter?.describe?.() ?? this.meter?.measure?.(), drawn: this.source?.drawn};
  }
  close() { this.source?.close(); this.meter?.close(); this.worker?.terminate(); }
}

const media = p => { const found = peer(p).media.get(p.media); if (!found) throw new Error(`no media ${p.media}`); return found; };

Object.assign(peers, {
  async add_media(p) {
    const {pc, media} = peer(p), source = await openSource(p.source), init = {direction: p.direction};
    if (p.encodings) init.sendEncodings = p.encodings;
    if (source) init.streams = [new MediaStream([source.track])];
    const made = new Media(pc.addTransceiver(source ? source.track : p.kind, init));
    made.source = source; media.set(p.media, made);
    made.setCodecs(p.codecs);
  },
  // What `addTrack` does: takes a free transceiver, or makes one.
  async add_track(p) {
    const {pc, media} = peer(p), source = await openSource(p.source);
    const sender = pc.addTrack(source.track, new MediaStream([source.track]));
    const made = new Media(pc.getTransceivers().find(t => t.sender === sender));
    made.source = source; media.set(p.media, made);
  },
  // The first transceiver of that kind that the remote offer made and nobody has taken yet.
  async adopt_media(p) {
    const {pc, media} = peer(p), taken = new Set([...media.values()].map(m => m.transceiver));
    const found = pc.getTransceivers().find(t => !taken.has(t) && t.receiver.track.kind === p.kind && !t.stopped);
    if (!found) throw new Error(`no ${p.kind} transceiver to adopt`);
    const made = new Media(found); media.set(p.media, made);
    await made.replace(p.source);
    found.direction = p.direction;
    made.setCodecs(p.codecs);
  },
  set_direction(p) { media(p).transceiver.direction = p.direction; },
  set_codecs(p) { media(p).setCodecs(p.codecs); },
  replace(p) { return media(p).replace(p.source); },
  stop(p) { media(p).transceiver.stop(); },
  media_state(p) { return media(p).describe(); },
  async wait_pictures(p) { return (await media(p).video()).pictures(p); },
  async count_frames(p) {  // how many frames are shown in the next `seconds`
    const meter = await media(p).video(), before = meter.frames;
    await pause(p.seconds * 1000);
    return meter.frames - before;
  },
  async wait_tone(p) {  // until `steady` measurements in a row are the tone (or silence, for frequency null)
    const meter = await media(p).audio();
    for (let steady = 0, now; ; await pause(60)) {
      now = meter.measure();
      const right = p.frequency === null ? now.level < 0.003 :
        now.level > 0.01 && Math.abs(now.frequency - p.frequency) <= p.tolerance * p.frequency;
      steady = right ? steady + 1 : 0;
      if (steady === p.steady) return now;
    }
  },
  async measure_audio(p) { return (await media(p).audio()).measure(); },
  prepare_keyframe_requests(p) { media(p).prepareKeyframeRequests(); },
  request_keyframe(p) { return media(p).requestKeyframe(); },
  insert_dtmf(p) {
    const found = media(p), {dtmf} = found.transceiver.sender;
    dtmf.ontonechange = e => found.tones.push(e.tone);
    dtmf.insertDTMF(p.tones, p.duration * 1000, p.gap * 1000);
  },
  async set_parameters(p) {  // changes every encoding, or that of one rid
    const {sender} = media(p).transceiver, parameters = sender.getParameters();
    for (const encoding of parameters.encodings) if (!p.rid || encoding.rid === p.rid) Object.assign(encoding, p.changes);
    await sender.setParameters(parameters);
  },
  media_capabilities(p) { return [...new Set(RTCRtpReceiver.getCapabilities(p.kind).codecs.map(c => c.mimeType))]; },
});
