/** Cases that once differed, shrunk: on the running kernel and on tagplane, nothing differs any more. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT, skip } from '../../support/shared.ts';
import { labObstacle } from '../lab.ts';
import { mismatchText } from './report.ts';
import type { Case } from './step.ts';
import { tryCase } from './trial.ts';

const test = suite('conformance/regressions');
const FOLDER = join(ROOT, 'test', 'conformance', 'regressions');

for (const file of readdirSync(FOLDER).sort()) {
  const one = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Case;
  const problem = labObstacle(one.backend, ['python3', 'conntrack']);
  if (problem !== undefined) skip(test, file, problem.message);
  else {
    test(file, async () => {
      const { mismatches } = await tryCase(one);
      assert.equal(mismatches.flatMap(mismatchText), []);
    });
  }
}

test.run();
