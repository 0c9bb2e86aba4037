/**
 * The folder of third-party captures and lab dumps that some machines have beside the checkout (`../shared`, or
 * TAGPLANE_SHARED). The project never needs it: tests that read it are registered through `sharedTest`, which skips them
 * with a reason where it is missing.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'uvu';

/** Root of the checkout: this file runs as dist/test/support/shared.js. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

const SHARED = process.env.TAGPLANE_SHARED ?? join(ROOT, '..', 'shared');

export const shared = (...parts: string[]): string => join(SHARED, ...parts);

/** Register `body` under `name`, or a skipped test that says what is missing. */
export function sharedTest(suite: Test, needed: string, name: string, body: () => void | Promise<void>): void {
  if (existsSync(shared(needed))) suite(name, body);
  else skip(suite, name, `shared/${needed} is not on this machine`);
}

/** Register a skipped test whose reason is printed, so that nothing is left out silently. */
export function skip(suite: Test, name: string, reason: string): void {
  console.log(`SKIP ${name}: ${reason}`);
  suite.skip(name, () => undefined);
}
