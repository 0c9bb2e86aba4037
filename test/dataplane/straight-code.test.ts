/** straight-code.ts is straight.wat, assembled. `TAGPLANE_WRITE_WAT=1` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import wabt from 'wabt';
import { STRAIGHT_CODE } from '../../src/dataplane/straight-code.ts';
import { ROOT } from '../support/shared.ts';

const test = suite('dataplane: assembled code');
const FOLDER = join(ROOT, 'src', 'dataplane');

const head = `/** straight.wat, assembled: do not edit. test/dataplane/straight-code.test.ts holds the two together. */
export const STRAIGHT_CODE =
`;

async function assemble(): Promise<string> {
  const assembler = await wabt();
  const module = assembler.parseWat('straight.wat', readFileSync(join(FOLDER, 'straight.wat'), 'utf8'));
  module.validate();
  const { buffer } = module.toBinary({});
  module.destroy();
  return Buffer.from(buffer).toString('base64');
}

const lines = (text: string): string => (text.match(/.{1,110}/g) ?? []).map((piece) => `  '${piece}'`).join(' +\n');

test('the code is what the assembler makes of the text', async () => {
  const code = await assemble();
  if (process.env.TAGPLANE_WRITE_WAT === '1') {
    writeFileSync(join(FOLDER, 'straight-code.ts'), `${head}${lines(code)};\n`);
    return;
  }
  assert.is(STRAIGHT_CODE, code);
});

test.run();
