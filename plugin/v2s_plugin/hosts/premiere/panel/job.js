"use strict";

// One run: sequence out, worker, scored sequence in.

const STAGES = { encode: "looking at pictures", sample: "making sounds", write: "writing" };

/**
 * `settings`: { sound (null: none for clips that say none), takes, seed }. `tell(text)` takes lines for the editor,
 * `show(fraction, text)` the progress. Rejects with `WorkerError` or `DeskError`.
 */
async function score(desk, client, settings, tell, show) {
  show(0, "exporting the sequence");
  const { timeline, output } = await desk.exportSequence();
  const options = { takes: settings.takes, seed: settings.seed, force: true };
  if (settings.sound) {
    options.sound = settings.sound;
  }
  const done = await client.request("generate", { timeline, output, options }, (message) => {
    if (message.type === "progress") {
      show(message.total ? message.done / message.total : 0, progressText(message));
    } else if (message.type === "warning") {
      tell(message.message);
    }
  });
  for (const skip of done.skips) {
    tell(`skipped ${skip.label} (${skip.where}): ${skip.reason}${skip.advice ? `; ${skip.advice}` : ""}`);
  }
  for (const warning of done.warnings) {
    tell(warning);
  }
  show(1, "importing");
  tell(`scored: ${done.scored}; new sequence: ${await desk.importTimeline(output)}`);
  show(1, "done");
}

function progressText({ stage, done, total, item, seconds_left: left }) {
  const time = typeof left === "number" ? `, ${Math.round(left)} s left` : "";
  return `${STAGES[stage] ?? stage}: ${done} of ${total}${item ? `, ${item}` : ""}${time}`;
}

module.exports = { score };
