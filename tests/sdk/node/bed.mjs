// What the emulator's recorder saw, and refusals: for the suites of both SDKs.
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";

/** Where everything is: bed.py starts it, and says so in the file that TOPDOG_BED names. */
export const bed = JSON.parse(readFileSync(process.env.TOPDOG_BED, "utf8"));

// A line without its end is still being written.
export const records = () =>
  readFileSync(bed.recorder_log, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line));

const wait = () => new Promise((done) => setTimeout(done, 10));

/** So many records there are once all that began has ended, or should have. */
export async function settled() {
  for (let tries = 0; tries < 300 && records().length < statSync(`${bed.recorder_log}.begun`).size; tries++) await wait();
  return records().length;
}

/** Nothing went to the host that stands for all others. */
export function nothingWentElsewhere() {
  assert.equal(readFileSync(bed.decoy_log, "utf8"), "", "a request went to a host that is not the provider's");
}

/** The first request recorded after `mark` others; it is written down when it has ended, so a little later. */
export async function recorded(mark) {
  for (let tries = 0; tries < 300; tries++) {
    const all = records();
    if (all.length > mark) return all[mark];
    await wait();
  }
  assert.fail("the recorder saw no such request");
}

export async function rejects(kind, promise) {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof kind, `${error?.constructor?.name}: ${error?.message}`);
    return error;
  }
  assert.fail(`was answered instead of refused with ${kind.name}`);
}

/** A test that shows what a package, speaking an API, can do with a model's provider: a place in docs/compatibility.md. */
export function shows(sdk, api, model, what, body) {
  const all = [what].flat();
  test(`${all.join(", ")}: ${api}, ${model}`, async () => {
    await body();
    const lines = all.map((one) => JSON.stringify([sdk, api, model.split("/")[0], one, "✓"]) + "\n");
    appendFileSync(bed.shown, lines.join(""));
  });
}
