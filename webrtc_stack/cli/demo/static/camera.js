// The picture that the page sends, with a stamp by which it knows each frame again when Python has handed it back.
//
// The stamp is a strip of 20 cells along the bottom edge, which the page cuts off when it shows the picture:
// dark light light dark, twelve bits of a number, four bits of a checksum. A cell is large enough for any codec.

const WIDTH = 640, HEIGHT = 360, STRIP = 24, CELLS = 20, NUMBERS = 4096, FRAMES_PER_SECOND = 30;
const REFERENCE = [0, 1, 1, 0], SALT = 9;

const checksum = number => (number ^ (number >> 4) ^ (number >> 8) ^ SALT) & 15;

function cells(number) {
  const bits = REFERENCE.slice(), check = checksum(number);
  for (let bit = 11; bit >= 0; bit--) bits.push((number >> bit) & 1);
  for (let bit = 3; bit >= 0; bit--) bits.push((check >> bit) & 1);
  return bits;
}

/** A camera, or a picture drawn here, on a canvas whose stream is sent. */
export class Camera {
  constructor(canvas) {
    this.canvas = canvas;
    this.canvas.width = WIDTH;
    this.canvas.height = HEIGHT;
    this.pen = canvas.getContext("2d", { alpha: false });
    this.times = new Float64Array(NUMBERS);
    this.number = 0;
    this.track = null;
  }

  /** Begins with "camera" (which may be refused) or with "drawn"; `track` is what to send. */
  async start(what) {
    let source = null, stream = null;
    if (what === "camera") {
      if (!navigator.mediaDevices) throw new Error("browsers give cameras only to secure pages: https, or this very machine");
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDTH }, height: { ideal: HEIGHT }, frameRate: { ideal: FRAMES_PER_SECOND } } });
      source = document.createElement("video");
      Object.assign(source, { muted: true, playsInline: true, srcObject: stream });
      await source.play();
    }
    this.stop();
    this.source = source;
    this.stream = stream;
    this.what = what;
    this.draw();
    this.timer = setInterval(() => this.draw(), 1000 / FRAMES_PER_SECOND);
    this.track = this.canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks()[0];
    this.track.contentHint = "motion";
  }

  stop() {
    clearInterval(this.timer);
    this.track?.stop();
    for (const one of this.stream?.getTracks() ?? []) one.stop();
    this.track = this.source = this.stream = null;
  }

  draw() {
    const { pen } = this, now = performance.now();
    this.number = (this.number + 1) % NUMBERS;
    this.times[this.number] = now;
    if (this.source) this.film();
    else paint(pen, now);
    const wide = WIDTH / CELLS;
    cells(this.number).forEach((bit, index) => {
      pen.fillStyle = bit ? "#fff" : "#000";
      pen.fillRect(index * wide, HEIGHT - STRIP, wide, STRIP);
    });
  }

  film() {
    const { videoWidth: width, videoHeight: height } = this.source;
    if (!width) return;
    const high = HEIGHT - STRIP, scale = Math.max(WIDTH / width, high / height);
    const w = WIDTH / scale, h = high / scale;
    this.pen.drawImage(this.source, (width - w) / 2, (height - h) / 2, w, h, 0, 0, WIDTH, high);
  }

  /** Milliseconds since the frame with this stamp was drawn; null for one that was not drawn lately. */
  age(number) {
    const age = performance.now() - this.times[number];
    return this.times[number] && age < 10_000 ? age : null;
  }
}

function paint(pen, now) {
  const t = now / 1000, high = HEIGHT - STRIP;
  const sky = pen.createLinearGradient(0, 0, WIDTH, high);
  sky.addColorStop(0, `hsl(${(t * 14) % 360} 62% 46%)`);
  sky.addColorStop(1, `hsl(${(t * 14 + 70) % 360} 66% 34%)`);
  pen.fillStyle = sky;
  pen.fillRect(0, 0, WIDTH, high);
  for (let n = 0; n < 7; n++) {
    pen.beginPath();
    pen.arc(WIDTH * (0.5 + 0.42 * Math.sin(t * (0.5 + n * 0.07) + n)), high * (0.5 + 0.36 * Math.cos(t * (0.7 - n * 0.05) + n * 2)), 16 + 7 * n, 0, 7);
    pen.fillStyle = "rgb(255 255 255 / 16%)";
    pen.fill();
  }
  pen.fillStyle = "#fff";
  pen.textAlign = "center";
  pen.font = "600 64px system-ui, sans-serif";
  pen.fillText(new Date().toLocaleTimeString("en-GB"), WIDTH / 2, high / 2 + 12);
  pen.font = "19px system-ui, sans-serif";
  pen.fillText("drawn by your browser", WIDTH / 2, high / 2 + 48);
}

/** Reads stamps off a video that came back. */
export class StampReader {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.width = CELLS * 16;
    this.canvas.height = 12;
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  /** The number, or null where none can be trusted. */
  read(video) {
    const { videoWidth: width, videoHeight: height } = video;
    if (!width) return null;
    const part = STRIP / HEIGHT;
    this.pen.drawImage(video, 0, height * (1 - part), width, height * part, 0, 0, this.canvas.width, this.canvas.height);
    const { data } = this.pen.getImageData(0, 0, this.canvas.width, this.canvas.height);
    const values = Array.from({ length: CELLS }, (_, index) => {
      let sum = 0;
      for (let y = 4; y < 8; y++) for (let x = 5; x < 11; x++) sum += data[4 * (y * this.canvas.width + index * 16 + x) + 1];
      return sum / 24;
    });
    const light = (values[1] + values[2]) / 2, dark = (values[0] + values[3]) / 2, middle = (light + dark) / 2;
    if (light - dark < 60) return null;
    const bits = values.map(value => (value > middle ? 1 : 0));
    if (REFERENCE.some((bit, index) => bits[index] !== bit)) return null;
    const whole = bits.slice(4).reduce((number, bit) => number * 2 + bit, 0);
    return checksum(whole >> 4) === (whole & 15) ? whole >> 4 : null;
  }
}

/** Calls `look` for every frame that a video shows; returns what ends it. */
export function eachFrame(video, look) {
  let going = true;
  if (video.requestVideoFrameCallback) {
    const next = () => {
      if (!going) return;
      look();
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    return () => { going = false; };
  }
  const timer = setInterval(() => video.videoWidth && look(), 40);
  return () => clearInterval(timer);
}
