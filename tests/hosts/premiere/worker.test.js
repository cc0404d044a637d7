"use strict";

// Run by tests/hosts/test_premiere.py with V2S_CONNECTION, V2S_TIMELINE and V2S_OUTPUT: the panel's client and a worker.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const PANEL = path.join(__dirname, "../../../plugin/v2s_plugin/hosts/premiere/panel");
const { WorkerClient, parseConnection } = require(path.join(PANEL, "worker_client.js"));

const { V2S_CONNECTION, V2S_TIMELINE, V2S_OUTPUT } = process.env;
const connection = parseConnection(fs.readFileSync(V2S_CONNECTION, "utf-8"));

test("a timeline is scored over the loopback WebSocket", async () => {
  const client = new WorkerClient(WebSocket, connection, "premiere 26.3");
  const hello = await client.connect();
  assert.ok(hello.sound_classes.includes("dog"));
  const options = { sound: "dog", force: true };
  const planned = await client.request("plan", { timeline: V2S_TIMELINE, options: { sound: "dog" } });
  assert.ok(planned.jobs.length > 0);
  const heard = new Set();
  const content = { timeline: V2S_TIMELINE, output: V2S_OUTPUT, options };
  const done = await client.request("generate", content, (message) => heard.add(message.type));
  assert.equal(done.scored, planned.jobs.length);
  assert.ok(heard.has("progress") && heard.has("clip"));
  assert.ok(fs.existsSync(V2S_OUTPUT));
  await assert.rejects(client.request("plan", { timeline: "/no/such.otio", options: {} }), (error) => {
    assert.equal(error.code, "timeline");
    return true;
  });
  client.close();
});

test("a wrong token gets nothing", async () => {
  const client = new WorkerClient(WebSocket, { ...connection, token: "wrong" }, "premiere 26.3");
  await assert.rejects(client.connect(), { name: "WorkerError" });
});
