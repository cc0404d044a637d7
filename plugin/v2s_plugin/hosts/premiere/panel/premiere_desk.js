"use strict";

// The active sequence of Premiere: exported as .otio for the worker, and the scored one imported.

/** Nothing can be done in Premiere as it stands; the text says why and what to do. */
class DeskError extends Error {
  constructor(message) {
    super(message);
    this.name = "DeskError";
  }
}

/** `ppro`: Premiere's module; `files`: UXP's fs. */
class PremiereDesk {
  constructor(ppro, files) {
    this.ppro = ppro;
    this.files = files;
  }

  /** Export the active sequence beside the project. Resolves to the paths { timeline, output }. */
  async exportSequence() {
    const project = await this.ppro.Project.getActiveProject();
    const sequence = project ? await project.getActiveSequence() : null;
    if (!sequence) {
      throw new DeskError("no sequence is open; open one in the timeline");
    }
    const folder = await this._folder(project.path);
    const stem = folder + fileStem(sequence.name);
    const timeline = `${stem}.otio`;
    await this._remove(timeline); // else an old one would pass for the new one
    const exported = await this.ppro.ProjectConverter.exportAsOpenTimelineIO(sequence, timeline, true);
    if (!exported || !(await this._exists(timeline))) {
      throw new DeskError(`Premiere did not export ${timeline}; export it by File > Export, and run v2s generate on it`);
    }
    return { timeline, output: `${stem}_scored.otio` };
  }

  /** Import the scored timeline as a new sequence. Resolves to its name. */
  async importTimeline(path) {
    const project = await this.ppro.Project.getActiveProject();
    const known = new Set((await project.getSequences()).map((sequence) => String(sequence.guid)));
    await project.importFiles([path], true, await project.getRootItem(), false);
    // Read back: what importFiles answers is not to be relied on.
    const made = (await project.getSequences()).find((sequence) => !known.has(String(sequence.guid)));
    if (made === undefined) {
      throw new DeskError(`Premiere did not import ${path}; import it by File > Import (Premiere 25.6 or newer)`);
    }
    return made.name;
  }

  async _folder(projectPath) {
    const cut = Math.max(projectPath.lastIndexOf("/"), projectPath.lastIndexOf("\\"));
    if (cut < 0) {
      throw new DeskError("the project has not been saved; save it, V2S puts its files beside it");
    }
    const folder = `${projectPath.slice(0, cut + 1)}V2S`;
    try {
      await this.files.mkdir(toUrl(folder));
    } catch {
      // It is there already; where it could not be made, the export tells.
    }
    return folder + projectPath[cut];
  }

  async _remove(path) {
    try {
      await this.files.unlink(toUrl(path));
    } catch {
      // It is not there.
    }
  }

  async _exists(path) {
    try {
      await this.files.lstat(toUrl(path));
      return true;
    } catch {
      return false;
    }
  }
}

/** UXP's fs takes `file:` and an absolute path with forward slashes. */
function toUrl(path) {
  return `file:${path.replaceAll("\\", "/")}`;
}

function fileStem(name) {
  return name.replace(/[^\p{L}\p{N}_-]+/gu, "_") || "sequence";
}

module.exports = { PremiereDesk, DeskError, toUrl };
