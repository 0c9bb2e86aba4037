/** LINKTYPE 12, raw IP of older files: the corpus has two such captures, which tshark reads. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE, PROTOCOL } from '../../src/wire/protocol.ts';
import { create } from '../../src/wire/stack.ts';
import { ECHO, SOLICITATION } from '../support/frames.ts';
import { hex } from '../support/hex.ts';

const test = suite('wire/raw-old');

test('raw IP under the number of DLT_RAW is walked like LINKTYPE_RAW', () => {
  for (const [frame, version, protocol] of [
    [ECHO, 4, PROTOCOL.ICMP],
    [SOLICITATION, 6, PROTOCOL.ICMP6],
  ] as const) {
    const view = hex(frame.replace(/\s+/g, '').slice(28));
    const layers = create();
    locate(view, 0, view.byteLength, view.byteLength, LINKTYPE.RAW_OLD, 4789, layers);
    assert.is(layers.outer.version, version);
    assert.is(layers.outer.protocol, protocol);
    assert.is(layers.outer.link, -1);
    assert.is(layers.outer.network, 0);
    assert.is(layers.outer.fault, 0);
  }
});

test.run();
