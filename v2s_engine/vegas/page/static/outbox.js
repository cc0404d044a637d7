/* Answers on their way to the server: kept in the browser until the server has them, sent one after the other, and again
   until it says that it has them. Each carries a number drawn here, so that one that arrives twice counts once. */

const PATIENCE_MS = 10_000;
const PAUSES_MS = [400, 800, 1500, 3000];

/** The server refuses; trying again is no use. */
export class Refusal extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** One request, as JSON. Throws `Refusal` where the server says no, anything else where it cannot be reached. */
export async function ask(token, path, body) {
  const headers = { "X-V2S-Token": token };
  const request = { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(request, { method: "POST", body: JSON.stringify(body) });
  }
  const answer = await fetch(path, request);
  const told = await answer.json().catch(() => ({ error: answer.statusText }));
  if (answer.ok) return told;
  if (answer.status >= 500) throw new Error(told.error);
  throw new Refusal(answer.status, told.error);
}

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export class Outbox {
  /** `key` names the project; `on` has `sent(entry, told)`, `refused(entry, refusal)`, `reached(whether, reason)`. */
  constructor(token, key, on) {
    this.token = token;
    this.prefix = `v2s-vegas/${key}/`;
    this.on = on;
    this.entries = this.#kept();
    this.sending = false;
  }

  get size() {
    return this.entries.length;
  }

  /** Whether somebody's answer to a task is still on its way. */
  holds(annotator, task) {
    return this.entries.some(
      ({ body }) => body.annotator === annotator && body.piece === task.piece && body.modality === task.modality,
    );
  }

  put(path, body) {
    const request = crypto.randomUUID();
    const name = `${this.prefix}${String(Date.now()).padStart(15, "0")}-${request}`;
    const entry = { name, path, body: { ...body, request } };
    this.entries.push(entry);
    try {
      localStorage.setItem(name, JSON.stringify(entry));
    } catch {
      // Storage that is full or forbidden: the answer is still sent, it only does not outlive this page.
    }
    this.flush();
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    for (let failures = 0; this.entries.length; ) {
      const entry = this.entries[0];
      try {
        const told = await ask(this.token, entry.path, entry.body);
        failures = 0;
        this.#drop(entry);
        this.on.reached(true);
        this.on.sent(entry, told);
      } catch (error) {
        if (error instanceof Refusal) {
          if (error.status === 403) {
            this.on.refused(entry, error); // another token may be given yet: nothing is thrown away
            break;
          }
          this.#drop(entry);
          this.on.refused(entry, error);
        } else {
          this.on.reached(false, error.message);
          await wait(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]);
        }
      }
    }
    this.sending = false;
  }

  #kept() {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(this.prefix));
      return names.sort().map((name) => JSON.parse(localStorage.getItem(name)));
    } catch {
      return [];
    }
  }

  #drop(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    try {
      localStorage.removeItem(entry.name);
    } catch {
      // As above.
    }
  }
}
