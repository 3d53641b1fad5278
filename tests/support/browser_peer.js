// The page side of tests/support/remote_peer.py: one global, `peers`, whose methods are the commands.
// Connections and channels are named by the test; nothing here decides anything.
'use strict';

class Inbox {  // a queue that can be waited on
  constructor() { this.items = []; this.waiting = []; }
  push(item) { const next = this.waiting.shift(); if (next) next(item); else this.items.push(item); }
  take() { return this.items.length ? Promise.resolve(this.items.shift()) : new Promise(r => this.waiting.push(r)); }
}

const hex = buffer => [...new Uint8Array(buffer)].map(b => b.toString(16).padStart(2, '0')).join('');
const sha256 = async data => hex(await crypto.subtle.digest('SHA-256', data));
const event = (target, name) => new Promise(r => target.addEventListener(name, r, {once: true}));

// The same bytes as content() in content.py: little-endian words (i + seed) * 2654435761 mod 2^32.
function content(size, seed) {
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed, 2654435761);
  return new Uint8Array(words.buffer, 0, size);
}

class Channel {
  constructor(dc) {
    this.dc = dc; this.inbox = new Inbox(); this.events = []; this.sink = null;
    dc.binaryType = 'arraybuffer';
    for (const name of ['open', 'closing', 'close', 'error'])
      dc.addEventListener(name, e => this.events.push(e.error ? `${name}: ${e.error.message}` : name));
    dc.addEventListener('message', e => this.sink ? this.sink(e.data) : this.inbox.push(e.data));
    this.closed = event(dc, 'close');
    this.opened = dc.readyState === 'open' ? Promise.resolve() : event(dc, 'open');
  }
  describe() {
    const {label, ordered, protocol, negotiated, id, maxRetransmits, maxPacketLifeTime, readyState} = this.dc;
    return {label, ordered, protocol, negotiated, id, maxRetransmits, maxPacketLifeTime, readyState};
  }
  async send(data) {
    if (this.dc.bufferedAmount > 1 << 20) {
      this.dc.bufferedAmountLowThreshold = 1 << 18;
      await event(this.dc, 'bufferedamountlow');
    }
    this.dc.send(data);
  }
  receiveBytes(size) {  // from now on: everything until `size` bytes are there
    const parts = []; let have = 0;
    this.received = new Promise(resolve => {
      this.sink = data => {
        parts.push(data); have += data.byteLength ?? data.length;
        if (have >= size) { this.sink = null; resolve(new Blob(parts).arrayBuffer()); }
      };
    });
  }
}

class Peer {
  constructor(config) {
    const pc = this.pc = new RTCPeerConnection(config);
    this.channels = new Map(); this.arrived = new Map(); this.candidates = new Inbox(); this.log = [];
    this.media = new Map();  // browser_media.js
    pc.addEventListener('icecandidate', e => this.candidates.push(e.candidate && e.candidate.toJSON()));
    pc.addEventListener('connectionstatechange', () => this.log.push(pc.connectionState));
    pc.addEventListener('datachannel', e => this.arrivedBox(e.channel.label).push(new Channel(e.channel)));
  }
  arrivedBox(label) {
    if (!this.arrived.has(label)) this.arrived.set(label, new Inbox());
    return this.arrived.get(label);
  }
  async gathered() {
    while (this.pc.iceGatheringState !== 'complete') await event(this.pc, 'icegatheringstatechange');
  }
  async local(trickle) {
    await this.pc.setLocalDescription();
    if (!trickle) await this.gathered();
    return this.pc.localDescription.toJSON();
  }
}

const byName = new Map();
const peer = ({pc}) => byName.get(pc);
const channel = p => peer(p).channels.get(p.channel);

const peers = globalThis.peers = {
  create(p) { byName.set(p.pc, new Peer(p.config)); },
  create_channel(p) {
    const made = new Channel(peer(p).pc.createDataChannel(p.label, p.options));
    peer(p).channels.set(p.channel, made);
  },
  async wait_channel(p) {
    const found = await peer(p).arrivedBox(p.label).take();
    peer(p).channels.set(p.channel, found); await found.opened;
    return found.describe();
  },
  offer(p) {
    if (p.restart) peer(p).pc.restartIce();
    return peer(p).local(p.trickle);
  },
  async answer(p) {
    await peer(p).pc.setRemoteDescription(p.description);
    return peer(p).local(p.trickle);
  },
  local_answer(p) { return peer(p).local(p.trickle); },
  async set_remote(p) { await peer(p).pc.setRemoteDescription(p.description); },
  async add_candidate(p) { await peer(p).pc.addIceCandidate(p.candidate ?? undefined); },
  next_candidate(p) { return peer(p).candidates.take(); },
  async wait_state(p) {
    const {pc} = peer(p);
    while (pc.connectionState !== p.state) {
      if (['failed', 'closed'].includes(pc.connectionState)) throw new Error(`connection is ${pc.connectionState}`);
      await event(pc, 'connectionstatechange');
    }
  },
  async wait_open(p) { await channel(p).opened; return channel(p).describe(); },
  async send_text(p) { await channel(p).send(p.text); },
  async send_bytes(p) { await channel(p).send(content(p.size, p.seed)); },
  async send_file(p) {
    const data = content(p.size, p.seed);
    for (let at = 0; at < p.size; at += p.chunk) await channel(p).send(data.subarray(at, at + p.chunk));
    return sha256(data);
  },
  async next_message(p) {
    const data = await channel(p).inbox.take();
    if (typeof data === 'string') return {text: data};
    return {size: data.byteLength, sha256: await sha256(data)};
  },
  receive_file(p) { channel(p).receiveBytes(p.size); },
  async file_received(p) {
    const data = await channel(p).received;
    return {size: data.byteLength, sha256: await sha256(data)};
  },
  close_channel(p) { channel(p).dc.close(); },
  async wait_channel_closed(p) { await channel(p).closed; return channel(p).events; },
  async report(p) {
    const {pc, log, channels, media} = peer(p), stats = {};
    if (pc.connectionState !== 'closed') (await pc.getStats()).forEach(v => { stats[v.id] = v; });
    return {
      states: {connection: pc.connectionState, ice: pc.iceConnectionState, gathering: pc.iceGatheringState,
               signaling: pc.signalingState, dtls: pc.sctp?.transport.state, sctp: pc.sctp?.state},
      log, channels: [...channels].map(([name, c]) => ({name, events: c.events, ...c.describe()})),
      media: Object.fromEntries([...media].map(([name, m]) => [name, m.describe()])),
      stats, local: pc.localDescription?.sdp, remote: pc.remoteDescription?.sdp,
    };
  },
  close(p) {
    const found = peer(p);
    if (!found) return;
    found.pc.close(); byName.delete(p.pc);
    for (const media of found.media.values()) media.close();
  },
};
