// A line graph on a canvas: the last 30 seconds, one or two series, colours from the style sheet.

const SPAN = 30_000;

export class Graph {
  /** `series` is a list of {color: CSS variable, fill}; `floor` is the least top of the scale; `unit` labels it; a
   * `compact` one has no words about time. */
  constructor(canvas, series, { floor, unit, compact = false }) {
    this.canvas = canvas;
    this.series = series.map(one => ({ ...one, points: [] }));
    this.floor = floor;
    this.unit = unit;
    this.compact = compact;
    this.top = floor;
    this.losses = [];
  }

  push(index, value, time = performance.now()) {
    this.series[index].points.push([time, value]);
  }

  /** Marks a moment at which something was lost. */
  lost(time = performance.now()) {
    this.losses.push(time);
  }

  /** Breaks the line: what follows belongs to another connection. */
  gap() {
    for (const one of this.series) if (one.points.length) one.points.push([performance.now(), null]);
  }

  draw(now = performance.now()) {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const color = name => style.getPropertyValue(name).trim();

    const values = [];
    for (const one of this.series) {
      while (one.points.length > 1 && one.points[1][0] < now - SPAN) one.points.shift();
      for (const [, value] of one.points) if (value !== null) values.push(value);
    }
    this.losses = this.losses.filter(time => time > now - SPAN);
    // One odd value must not flatten the rest: the scale follows the 98th percentile and the last second's peak.
    values.sort((a, b) => a - b);
    const typical = values.length ? values[Math.min(values.length - 1, Math.floor(values.length * 0.98))] : 0;
    const wanted = niceAbove(Math.max(this.floor, typical * 1.15));
    this.top += (wanted - this.top) * 0.2;

    const left = 2, bottom = height - (this.compact ? 3 : 16), top = this.compact ? 14 : 12;
    const x = time => left + (width - left - 2) * (1 - (now - time) / SPAN);
    const y = value => bottom - (bottom - top) * Math.min(1.04, value / this.top);

    pen.font = `${this.compact ? 10 : 11}px system-ui, sans-serif`;
    pen.fillStyle = color("--faint");
    pen.strokeStyle = color("--line");
    pen.lineWidth = 1;
    for (const part of this.compact ? [0, 1] : [0, 0.5, 1]) {
      const at = Math.round(y(this.top * part)) + 0.5;
      pen.beginPath();
      pen.moveTo(left, at);
      pen.lineTo(width - 2, at);
      pen.stroke();
      if (part) pen.fillText(`${short(wanted * part)} ${this.unit}`, left + 2, at - 3);
    }
    if (!this.compact) {
      pen.fillText("30 s ago", left + 2, height - 3);
      pen.textAlign = "right";
      pen.fillText("now", width - 3, height - 3);
      pen.textAlign = "left";
    }

    pen.fillStyle = color("--bad");
    for (const time of this.losses) pen.fillRect(x(time) - 1, bottom - 6, 2, 6);

    for (const one of this.series) {
      for (const run of runs(one.points)) {
        pen.beginPath();
        run.forEach(([time, value], index) => (index ? pen.lineTo(x(time), y(value)) : pen.moveTo(x(time), y(value))));
        pen.strokeStyle = color(one.color);
        pen.lineWidth = this.compact ? 1.5 : 1.8;
        pen.lineJoin = "round";
        pen.stroke();
        if (one.fill && run.length > 1) {
          pen.lineTo(x(run[run.length - 1][0]), bottom);
          pen.lineTo(x(run[0][0]), bottom);
          pen.globalAlpha = 0.13;
          pen.fillStyle = color(one.color);
          pen.fill();
          pen.globalAlpha = 1;
        }
      }
    }
  }
}

function* runs(points) {
  let run = [];
  for (const point of points) {
    if (point[1] !== null) run.push(point);
    else if (run.length) {
      yield run;
      run = [];
    }
  }
  if (run.length) yield run;
}

function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 4, 5, 8, 10]) if (step * power >= value * 0.9999) return step * power;
  return 10 * power;
}

function short(value) {
  return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(2);
}
