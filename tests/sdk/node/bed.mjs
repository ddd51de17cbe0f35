// What the emulator's recorder saw, and refusals: for the suites of both SDKs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

/** Where everything is: bed.py starts it, and says so in the file that TOPDOG_BED names. */
export const bed = JSON.parse(readFileSync(process.env.TOPDOG_BED, "utf8"));

// A line without its end is still being written.
export const records = () =>
  readFileSync(bed.recorder_log, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line));

/** Nothing went to the host that stands for all others. */
export function nothingWentElsewhere() {
  assert.equal(readFileSync(bed.decoy_log, "utf8"), "", "a request went to a host that is not the provider's");
}

/** The first request recorded after `mark` others; it is written down when it has ended, so a little later. */
export async function recorded(mark) {
  for (let tries = 0; tries < 300; tries++) {
    const all = records();
    if (all.length > mark) return all[mark];
    await new Promise((done) => setTimeout(done, 10));
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
