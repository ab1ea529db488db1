// SPDX-License-Identifier: Apache-2.0
// Points of a node at which a test may hold it (NANGO_FAULT).
import { createServer } from "node:net";
import { join } from "node:path";
import { scratch } from "./nangod.mjs";

/** The other end of NANGO_FAULT: every point of a run, from its first frame on, asks it, and it may hold one. */
export class Faults {
  awaited = [];

  static async listen(t) {
    const faults = new Faults();
    const sockets = new Set();
    faults.path = join(scratch(t), "fault");
    const server = createServer((socket) => {
      let text = "";
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", (data) => {
        text += data;
        for (let end; (end = text.indexOf("\n")) >= 0; text = text.slice(end + 1)) faults.#point(text.slice(0, end), () => socket.write("g"));
      });
    });
    await new Promise((done) => server.listen(faults.path, done));
    // First of all that ends: a node that is held here would not end.
    t.after(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return faults;
  }

  #point(line, go) {
    const label = line.replaceAll(/ = \d+| <= \d+/g, (found) => found.replace(/\d+/, "N"));
    this.isBegun ||= label === "takes HELLO";
    if (!this.isBegun) return go();
    this.see?.(label);
    for (const one of this.awaited.filter((one) => one.fits(label) && --one.nth === 0)) {
      this.awaited.splice(this.awaited.indexOf(one), 1);
      one.reached(go);
      if (one.isStalled) return;
      if (one.isHeld) this.queue = [];
      if (one.isHeld) return;
    }
    if (this.queue) this.queue.push(go);
    else go();
  }

  #await(awaited) {
    this.isBegun = false;
    return new Promise((reached) => this.awaited.push({ ...awaited, reached }));
  }

  /** Tells see(label) of each point of the run that comes next. */
  watch(see) {
    Object.assign(this, { see, isBegun: false });
  }

  /** Resolves once the run that comes next reached the point for the nth time, with what lets it go on; until then
   * no other point is passed. */
  async hold({ label, nth }) {
    const go = await this.#await({ fits: (reached) => reached === label, nth, isHeld: true });
    return () => {
      go();
      for (const other of this.queue) other();
      this.queue = undefined;
    };
  }

  /** The same, of points that begin like that; and only the thread that came there stands still. */
  stall(label, nth) {
    return this.#await({ fits: (reached) => reached.startsWith(label), nth, isStalled: true });
  }

  /** Resolves once it was passed for the nth time. */
  passed(label, nth) {
    return this.#await({ fits: (reached) => reached.startsWith(label), nth });
  }

  /** Nothing is held any more, by what was not reached. */
  forget() {
    this.awaited = [];
  }
}
