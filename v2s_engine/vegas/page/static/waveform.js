/* The waveform of a sound, with its position; a click or a drag on it seeks. */

const BARS = 160;
const RATE = 16_000;

export class Waveform {
  /** `seek(share)` is called with 0 to 1. */
  constructor(canvas, seek) {
    this.canvas = canvas;
    const follow = (event) => {
      const box = canvas.getBoundingClientRect();
      seek(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1));
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) follow(event);
    });
  }

  /** Draw `peaks`, a flat line where they are not known yet, with the position at `share`. */
  draw(peaks, share) {
    const { canvas } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const style = getComputedStyle(canvas);
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const pace = width / BARS;
    for (let bar = 0; bar < BARS; bar++) {
      const half = Math.max((peaks ? peaks[bar] : 0) * height * 0.44, 1);
      pen.fillStyle = (bar + 0.5) / BARS <= share ? style.getPropertyValue("--played") : style.getPropertyValue("--unplayed");
      pen.beginPath();
      pen.roundRect(bar * pace + pace * 0.18, height / 2 - half, pace * 0.64, 2 * half, pace * 0.3);
      pen.fill();
    }
    pen.fillStyle = style.getPropertyValue("--cursor");
    pen.fillRect(Math.min(share * width, width - 2), 0, 2, height);
  }
}

/** Peaks of equal stretches of a sound file, 0 to 1; undefined where it cannot be decoded. Quiet sounds are drawn larger,
    by the square root, so that they are seen. */
export async function measure(content) {
  let samples;
  try {
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await content.arrayBuffer());
    samples = sound.getChannelData(0);
  } catch {
    return undefined; // the player says what is wrong
  }
  return Array.from({ length: BARS }, (_, bar) => {
    let peak = 0;
    const end = Math.floor(((bar + 1) * samples.length) / BARS);
    for (let i = Math.floor((bar * samples.length) / BARS); i < end; i++) peak = Math.max(peak, Math.abs(samples[i]));
    return Math.sqrt(Math.min(peak, 1));
  });
}
