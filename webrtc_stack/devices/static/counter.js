// A frame counter that machines read off a picture; the layout is told in counter.py, which this must match.
//
//   WebrtcCounter.draw(context2d, width, height, counter)     draws a moving test picture with the counter
//   WebrtcCounter.drawCells(context2d, width, height, counter)    only the cells, over whatever is there
//   WebrtcCounter.read(imageData)                             the counter, or null
//   WebrtcCounter.readVideo(video, canvas)                    the same from a <video>, through a canvas
//   WebrtcCounter.stream(canvas, {width, height, fps})        {stream, stop, count()}: a track made of such pictures
"use strict";
(function (root) {
  const COLUMNS = 8, ROWS = 3, CELLS_ACROSS = 10, CELLS_DOWN = 7.5;
  const MINIMUM_WIDTH = 60, MINIMUM_HEIGHT = 46;
  const REFERENCE = [0, 1, 1, 0];
  const CHECKSUM_SALT = 10;
  const MINIMUM_CONTRAST = 48, MARGIN = 1 / 6;

  function checksum(counter) {
    return (counter ^ (counter >> 4) ^ (counter >> 8) ^ (counter >> 12) ^ CHECKSUM_SALT) & 15;
  }

  function cells(counter) {
    counter &= 0xffff;
    const bits = REFERENCE.slice(), check = checksum(counter);
    for (let bit = 3; bit >= 0; bit--) bits.push((check >> bit) & 1);
    for (let bit = 15; bit >= 0; bit--) bits.push((counter >> bit) & 1);
    return bits;
  }

  function box(index, width, height) {
    const row = Math.floor(index / COLUMNS), column = index % COLUMNS;
    const across = width / CELLS_ACROSS, down = height / CELLS_DOWN;
    return [
      Math.round((column + 1) * across), Math.round((row + 1) * down),
      Math.round((column + 2) * across), Math.round((row + 2) * down),
    ];
  }

  function drawCells(context, width, height, counter) {
    cells(counter).forEach((bit, index) => {
      const [left, top, right, bottom] = box(index, width, height);
      context.fillStyle = bit ? "#ffffff" : "#000000";
      context.fillRect(left, top, right - left, bottom - top);
    });
  }

  function draw(context, width, height, counter) {
    context.fillStyle = `hsl(${(counter * 3) % 360}, 60%, 40%)`;
    context.fillRect(0, 0, width, height);
    const side = Math.max(8, Math.round(height / 8));
    context.fillStyle = "#ffcc00";
    context.fillRect((counter * 4) % Math.max(1, width - side), height - 2 * side, side, side);
    drawCells(context, width, height, counter);
  }

  function read(image) {
    const { data, width, height } = image;
    if (width < MINIMUM_WIDTH || height < MINIMUM_HEIGHT) return null;
    const values = [];
    for (let index = 0; index < COLUMNS * ROWS; index++) {
      const [left, top, right, bottom] = box(index, width, height);
      const insetX = Math.floor((right - left) / 4), insetY = Math.floor((bottom - top) / 4);
      let sum = 0, count = 0;
      for (let y = top + insetY; y < bottom - insetY; y++) {
        for (let x = left + insetX; x < right - insetX; x++) {
          const at = 4 * (y * width + x);
          sum += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
          count++;
        }
      }
      values.push(sum / count);
    }
    const light = (values[1] + values[2]) / 2, dark = (values[0] + values[3]) / 2;
    const contrast = light - dark, threshold = (light + dark) / 2;
    if (contrast < MINIMUM_CONTRAST) return null;
    let number = 0;
    for (let index = 0; index < values.length; index++) {
      if (Math.abs(values[index] - threshold) < contrast * MARGIN) return null;
      const bit = values[index] > threshold ? 1 : 0;
      if (index < 4) {
        if (bit !== REFERENCE[index]) return null;
      } else {
        number = number * 2 + bit;
      }
    }
    const counter = number & 0xffff, check = (number >> 16) & 15;
    return checksum(counter) === check ? counter : null;
  }

  function readVideo(video, canvas) {
    if (!video.videoWidth) return null;
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    return read(context.getImageData(0, 0, canvas.width, canvas.height));
  }

  function stream(canvas, { width = 160, height = 120, fps = 15 } = {}) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    let counter = 0;
    const tick = () => draw(context, width, height, counter++);
    tick();
    const timer = setInterval(tick, 1000 / fps);
    return { stream: canvas.captureStream(fps), stop: () => clearInterval(timer), count: () => counter };
  }

  const api = { checksum, cells, box, drawCells, draw, read, readVideo, stream };
  root.WebrtcCounter = api;
  if (typeof module !== "undefined" && module.exports) module.exports = api;
})(typeof globalThis !== "undefined" ? globalThis : this);
