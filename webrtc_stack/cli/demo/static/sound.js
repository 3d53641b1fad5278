// What the browser hears: how loud, and which note. The elements play it; this only listens.

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
export const SILENCE = -90;

/** A4 for 440 Hz. */
export function noteName(frequency) {
  const number = Math.round(69 + 12 * Math.log2(frequency / 440));
  return `${NAMES[((number % 12) + 12) % 12]}${Math.floor(number / 12) - 1}`;
}

/** How much of a meter is filled at a level in decibels. */
export const fullness = level => Math.max(0, Math.min(1, (level + 60) / 60));

export class Ear {
  constructor() {
    this.sources = [];
  }

  /** Browsers let pages make sound, and hear it, only after a click: call this from one. */
  wake() {
    const Context = window.AudioContext;
    if (!Context) return;
    this.context ??= new Context();
    if (!this.analyser) {
      this.analyser = this.context.createAnalyser();
      this.analyser.fftSize = 8192;
      this.analyser.smoothingTimeConstant = 0;
      this.loudness = this.context.createAnalyser();
      this.loudness.fftSize = 2048;
      this.waves = new Float32Array(2048);
      this.spectrum = new Float32Array(this.analyser.frequencyBinCount);
    }
    if (this.context.state === "suspended") this.context.resume();
    for (const track of this.tracks ?? []) this.hear(track);
  }

  /** What to listen to from now on. */
  listen(tracks) {
    for (const source of this.sources) source.disconnect();
    this.sources = [];
    this.tracks = tracks;
    this.heard = new Set();
    if (this.context) for (const track of tracks) this.hear(track);
  }

  hear(track) {
    if (this.heard.has(track)) return;
    this.heard.add(track);
    const source = this.context.createMediaStreamSource(new MediaStream([track]));
    source.connect(this.analyser);
    source.connect(this.loudness);
    this.sources.push(source);
  }

  /** {level in dB, frequency in Hz or 0}; null while nothing can be heard. */
  measure() {
    if (this.context?.state !== "running") return null;
    this.loudness.getFloatTimeDomainData(this.waves);
    const power = this.waves.reduce((sum, value) => sum + value * value, 0) / this.waves.length;
    const level = power > 0 ? Math.max(SILENCE, 10 * Math.log10(power)) : SILENCE;
    if (level < -65) return { level, frequency: 0 };
    this.analyser.getFloatFrequencyData(this.spectrum);
    let peak = 1;
    for (let bin = 2; bin < this.spectrum.length - 1; bin++) if (this.spectrum[bin] > this.spectrum[peak]) peak = bin;
    const [a, b, c] = [this.spectrum[peak - 1], this.spectrum[peak], this.spectrum[peak + 1]];
    const offset = a - 2 * b + c ? (a - c) / (2 * (a - 2 * b + c)) : 0;
    return { level, frequency: (peak + offset) * this.context.sampleRate / this.analyser.fftSize };
  }
}
