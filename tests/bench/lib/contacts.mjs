// SPDX-License-Identifier: Apache-2.0
// nangod with the plugin contacts deployed and a provider of 10,000 contacts to sync from.
import { fileURLToPath } from "node:url";
import { buildPlugin, until } from "../../e2e/lib/nangod.mjs";
import { query, startNangod, startProvider } from "./measure.mjs";

const key = "unauthenticated";
const source = fileURLToPath(new URL("../plugins/contacts", import.meta.url));

/** Resolves at the next line of the server's log that says how a run ended. */
function nextEnd(nangod) {
  return new Promise((done, fail) => {
    let text = "";
    const look = (data) => {
      text += data;
      const end = text.match(/.*: success, \d+ pages|.*ended with cause.*/);
      if (!end) return;
      nangod.child.stderr.off("data", look);
      if (end[0].includes("success")) done();
      else fail(new Error(end[0]));
    };
    nangod.child.stderr.on("data", look);
  });
}

export class Contacts {
  #connections = 0;

  /** `pages` of 1,000. */
  static async start(t, pages = 10) {
    const contacts = new Contacts();
    contacts.provider = await startProvider(t, pages);
    contacts.nangod = await startNangod(t);
    const file = await buildPlugin(t, source, key);
    await contacts.nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
    await contacts.nangod.deploy(file, key);
    return contacts;
  }

  /** A connection of its own, so that the next sync is a first load. */
  async connect() {
    this.id = `c${++this.#connections}`;
    await this.nangod.connect(key, { id: this.id, baseUrl: this.provider.url, credentials: { type: "NONE" } });
  }

  get headers() {
    return { authorization: `Bearer ${this.nangod.key}`, "provider-config-key": key, "connection-id": this.id };
  }

  #trigger() {
    return this.nangod.ok("POST", "/sync/trigger", {
      body: { syncs: ["contacts"], provider_config_key: key, connection_id: this.id },
    });
  }

  /** One run, waited for by the log alone; its figures as the server's own row has them, in ms. */
  async run() {
    const end = nextEnd(this.nangod);
    await this.#trigger();
    await end;
    await until(async () => (await query(this.nangod, "SELECT count(*) FROM nango.queue"))[0][0] === "0", "the run does not leave the queue");
    const [[wall, queued, cpu, added, updated]] = await query(
      this.nangod,
      "SELECT extract(epoch FROM finished_at - started_at) * 1000, " +
        "extract(epoch FROM started_at - created_at) * 1000, cpu_us / 1000.0, added, updated " +
        "FROM nango.run WHERE state = 'success' ORDER BY id DESC LIMIT 1",
    );
    return { wall: Number(wall), queued: Number(queued), cpu: Number(cpu), added: Number(added), updated: Number(updated) };
  }

  /** One run as a client sees it: trigger, then GET /sync/status until it says so, in ms. */
  async runSeen() {
    const begin = performance.now();
    await this.#trigger();
    const status = await this.nangod.settled(key, this.id, "contacts");
    if (status.status === "ERROR") throw new Error(JSON.stringify(status));
    return performance.now() - begin;
  }

  async connectionRow() {
    const [[id]] = await query(this.nangod, `SELECT id FROM nango.connection WHERE connection_id = '${this.id}'`);
    return id;
  }
}
