"use strict";

// The panel. Not run inside Premiere yet; worker_client.js, premiere_desk.js and job.js are tested in Node.

const ppro = require("premierepro");
const files = require("fs");
const uxp = require("uxp");
const { score } = require("./job.js");
const { PremiereDesk, toUrl } = require("./premiere_desk.js");
const { connectionFile } = require("./settings.js");
const { WorkerClient, parseConnection } = require("./worker_client.js");

const element = (id) => document.getElementById(id);
let client = null;

function show(fraction, text) {
  element("progress").value = fraction;
  element("status").textContent = text;
}

function tell(text) {
  element("messages").textContent += `${text}\n`;
}

function setBusy(busy) {
  element("connect").disabled = busy;
  element("generate").disabled = busy || client === null;
  element("cancel").disabled = !busy;
}

async function readConnection() {
  try {
    return await files.readFile(toUrl(connectionFile), { encoding: "utf-8" });
  } catch {
    return ""; // no worker runs: parseConnection says what to do
  }
}

async function connect() {
  const connection = parseConnection(await readConnection());
  const opened = new WorkerClient(WebSocket, connection, `premiere ${uxp.host.version}`);
  const hello = await opened.connect();
  client = opened;
  element("sound").innerHTML = "";
  for (const [value, text] of [["", "(only clips that say it)"], ...hello.sound_classes.map((each) => [each, each])]) {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = text;
    element("sound").appendChild(option);
  }
  show(0, `connected to V2S ${hello.version}`);
}

async function generate() {
  element("messages").textContent = "";
  const settings = {
    sound: element("sound").value || null,
    takes: Number(element("takes").value),
    seed: Number(element("seed").value),
  };
  await score(new PremiereDesk(ppro, files), client, settings, tell, show);
}

/** Runs a step with the buttons set; what it refuses is shown. */
function step(action) {
  return async () => {
    setBusy(true);
    try {
      await action();
    } catch (error) {
      if (error.code === "worker_gone") {
        client = null;
      }
      show(0, error.code === "cancelled" ? "stopped; what was finished is reused by the next run" : "failed");
      tell(error.message);
    }
    setBusy(false);
  };
}

element("connect").addEventListener("click", step(connect));
element("generate").addEventListener("click", step(generate));
element("cancel").addEventListener("click", () => client?.cancel());
