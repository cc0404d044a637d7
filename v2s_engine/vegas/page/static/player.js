/* Shows the picture of a piece, or plays its sound; never both. Loads the pieces to come, each whole: media elements that
   load by themselves hold connections, of which a browser has six for all windows. */

import { Waveform, measure } from "./waveform.js";

const PATIENCE_MS = 20_000;
const STEPS_S = { picture: 1 / 30, sound: 0.1 };

export const taskName = (task) => `${task.piece}/${task.modality}`;

const $ = (id) => document.getElementById(id);

/** Stop a medium and let go of its data. */
function release(medium) {
  medium.released = true;
  medium.pause();
  if (medium.src) URL.revokeObjectURL(medium.src);
  medium.removeAttribute("src");
  medium.load();
}

export class Player {
  /** `on` has `begun()`: something was seen or heard; `broken(task)`: it cannot be played; `unreachable()`. */
  constructor(on) {
    this.on = on;
    this.media = new Map();
    this.task = null;
    this.current = null;
    this.waveform = new Waveform($("waveform"), (share) => this.seek(share));
    $("play").addEventListener("click", () => this.toggle());
    $("listen").addEventListener("click", () => this.toggle());
    $("replay").addEventListener("click", () => this.replay());
    $("position").addEventListener("input", (event) => this.seek(event.target.value / 1000));
    const tick = () => {
      this.#tick();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** Load these, the first is the one to come; forget all others. */
  prepare(tasks) {
    const names = new Set(tasks.map(taskName));
    for (const [name, medium] of this.media) {
      if (!names.has(name) && medium !== this.current) {
        this.media.delete(name);
        release(medium);
      }
    }
    for (const task of tasks) {
      if (!this.media.has(taskName(task))) this.media.set(taskName(task), this.#make(task));
    }
  }

  show(task) {
    this.hide();
    this.task = task;
    this.current = this.media.get(taskName(task)) ?? this.#make(task);
    this.media.set(taskName(task), this.current);
    const isPicture = task.modality === "picture";
    $("stage").dataset.modality = task.modality;
    $("waveform").hidden = isPicture;
    if (isPicture) $("picture").replaceChildren(this.current);
    if (this.current.fault) this.#fail();
    else this.#play();
  }

  hide() {
    if (this.current) {
      this.media.delete(taskName(this.task));
      release(this.current);
    }
    this.current = this.task = null;
    $("picture").replaceChildren();
    $("listen").hidden = true;
    $("trouble").hidden = true;
  }

  toggle() {
    if (!this.current) return;
    if (this.current.paused) this.#play();
    else this.current.pause();
  }

  replay() {
    if (!this.current) return;
    this.current.currentTime = 0;
    this.#play();
  }

  /** So many pictures, or tenths of a second, on. */
  step(count) {
    if (!this.current?.duration) return;
    this.current.pause();
    const moment = this.current.currentTime + count * STEPS_S[this.task.modality];
    this.current.currentTime = Math.min(Math.max(moment, 0), this.current.duration - 1e-3);
  }

  /** To a share of the whole, 0 to 1. */
  seek(share) {
    if (!this.current?.duration) return;
    this.current.currentTime = Math.min(share, 0.9999) * this.current.duration;
  }

  /** Load what could not be reached once more. */
  retry() {
    if (this.current?.fault !== "unreachable") return;
    this.current.fault = "";
    this.#load(this.task, this.current);
    this.#play();
  }

  #make(task) {
    const medium = document.createElement(task.modality === "picture" ? "video" : "audio");
    medium.fault = ""; // or missing, broken, unreachable
    medium.preload = "auto";
    if (task.modality === "picture") {
      medium.muted = true;
      medium.loop = true;
      medium.playsInline = true;
      medium.disablePictureInPicture = true;
      medium.disableRemotePlayback = true;
      medium.setAttribute("aria-label", "The picture of the piece, without sound");
    }
    medium.addEventListener("playing", () => {
      if (medium !== this.current) return;
      $("listen").hidden = true;
      this.on.begun();
    });
    medium.addEventListener("error", () => medium.getAttribute("src") && this.#note(medium, "broken"));
    this.#load(task, medium);
    return medium;
  }

  #load(task, medium) {
    medium.loaded = (async () => {
      try {
        const answer = await fetch(task.media, { signal: AbortSignal.timeout(PATIENCE_MS) });
        if (answer.status === 404) return this.#note(medium, "missing");
        if (!answer.ok) throw new Error(answer.statusText);
        const content = await answer.blob();
        if (medium.released) return undefined;
        medium.src = URL.createObjectURL(content);
        if (task.modality === "sound") medium.peaks = await measure(content);
      } catch {
        this.#note(medium, "unreachable");
      }
      return undefined;
    })();
  }

  #note(medium, fault) {
    medium.fault = fault;
    if (medium === this.current) this.#fail();
  }

  async #play() {
    const medium = this.current;
    try {
      if (!medium.src) await medium.loaded;
      if (medium === this.current && !medium.fault) await medium.play();
    } catch (error) {
      // Browsers play sound only after a key or a click on the page.
      if (medium === this.current && error.name === "NotAllowedError") $("listen").hidden = false;
    }
  }

  #fail() {
    const { fault } = this.current;
    if (fault === "unreachable") {
      this.on.unreachable();
      return;
    }
    const { modality } = this.task;
    $("trouble").textContent =
      fault === "missing" ? `The ${modality} of this piece is missing.` : `The ${modality} of this piece cannot be played.`;
    $("trouble").hidden = false;
    this.on.broken(this.task);
  }

  #tick() {
    const medium = this.current;
    const duration = medium?.duration || 0;
    const share = duration ? medium.currentTime / duration : 0;
    $("position").value = Math.round(share * 1000);
    $("time").textContent = `${(medium?.currentTime ?? 0).toFixed(2)} s`;
    $("play").dataset.state = medium && !medium.paused ? "playing" : "paused";
    if (this.task?.modality === "sound") this.waveform.draw(medium.peaks, share);
  }
}
