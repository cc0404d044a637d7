/* The annotation page: one question after the other, answered by keys. */

import { Outbox, Refusal, ask, wait } from "./outbox.js";
import { Player, taskName } from "./player.js";

const $ = (id) => document.getElementById(id);
const MODES = { picture: "Picture, without sound", sound: "Sound, without picture" };
const SIGNS = { yes: "✓", no: "✕", skip: "?" };
const TRAIL = 9;
const LOOK_AGAIN_MS = 8000;
const BROKEN_SHOWN_MS = 1600;

const token = location.hash.slice(1);
const state = {
  annotator: null,
  work: [], // the question to answer now, and the next ones
  shown: null, // the task on the stage
  begun: false, // whether it has been seen or heard, so that nobody answers blindly
  group: null, // category and modality that the person was told of last
  undoing: false,
  moves: 0, // answers and undos so far: tells an old list of work from a new one
  trail: [],
};
let outbox, channel;
const player = new Player({ begun, broken, unreachable });

addEventListener("hashchange", () => location.reload());
start();

async function start() {
  if (!token) return close("");
  const about = await askUntilReached("/api/start");
  if (!about) return;
  $("project").textContent = about.conflicts ? `${about.project}, second look` : about.project;
  $("wanted").textContent = about.wanted;
  document.title = `${about.project} – annotation`;
  outbox = new Outbox(token, about.key, { sent, refused, reached });
  channel = new BroadcastChannel(`v2s-vegas-${about.key}`);
  channel.addEventListener("message", ({ data }) => data === state.annotator && lookAgain());
  outbox.flush(); // what an earlier page could not send
  const last = sessionStorage.getItem("annotator");
  if (last) await enter(last);
  else showStart(about);
}

function showStart({ names, proposed }) {
  $("names").replaceChildren(
    ...names.map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => enter(name));
      return button;
    }),
  );
  screen("start");
  $("name").value = proposed ?? "";
  $("name").focus();
}

async function enter(name) {
  $("name-fault").textContent = "";
  const told = await askUntilReached("/api/enter", { name }, (refusal) => {
    sessionStorage.removeItem("annotator");
    screen("start");
    $("name-fault").textContent = refusal.message;
  });
  if (!told) return;
  state.annotator = told.annotator;
  sessionStorage.setItem("annotator", told.annotator);
  $("person").textContent = told.annotator;
  document.activeElement?.blur();
  take(told);
}

/* What the server says is next, less what is answered here already and still on its way. */
function take(told) {
  if (told.own !== undefined) showOwn(told);
  const work = told.work.filter((task) => !outbox.holds(state.annotator, task));
  const shown = state.shown && work.findIndex((task) => taskName(task) === taskName(state.shown));
  if (shown > 0) work.unshift(...work.splice(shown, 1));
  state.work = work;
  next();
}

/* Show the first of the work, if it is not shown yet. */
function next() {
  const [task] = state.work;
  if (!task) return rest();
  player.prepare(state.work);
  if (state.shown && taskName(task) === taskName(state.shown)) return;
  state.shown = task;
  setBegun(false);
  const group = `${task.title}/${task.modality}`;
  if (group === state.group) return present();
  player.hide();
  $("between-mode").textContent = `${MODES[task.modality]} · ${task.title}`;
  $("between-question").textContent = task.question;
  $("example-yes").textContent = task.present;
  $("example-no").textContent = task.absent;
  screen("between");
  say(`New question. ${task.question} Press space to go on.`);
}

function present() {
  const task = state.shown;
  state.group = `${task.title}/${task.modality}`;
  $("mode").textContent = `${MODES[task.modality]} · ${task.title}`;
  $("question").textContent = task.question;
  screen("work");
  player.show(task);
}

function rest() {
  state.shown = null;
  player.hide();
  const waiting = outbox.size > 0;
  $("rest-title").textContent = waiting ? "One moment" : "Nothing is left for you";
  $("rest-text").textContent = waiting
    ? "Your answers are on their way."
    : "Thank you. Should others leave questions open, they come here by themselves.";
  screen("rest");
  if (!waiting) say("Nothing is left for you. Thank you.");
}

function answer(given) {
  const task = state.shown;
  if (!task || state.undoing || current() !== "work" || !$("trouble").hidden) return;
  if (given !== "skip" && !state.begun) {
    toast(task.modality === "sound" ? "Listen first: space" : "Look first: space");
    return;
  }
  press(given);
  state.trail = [...state.trail, given].slice(-TRAIL);
  showTrail();
  say({ yes: "Yes.", no: "No.", skip: "Later." }[given]);
  post(task, given);
}

function post(task, given) {
  state.moves++;
  state.work = state.work.filter((other) => taskName(other) !== taskName(task));
  const { piece, modality } = task;
  outbox.put("/api/answer", { annotator: state.annotator, piece, modality, answer: given });
  next();
}

function undo() {
  if (!state.annotator || state.undoing) return;
  state.undoing = true;
  state.moves++;
  outbox.put("/api/undo", { annotator: state.annotator });
}

/* The server has an answer, or an undo. */
function sent(entry, told) {
  if (entry.body.annotator !== state.annotator) return;
  channel.postMessage(state.annotator);
  if (entry.path === "/api/undo") {
    state.undoing = false;
    if (told.outcome === "undone") {
      state.trail.pop();
      showTrail();
      state.shown = null; // what comes back is shown anew, even where it is on the stage
      toast("Taken back");
    } else toast("Nothing to take back");
  } else if (told.outcome === "already") toast("You had answered that one before");
  else if (told.outcome === "full") toast("Others had answered that one already");
  take(told);
}

function refused(entry, refusal) {
  state.undoing = false;
  if (refusal.status === 403) close(refusal.message);
  else {
    toast(`Not kept: ${refusal.message}`);
    lookAgain();
  }
}

function reached(whether, reason) {
  const count = outbox.size;
  const kept = count ? ` ${count === 1 ? "Your last answer is" : `Your last ${count} answers are`} kept here and sent as soon as it is back.` : "";
  $("banner").textContent = whether ? "" : `The server cannot be reached${reason && reason !== "Failed to fetch" ? ` (${reason})` : ""}.${kept}`;
  if (whether && !$("banner").hidden) player.retry();
  $("banner").hidden = whether;
}

function begun() {
  setBegun(true);
}

function setBegun(whether) {
  state.begun = whether;
  $("stage").dataset.begun = whether ? "yes" : "no";
}

async function broken(task) {
  say($("trouble").textContent);
  await wait(BROKEN_SHOWN_MS);
  if (state.shown === task) post(task, "broken");
}

/* A piece could not be loaded because nobody answers: wait until somebody does. */
async function unreachable() {
  reached(false);
  await wait(500);
  await lookAgain();
  player.retry();
}

async function lookAgain() {
  if (!state.annotator || outbox.size) return;
  const { annotator, moves } = state;
  const told = await askUntilReached("/api/work", { annotator });
  if (told && annotator === state.annotator && moves === state.moves) take(told);
}

/* Ask until the server answers; undefined where it refuses. */
async function askUntilReached(path, body, onRefusal = (refusal) => toast(refusal.message)) {
  for (;;) {
    try {
      const told = await ask(token, path, body);
      if (outbox) reached(true);
      else $("banner").hidden = true;
      return told;
    } catch (error) {
      if (error instanceof Refusal) {
        if (error.status === 403) close(error.message);
        else onRefusal(error);
        return undefined;
      }
      if (outbox) reached(false, error.message);
      else {
        $("banner").textContent = "The server cannot be reached.";
        $("banner").hidden = false;
      }
      await wait(1000);
    }
  }
}

async function showStanding() {
  if (!state.annotator || $("standing").open) return;
  const told = await askUntilReached("/api/standing", { annotator: state.annotator });
  if (!told) return;
  $("groups").replaceChildren(
    ...told.groups.map(({ title, modality, questions, done, own }) => {
      const row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = title;
      const bar = document.createElement("progress");
      Object.assign(bar, { max: questions, value: done });
      bar.setAttribute("aria-label", `${title}, ${modality}`);
      const cells = [modality, "", String(own)].map((text) => {
        const cell = document.createElement("td");
        cell.textContent = text;
        return cell;
      });
      cells[1].append(bar, ` ${done} of ${questions}`);
      row.append(name, ...cells);
      return row;
    }),
  );
  $("standing").showModal();
}

/* Keys and buttons. */

const KEYS = {
  y: () => answer("yes"),
  ArrowRight: (event) => (event.shiftKey ? player.step(1) : answer("yes")),
  n: () => answer("no"),
  ArrowLeft: (event) => (event.shiftKey ? player.step(-1) : answer("no")),
  s: () => answer("skip"),
  u: undo,
  Backspace: undo,
  " ": () => (current() === "between" ? present() : player.toggle()),
  Enter: () => current() === "between" && present(),
  r: () => player.replay(),
  ",": () => player.step(-1),
  ".": () => player.step(1),
  p: showStanding,
  "?": () => $("help").showModal(),
};
const REPEATED = new Set([",", ".", "ArrowLeft", "ArrowRight"]);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    dialog.close(); // at once: browsers take a moment of their own, and the next key would be lost
    return;
  }
  if (event.target.matches("input:not([type=range])")) return;
  if ((event.key === " " || event.key === "Enter") && event.target.matches("button:focus-visible")) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || !["work", "between", "rest"].includes(current())) return;
  event.preventDefault();
  const steps = REPEATED.has(event.key) && (event.shiftKey || event.key.length === 1);
  if (!event.repeat || steps) act(event);
});

for (const [id, act] of Object.entries({
  yes: () => answer("yes"),
  no: () => answer("no"),
  skip: () => answer("skip"),
  undo,
  "rest-undo": undo,
  go: present,
  "show-help": () => $("help").showModal(),
  "show-standing": showStanding,
}))
  $(id).addEventListener("click", act);

// After a click keys go to the page again, not to the button.
addEventListener("pointerup", () => setTimeout(() => document.activeElement?.closest("button, input[type=range]")?.blur()));

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("name").value);
});

$("person").addEventListener("click", async () => {
  sessionStorage.removeItem("annotator");
  Object.assign(state, { annotator: null, work: [], shown: null, group: null, trail: [] });
  showTrail();
  player.hide();
  const about = await askUntilReached("/api/start");
  if (about) showStart(about);
});

addEventListener("visibilitychange", () => document.visibilityState === "visible" && lookAgain());
setInterval(() => current() === "rest" && lookAgain(), LOOK_AGAIN_MS);

/* What is on the screen. */

function screen(name) {
  for (const section of document.querySelectorAll("section[data-screen]")) section.hidden = section.dataset.screen !== name;
  $("bar").hidden = name === "start" || name === "closed";
  document.body.dataset.screen = name;
}

function current() {
  return document.body.dataset.screen;
}

function close(reason) {
  player.hide();
  $("closed-text").textContent = reason;
  $("banner").hidden = true;
  screen("closed");
}

function showOwn({ own, share }) {
  const percent = Math.floor(share * 100);
  $("own-votes").textContent = own;
  $("own-share").textContent = percent;
  $("share").setAttribute("aria-valuenow", percent);
  $("share").firstElementChild.style.width = `${share * 100}%`;
}

function showTrail() {
  $("trail").replaceChildren(
    ...state.trail.map((given) => {
      const item = document.createElement("li");
      item.className = given;
      item.textContent = SIGNS[given];
      item.setAttribute("aria-label", given);
      return item;
    }),
  );
}

function press(id) {
  const button = $(id);
  button.classList.remove("pressed");
  void button.offsetWidth; // begins the animation anew
  button.classList.add("pressed");
}

function say(text) {
  $("said").textContent = text;
}

function toast(text) {
  say(text);
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => ($("toast").hidden = true), 2200);
}
