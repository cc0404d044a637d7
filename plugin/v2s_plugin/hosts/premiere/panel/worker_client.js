"use strict";

// A panel's side of the V2S worker over its loopback WebSocket: one message is one text frame (docs/protocol.md).

const PROTOCOL = 1;

/** What the worker or the connection refused; `code` as in docs/protocol.md, or `worker_gone`. */
class WorkerError extends Error {
  constructor({ code, message, detail = "", action = "", skips = [] }) {
    const skipped = skips.map(
      ({ label, where, reason, advice }) => `skipped ${label} (${where}): ${reason}${advice ? `; ${advice}` : ""}`,
    );
    super([message, detail, action, ...skipped].filter(Boolean).join("\n"));
    this.name = "WorkerError";
    this.code = code;
  }
}

/** Port and token from the text of worker.json. Throws `WorkerError` where it is none. */
function parseConnection(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    found = null;
  }
  if (!found || !Number.isInteger(found.port) || typeof found.token !== "string") {
    throw new WorkerError({
      code: "worker_gone",
      message: "the file of the V2S worker's port and token cannot be read",
      action: "start the worker again: v2s worker --socket",
    });
  }
  return { port: found.port, token: found.token };
}

/**
 * One connection. `Socket`: the WebSocket class. One request runs at a time.
 */
class WorkerClient {
  constructor(Socket, { port, token }, host) {
    this.Socket = Socket;
    this.url = `ws://127.0.0.1:${port}/`;
    this.token = token;
    this.host = host;
    this.lastId = 0;
    this.socket = null;
    this.waiting = new Map(); // id ("hello" for the greeting) -> { resolve, reject, onMessage }
  }

  /** Greet the worker. Resolves to its `hello`; rejects with `WorkerError`. */
  connect() {
    return new Promise((resolve, reject) => {
      this.waiting.set("hello", { resolve, reject, onMessage: () => {} });
      this.socket = new this.Socket(this.url);
      this.socket.onopen = () =>
        this._send({ type: "hello", protocol: PROTOCOL, host: this.host, token: this.token });
      this.socket.onmessage = (event) => this._take(event.data);
      this.socket.onclose = () => this._gone();
      this.socket.onerror = () => this._gone();
    });
  }

  /**
   * Send `plan` or `generate`. `onMessage` takes progress, clips and warnings.
   * Resolves to `planned` or `done`; rejects with `WorkerError`.
   */
  request(type, content, onMessage = () => {}) {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      if (this.socket === null) {
        reject(gone());
        return;
      }
      this.waiting.set(id, { resolve, reject, onMessage });
      this.running = id;
      this._send({ ...content, type, id });
    });
  }

  /** Ask to stop what runs; its promise rejects with code `cancelled`. */
  cancel() {
    if (this.waiting.has(this.running)) {
      this._send({ type: "cancel", id: ++this.lastId, cancels: this.running });
    }
  }

  close() {
    const socket = this.socket;
    if (socket !== null) {
      this._send({ type: "bye" });
      this._gone();
      socket.close();
    }
  }

  _send(message) {
    this.socket.send(JSON.stringify(message));
  }

  _take(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return; // the worker sends JSON only; what is none is no message
    }
    const id = message.type === "hello" ? "hello" : message.id;
    if (message.type === "error" && id === null) {
      this._end(new WorkerError(message)); // about the connection itself
      return;
    }
    const waiting = this.waiting.get(id);
    if (waiting === undefined) {
      return;
    }
    if (message.type === "error") {
      this.waiting.delete(id);
      waiting.reject(new WorkerError(message));
    } else if (["hello", "planned", "done"].includes(message.type)) {
      this.waiting.delete(id);
      waiting.resolve(message);
    } else {
      waiting.onMessage(message);
    }
  }

  _gone() {
    this.socket = null;
    this._end(gone());
  }

  _end(error) {
    const all = [...this.waiting.values()];
    this.waiting.clear();
    all.forEach(({ reject }) => reject(error));
  }
}

function gone() {
  return new WorkerError({
    code: "worker_gone",
    message: "the V2S worker does not answer",
    action: "start it in a terminal (v2s worker --socket), then connect again",
  });
}

module.exports = { WorkerClient, WorkerError, parseConnection };
