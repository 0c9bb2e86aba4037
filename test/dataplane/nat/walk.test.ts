/** The nat table at each hook: what is walked, with which addresses, and what the kernel drops there. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as conntrack from '../../../src/dataplane/conntrack.ts';
import * as connections from '../../../src/dataplane/nat/connections.ts';
import { TRANSLATED } from '../../../src/dataplane/nat/translate.ts';
import { ctstateBits, HOOK, STATUS } from '../../../src/dataplane/nat/tuples.ts';
import { type CellNat, createNatTable, pass } from '../../../src/dataplane/nat/walk.ts';
import * as transport from '../../../src/dataplane/transport.ts';
import { compile } from '../../../src/rules/compile.ts';
import { InterfaceNames } from '../../../src/rules/interfaces.ts';
import { CTSTATE } from '../../../src/rules/model.ts';
import { createOutcome, createPacket } from '../../../src/rules/packet.ts';
import { parseRuleset } from '../../../src/rules/parse.ts';
import { tableOf } from '../../../src/rules/table.ts';
import { formatIpv4 } from '../../../src/wire/address.ts';
import { locate } from '../../../src/wire/layers.ts';
import { LINKTYPE } from '../../../src/wire/protocol.ts';
import * as stacks from '../../../src/wire/stack.ts';
import { address, ipv4, udp } from '../packets.ts';

const test = suite('dataplane/nat/walk');
const ENDS = { source: '10.255.1.4', destination: '10.0.0.9' };

/** One packet after the other of one connection, at the hooks that are asked for. */
function createWalker(...rules: string[]) {
  const text = `*nat\n${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;
  const { ruleset } = parseRuleset(text, { file: 'rules', unknownMatches: 'error' });
  const names = new InterfaceNames();
  const numbers = { eth0: names.number('eth0'), eth1: names.number('eth1'), bare: names.number('bare') };
  const evaluator = compile(tableOf(ruleset, 'nat')!, names, { backend: 'nft' });
  const addresses = { masquerade: new Uint32Array(names.size), redirect: new Uint32Array(names.size) };
  addresses.masquerade[numbers.eth0] = address('10.0.0.101');
  addresses.masquerade[numbers.eth1] = address('172.16.0.1');
  addresses.redirect[numbers.eth0] = address('10.0.0.102');
  const tracking = connections.create(conntrack.create(64));
  const choice = { offset: () => 0 };
  const cell: CellNat = { tracking, table: createNatTable(evaluator), addresses, choice, outcome: createOutcome() };
  const packet = createPacket();
  const layers = stacks.create();
  const meet = (octets: Uint8Array, now = 0): DataView => {
    const view = new DataView(Uint8Array.from(octets).buffer);
    locate(view, 0, view.byteLength, view.byteLength, LINKTYPE.RAW, 4789, layers);
    transport.read(view, layers.outer, packet);
    tracking.table.now = now;
    connections.track(tracking, 0, packet);
    return view;
  };
  const at = (hook: number, view: DataView, inInterface: number, outInterface: number): number => {
    packet.inInterface = inInterface;
    packet.outInterface = outInterface;
    return pass(cell, hook, packet, view, 0, view.byteLength, false);
  };
  return { numbers, tracking, evaluator, packet, meet, at };
}

const DATAGRAM = ipv4(ENDS, 17, udp(ENDS, 40000, 53));
const ends = (view: DataView): string =>
  `${formatIpv4(view.getUint32(12))}:${view.getUint16(20)} > ${formatIpv4(view.getUint32(16))}:${view.getUint16(22)}`;

test('the first packet walks each chain once, later ones none', () => {
  const { numbers, tracking, evaluator, packet, meet, at } = createWalker('POSTROUTING -o eth0 -j MASQUERADE');
  for (const now of [0, 1]) {
    const view = meet(DATAGRAM, now);
    assert.is(at(HOOK.PREROUTING, view, numbers.eth1, 0), TRANSLATED.UNCHANGED);
    assert.is(at(HOOK.POSTROUTING, view, numbers.eth1, numbers.eth0), TRANSLATED.CHANGED);
    assert.is(ends(view), '10.0.0.101:40000 > 10.0.0.9:53');
    assert.is(packet.source, address('10.0.0.101'));
    assert.is(connections.confirm(tracking), true);
    assert.equal([...evaluator.counters().packets], [1]);
  }
});

test('what the table says of an opening packet is the same after its hooks, and no connection is remembered early', () => {
  const { numbers, tracking, meet, at } = createWalker('POSTROUTING -o eth0 -j MASQUERADE');
  const { table } = tracking;
  const fields = (): object => ({ ...table, words: 0, times: 0, marks: 0 });
  const view = meet(DATAGRAM);
  const before = fields();
  at(HOOK.PREROUTING, view, numbers.eth1, 0);
  assert.equal(fields(), before);
  at(HOOK.POSTROUTING, view, numbers.eth1, numbers.eth0);
  assert.equal(fields(), before);
  assert.is(table.pending, true);
  assert.is(table.used + tracking.bindings.count, 0);
});

test('a masqueraded connection that would leave elsewhere is dropped and forgotten', () => {
  const { numbers, tracking, meet, at } = createWalker('POSTROUTING -j MASQUERADE');
  const leave = (device: number, now: number): number => {
    const view = meet(DATAGRAM, now);
    at(HOOK.PREROUTING, view, numbers.eth1, 0);
    const done = at(HOOK.POSTROUTING, view, numbers.eth1, device);
    if (done !== TRANSLATED.DROPPED) connections.confirm(tracking);
    return done;
  };
  assert.is(leave(numbers.eth0, 0), TRANSLATED.CHANGED);
  assert.is(leave(numbers.eth1, 1), TRANSLATED.DROPPED);
  assert.is(tracking.bindings.count, 0);
  assert.is(leave(numbers.eth1, 2), TRANSLATED.CHANGED);
  assert.is(formatIpv4(tracking.connection.reply.destination), '172.16.0.1');
});

test('an interface without an address drops what MASQUERADE or REDIRECT would change', () => {
  const { numbers, meet, at } = createWalker('POSTROUTING -j MASQUERADE', 'PREROUTING -p udp --dport 53 -j REDIRECT');
  assert.is(at(HOOK.PREROUTING, meet(DATAGRAM), numbers.bare, 0), TRANSLATED.DROPPED);
  const other = ipv4(ENDS, 17, udp(ENDS, 40000, 54));
  assert.is(at(HOOK.POSTROUTING, meet(other), numbers.eth0, numbers.bare), TRANSLATED.DROPPED);
});

test('REDIRECT leads to the interface a packet came in by, and what the cell sends to the loopback', () => {
  const { numbers, meet, at } = createWalker('PREROUTING -j REDIRECT', 'OUTPUT -p udp -j REDIRECT --to-ports 8053');
  const incoming = meet(DATAGRAM);
  assert.is(at(HOOK.PREROUTING, incoming, numbers.eth0, 0), TRANSLATED.CHANGED);
  assert.is(ends(incoming), '10.255.1.4:40000 > 10.0.0.102:53');
  const own = meet(DATAGRAM);
  assert.is(at(HOOK.OUTPUT, own, 0, numbers.eth0), TRANSLATED.CHANGED);
  assert.is(ends(own), '10.255.1.4:40000 > 127.0.0.1:8053');
});

test('a host without an address is not masqueraded', () => {
  const { numbers, tracking, meet, at } = createWalker('POSTROUTING -j MASQUERADE');
  const nobody = { source: '0.0.0.0', destination: '10.0.0.9' };
  const view = meet(ipv4(nobody, 17, udp(nobody, 68, 67)));
  assert.is(at(HOOK.POSTROUTING, view, 0, numbers.eth0), TRANSLATED.UNCHANGED);
  assert.is(tracking.connection.status, STATUS.SOURCE_DONE);
});

test('what was changed shows in ctstate', () => {
  assert.is(ctstateBits(0), 0);
  assert.is(ctstateBits(STATUS.SOURCE_NAT), CTSTATE.SNAT);
  assert.is(ctstateBits(STATUS.SOURCE_NAT | STATUS.DESTINATION_NAT), CTSTATE.SNAT | CTSTATE.DNAT);
});

test.run();
