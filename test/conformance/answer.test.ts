/** Thousands of offending packets, and every octet of what the kernel answers, or that it answers nothing. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answer, type Circumstances, NETWORK, RULES } from '../dataplane/answer/cell.ts';
import { type Offence, offences } from '../dataplane/answer/offences.ts';
import { skip } from '../support/shared.ts';
import { askKernel, type Back, NO_LIMITS, type Setup } from './answer-kernel.ts';
import { obstacle } from './lab-shell.ts';

const test = suite('conformance/answer');

/** Rules that match nothing of interest, but make the kernel track connections. */
const TRACKED = ['INPUT', 'FORWARD'].map((chain) => ['-A', chain, '-m', 'conntrack', '--ctstate', 'UNTRACKED']);

const hex = (octets: Uint8Array | number): string =>
  typeof octets === 'number' ? `none (${octets})` : Buffer.from(octets).toString('hex');

/** What the cell sent of its own: not the packet passed on. */
function answersTo({ packet }: Offence, { packets }: Back): Uint8Array[] {
  const source = Buffer.from(packet.subarray(12, 16));
  return packets.filter((one) => !source.equals(one.subarray(12, 16)));
}

/** Our answer with the times that agree best with the kernel's, of those between which it must have answered. */
function ours(offence: Offence, conntrack: boolean, back: Back, theirs: Uint8Array | undefined): Uint8Array | number {
  const view = theirs === undefined ? undefined : new DataView(theirs.buffer, theirs.byteOffset);
  const circumstances: Circumstances = {
    conntrack,
    groupFrame: offence.groupFrame ?? false,
    identification: view?.getUint16(4) ?? 0,
    received: back.from,
    answered: back.from,
  };
  const first = answer(offence.packet, circumstances);
  if (theirs === undefined || typeof first === 'number') return first;
  for (let received = back.from; received <= back.to; received += 1) {
    for (let answered = received; answered <= back.to; answered += 1) {
      const one = answer(offence.packet, { ...circumstances, received, answered });
      if (hex(one) === hex(theirs)) return one;
    }
  }
  return first;
}

interface Comparison {
  /** How many packets the kernel answered. */
  readonly answered: number;
  readonly wrong: readonly string[];
}

function compare(setup: Setup, conntrack: boolean, list: readonly Offence[]): Comparison {
  const wrong: string[] = [];
  let answered = 0;
  for (const [index, back] of askKernel(setup, list).entries()) {
    const offence = list[index]!;
    const [theirs, ...more] = answersTo(offence, back);
    if (theirs !== undefined) answered += 1;
    const mine = ours(offence, conntrack, back, theirs);
    const expected = theirs === undefined ? 'none' : hex(theirs);
    const got = typeof mine === 'number' ? 'none' : hex(mine);
    if (expected === got && more.length === 0) continue;
    wrong.push(`${offence.name}\n  packet ${hex(offence.packet)}\n  kernel ${expected}\n  ours   ${hex(mine)}`);
    for (const one of more) wrong.push(`  kernel also ${hex(one)}`);
  }
  return { answered, wrong };
}

function answerTest(backend: Setup['backend'], conntrack: boolean): void {
  const name = `iptables-${backend}${conntrack ? ' with conntrack' : ''}: every answer is the kernel's`;
  const missing = obstacle(['ip', 'python3', 'sysctl', `xtables-${backend}-multi`]);
  if (missing !== undefined) {
    skip(test, name, missing.message);
    return;
  }
  test(name, () => {
    const list = offences().filter(({ fragment }) => !(conntrack && fragment === true));
    const rules = conntrack ? [...TRACKED, ...RULES] : RULES;
    const { answered, wrong } = compare({ backend, network: NETWORK, rules, settings: NO_LIMITS }, conntrack, list);
    assert.is(wrong.length, 0, `${wrong.length} of ${list.length}\n${wrong.slice(0, 20).join('\n')}`);
    assert.ok(list.length > 3500 && answered > list.length / 2, `${answered} of ${list.length} were answered`);
  });
}

for (const backend of ['nft', 'legacy'] as const) {
  for (const conntrack of [false, true]) answerTest(backend, conntrack);
}

test.run();
