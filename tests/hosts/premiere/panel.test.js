"use strict";

// Run by tests/hosts/test_premiere.py: the panel's own files in Node, against stand-ins of Premiere and of the socket.

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");

const PANEL = path.join(__dirname, "../../../plugin/v2s_plugin/hosts/premiere/panel");
const { WorkerClient, parseConnection } = require(path.join(PANEL, "worker_client.js"));
const { PremiereDesk } = require(path.join(PANEL, "premiere_desk.js"));
const { score } = require(path.join(PANEL, "job.js"));

const HELLO = { type: "hello", protocol: 1, version: "0", sound_classes: ["dog"], bundles: [], devices: [] };

/** A socket whose other end is `answer(message, say)`. */
function socketWith(answer) {
  return class {
    constructor(url) {
      this.url = url;
      this.closed = false;
      this.said = [];
      setImmediate(() => this.onopen());
    }
    send(text) {
      if (this.closed) throw new Error("sent on a closed socket");
      assert.ok(!text.includes("\n"));
      const message = JSON.parse(text);
      this.said.push(message);
      answer(message, (reply) => setImmediate(() => this.onmessage({ data: JSON.stringify(reply) })), this);
    }
    close() {
      this.closed = true;
      setImmediate(() => this.onclose());
    }
  };
}

function greeting(answer = () => {}) {
  return socketWith((message, say, socket) => (message.type === "hello" ? say(HELLO) : answer(message, say, socket)));
}

async function connected(answer) {
  const client = new WorkerClient(greeting(answer), { port: 4321, token: "secret" }, "premiere 26.3");
  await client.connect();
  return client;
}

/** Premiere with one open sequence; `does`: what it is able to. */
function premiere(does = {}) {
  const files = new Set();
  const sequences = [{ name: "My cut: 1", guid: "1" }];
  const project = {
    path: does.path ?? "C:\\films\\film.prproj",
    getActiveSequence: async () => (does.sequence === false ? null : sequences[0]),
    getSequences: async () => [...sequences],
    getRootItem: async () => "root",
    importFiles: async (paths, suppress, bin, stills) => {
      assert.deepEqual([paths.length, suppress, bin, stills], [1, true, "root", false]);
      if (does.imports !== false) sequences.push({ name: "scored", guid: String(sequences.length + 1) });
      return true; // whatever happened
    },
  };
  const ppro = {
    Project: { getActiveProject: async () => (does.project === false ? null : project) },
    ProjectConverter: {
      exportAsOpenTimelineIO: async (sequence, to, suppress) => {
        assert.deepEqual([sequence, suppress], [sequences[0], true]);
        if (does.exports !== false) files.add(`file:${to.replaceAll("\\", "/")}`);
        return true; // whatever happened
      },
    },
  };
  const fs = {
    made: [],
    mkdir: async (url) => {
      if (fs.made.includes(url)) throw new Error("exists");
      fs.made.push(url);
    },
    lstat: async (url) => {
      if (!files.has(url)) throw new Error("no such file");
      return {};
    },
    unlink: async (url) => {
      if (!files.delete(url)) throw new Error("no such file");
    },
  };
  return { ppro, fs, does };
}

test("the greeting carries the token and goes to the loopback address", async () => {
  const client = await connected();
  assert.equal(client.socket.url, "ws://127.0.0.1:4321/");
  assert.deepEqual(client.socket.said, [{ type: "hello", protocol: 1, host: "premiere 26.3", token: "secret" }]);
});

test("a request hears its own messages and ends once", async () => {
  const client = await connected((message, say) => {
    say({ type: "progress", id: message.id, stage: "sample", done: 1, total: 2, item: "a", seconds_left: null });
    say({ type: "progress", id: 99, stage: "sample", done: 2, total: 2, item: "not ours", seconds_left: null });
    say({ type: "later_type", id: message.id });
    say({ type: "done", id: message.id, output: null, scored: 1, skips: [], warnings: [], device: "cpu" });
    say({ type: "done", id: message.id, output: null, scored: 9, skips: [], warnings: [], device: "cpu" });
  });
  const heard = [];
  const done = await client.request("generate", { timeline: "/a.otio" }, (message) => heard.push(message.type));
  assert.equal(done.scored, 1);
  assert.deepEqual(heard, ["progress", "later_type"]);
});

test("an error says what, why and what to do", async () => {
  const client = await connected((message, say) =>
    say({ type: "error", id: message.id, code: "bundle", message: "what", detail: "why", action: "do" }),
  );
  await assert.rejects(client.request("plan", {}), { code: "bundle", message: "what\nwhy\ndo" });
});

test("an error names the clips that it is about", async () => {
  const skips = [
    { label: "a", where: "V1 at 0.000 s", reason: "no such file", advice: "relink it" },
    { label: "b", where: "V1 at 1.000 s", reason: "nothing moves", advice: "" },
  ];
  const client = await connected((message, say) =>
    say({ type: "error", id: message.id, code: "nothing_to_score", message: "what", detail: "", action: "do", skips }),
  );
  const listed = "skipped a (V1 at 0.000 s): no such file; relink it\nskipped b (V1 at 1.000 s): nothing moves";
  await assert.rejects(client.request("generate", {}), { message: `what\ndo\n${listed}` });
});

test("cancel names the request that runs, and nothing when none does", async () => {
  const client = await connected((message, say) => {
    if (message.type === "cancel") say({ type: "error", id: message.cancels, code: "cancelled", message: "stopped" });
  });
  client.cancel();
  const running = client.request("generate", {});
  client.cancel();
  await assert.rejects(running, { code: "cancelled" });
  assert.deepEqual(client.socket.said.slice(1).map(({ type, cancels }) => [type, cancels]), [
    ["generate", undefined],
    ["cancel", 1],
  ]);
});

test("a worker that goes away ends what runs, and the next request is refused", async () => {
  const client = await connected((message, say, socket) => socket.close());
  await assert.rejects(client.request("generate", {}), { code: "worker_gone" });
  await assert.rejects(client.request("generate", {}), { code: "worker_gone" });
});

test("garbage from the socket is passed over", async () => {
  const client = await connected((message, say, socket) => {
    socket.onmessage({ data: "{half" });
    say({ type: "planned", id: message.id, jobs: [], skips: [] });
  });
  assert.equal((await client.request("plan", {})).type, "planned");
});

test("a wrong token is told", async () => {
  const refusing = socketWith((message, say) =>
    say({ type: "error", id: null, code: "bad_request", message: "wrong token", detail: "", action: "connect again" }),
  );
  const client = new WorkerClient(refusing, { port: 1, token: "x" }, "premiere");
  await assert.rejects(client.connect(), { code: "bad_request" });
});

test("a connection file that is none says how to start the worker", () => {
  for (const text of ["", "{", "[]", '{"port":"1","token":"x"}', '{"port":1}', "null"]) {
    assert.throws(() => parseConnection(text), /v2s worker --socket/);
  }
  assert.deepEqual(parseConnection('{"port":1,"token":"x","pid":2}'), { port: 1, token: "x" });
});

test("a sequence goes out, and the scored one comes in as a new sequence", async () => {
  const { ppro, fs } = premiere();
  const asked = [];
  const client = await connected((message, say) => {
    asked.push(message);
    say({ type: "progress", id: message.id, stage: "sample", done: 1, total: 4, item: "a", seconds_left: 12.4 });
    say({ type: "warning", id: message.id, message: "careful" });
    const skips = [{ label: "b", where: "00:00:01:00", reason: "no class", advice: "--sound dog" }];
    say({ type: "done", id: message.id, output: "x", scored: 3, skips, warnings: ["mind this"], device: "cpu" });
  });
  const told = [];
  const shown = [];
  const settings = { sound: "dog", takes: 2, seed: 7 };
  await score(new PremiereDesk(ppro, fs), client, settings, (text) => told.push(text), (_, text) => shown.push(text));
  assert.deepEqual(asked, [
    {
      type: "generate",
      id: 1,
      timeline: "C:\\films\\V2S\\My_cut_1.otio",
      output: "C:\\films\\V2S\\My_cut_1_scored.otio",
      options: { takes: 2, seed: 7, force: true, sound: "dog" },
    },
  ]);
  assert.deepEqual(fs.made, ["file:C:/films/V2S"]);
  assert.deepEqual(told, [
    "careful",
    "skipped b (00:00:01:00): no class; --sound dog",
    "mind this",
    "scored: 3; new sequence: scored",
  ]);
  assert.deepEqual(shown.slice(1), ["making sounds: 1 of 4, a, 12 s left", "importing", "done"]);
});

test("a second export is noticed, and one that did not happen too", async () => {
  const { ppro, fs, does } = premiere({ path: "/films/film.prproj" });
  const desk = new PremiereDesk(ppro, fs);
  const paths = { timeline: "/films/V2S/My_cut_1.otio", output: "/films/V2S/My_cut_1_scored.otio" };
  assert.deepEqual(await desk.exportSequence(), paths);
  assert.deepEqual(await desk.exportSequence(), paths);
  does.exports = false; // the old file lies there still
  await assert.rejects(desk.exportSequence(), /did not export/);
});

test("what is missing in Premiere says what to do", async () => {
  const cases = [
    [{ project: false }, /open one/],
    [{ sequence: false }, /open one/],
    [{ path: "" }, /save it/],
  ];
  for (const [does, told] of cases) {
    const { ppro, fs } = premiere(does);
    await assert.rejects(new PremiereDesk(ppro, fs).exportSequence(), told);
  }
  const { ppro, fs } = premiere({ imports: false });
  await assert.rejects(new PremiereDesk(ppro, fs).importTimeline("/a.otio"), /File > Import/);
});
