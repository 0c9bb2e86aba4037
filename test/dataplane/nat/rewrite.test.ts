/**
 * Rewriting held against packets that were put together with the new ends from the start: every octet agrees, so every
 * checksum is the one that summing anew gives.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rewrite } from '../../../src/dataplane/nat/rewrite.ts';
import { TRANSLATED, translateError } from '../../../src/dataplane/nat/translate.ts';
import {
  createConnection,
  createTuple,
  HOOK,
  invert,
  MANIP,
  STATUS,
  type Tuple,
} from '../../../src/dataplane/nat/tuples.ts';
import { formatIpv4 } from '../../../src/wire/address.ts';
import { text } from '../../support/hex.ts';
import { check } from '../../support/property.ts';
import { watched } from '../../support/watch.ts';
import * as packets from '../packets.ts';

const test = suite('dataplane/nat/rewrite');

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ECHO = 8 << 8;

const address = fc.integer({ min: 0, max: 0xffff_ffff });
const port = fc.integer({ min: 0, max: 0xffff });
const payload = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 });
const protocol = fc.constantFrom(TCP, UDP, ICMP, 47);

const tupleOf = (number: number): fc.Arbitrary<Tuple> =>
  fc.record({
    protocol: fc.constant(number),
    source: address,
    destination: address,
    sourcePort: number === 47 ? fc.constant(0) : port,
    destinationPort: number === 47 ? fc.constant(0) : number === ICMP ? fc.constant(ECHO) : port,
  });

const viewOf = (octets: Uint8Array): DataView => new DataView(Uint8Array.from(octets).buffer);

/** A packet with the ends of `tuple`. */
function packetOf(tuple: Readonly<Tuple>, data: readonly number[], fields: packets.HeaderFields = {}): Uint8Array {
  const ends = { source: formatIpv4(tuple.source), destination: formatIpv4(tuple.destination) };
  const { protocol: number, sourcePort: from, destinationPort: to } = tuple;
  if (number === TCP)
    return packets.ipv4(ends, TCP, packets.tcp(ends, from, to, { flags: 0x18, payload: data }), fields);
  if (number === UDP) return packets.ipv4(ends, UDP, packets.udp(ends, from, to, data), fields);
  if (number === ICMP) return packets.ipv4(ends, ICMP, packets.icmp(to >>> 8, 0, from * 0x10000 + 1, data), fields);
  return packets.ipv4(ends, number, data, fields);
}

/** `tuple` with the end that `manip` changes taken from `target`. */
const changed = (tuple: Tuple, target: Tuple, manip: number): Tuple =>
  manip === MANIP.SOURCE || tuple.protocol === ICMP
    ? {
        ...tuple,
        ...(manip === MANIP.SOURCE ? { source: target.source } : { destination: target.destination }),
        sourcePort: target.sourcePort,
      }
    : { ...tuple, destination: target.destination, destinationPort: target.destinationPort };

const cases = protocol.chain((number) =>
  fc.record({
    tuple: tupleOf(number),
    target: tupleOf(number),
    manip: fc.constantFrom(MANIP.SOURCE, MANIP.DESTINATION),
    data: payload,
    options: fc.constantFrom([], [1, 1, 1, 0], [7, 7, 4, 0, 0, 0, 0, 0]),
  }),
);

test('a packet becomes the one with the new end, checksums included', () => {
  check(
    fc.property(cases, ({ tuple, target, manip, data, options }) => {
      const view = viewOf(packetOf(tuple, data, { options }));
      assert.is(rewrite(view, 0, view.byteLength, target, manip, false), true);
      assert.is(text(view), text(viewOf(packetOf(changed(tuple, target, manip), data, { options }))));
    }),
    2000,
  );
});

test('nothing outside the packet is touched, wherever it lies', () => {
  check(
    fc.property(cases, ({ tuple, target, manip, data }) => {
      const packet = packetOf(tuple, data);
      const frame = new Uint8Array(packet.length + 30).fill(0xa5);
      frame.set(packet, 13);
      const view = viewOf(frame);
      rewrite(view, 13, 13 + packet.length, target, manip, false);
      const expected = new Uint8Array(frame.length).fill(0xa5);
      expected.set(packetOf(changed(tuple, target, manip), data), 13);
      assert.is(text(view), text(viewOf(expected)));
    }),
  );
});

/** RFC 1071 over the pseudo-header alone, not complemented: what a host leaves to its network card. */
function leaveUnfinished(octets: Uint8Array): Uint8Array {
  const at = octets[9] === TCP ? 36 : 26;
  const length = octets.length - 20;
  const sum = ~packets.checksum([...octets.slice(12, 20), 0, octets[9]!, length >>> 8, length & 0xff]) & 0xffff;
  octets[at] = sum >>> 8;
  octets[at + 1] = sum & 0xff;
  return octets;
}

test('a partial checksum goes on holding the sum of the pseudo-header', () => {
  const ported = fc
    .constantFrom(TCP, UDP)
    .chain((number) => fc.record({ tuple: tupleOf(number), target: tupleOf(number), data: payload }));
  check(
    fc.property(ported, fc.constantFrom(MANIP.SOURCE, MANIP.DESTINATION), ({ tuple, target, data }, manip) => {
      const view = viewOf(leaveUnfinished(packetOf(tuple, data)));
      rewrite(view, 0, view.byteLength, target, manip, true);
      const expected = leaveUnfinished(packetOf(changed(tuple, target, manip), data));
      assert.is(text(view), text(viewOf(expected)));
    }),
    1000,
  );
});

test('a datagram without a checksum keeps none, one whose checksum becomes 0 has 0xffff', () => {
  const tuple: Tuple = { protocol: UDP, source: 1, destination: 2, sourcePort: 3, destinationPort: 4 };
  const view = viewOf(packetOf(tuple, [1, 2]));
  view.setUint16(26, 0);
  rewrite(view, 0, view.byteLength, { ...tuple, source: 9 }, MANIP.SOURCE, false);
  assert.is(view.getUint16(26), 0);
  // 0x10000 less what the other words add up to: the sum is 0xffff, its complement 0.
  const bare = packetOf({ ...tuple, source: 9 }, [0, 0]);
  const word = (bare[26]! << 8) | bare[27]!;
  const data = [word >>> 8, word & 0xff];
  const zero = viewOf(packetOf(tuple, data));
  rewrite(zero, 0, zero.byteLength, { ...tuple, source: 9 }, MANIP.SOURCE, false);
  assert.is(zero.getUint16(26), 0xffff);
});

test('a header too short for its ports is refused, and one without its checksum is changed without', () => {
  const tuple: Tuple = { protocol: TCP, source: 1, destination: 2, sourcePort: 3, destinationPort: 4 };
  const target = { ...tuple, source: 9, sourcePort: 77 };
  for (const [number, least] of [
    [TCP, 8],
    [UDP, 8],
    [ICMP, 8],
  ] as const) {
    const short = viewOf(packetOf({ ...tuple, protocol: number, destinationPort: ECHO }, []));
    const before = text(short);
    assert.is(rewrite(short, 0, 20 + least - 1, { ...target, protocol: number }, MANIP.SOURCE, false), false);
    assert.is(text(short), before);
  }
  const quoted = viewOf(packetOf(tuple, []));
  const sum = quoted.getUint16(36);
  assert.is(rewrite(quoted, 0, 28, target, MANIP.SOURCE, false), true);
  assert.is(quoted.getUint16(20), 77);
  assert.is(quoted.getUint16(36), sum);
});

const errors = protocol.chain((number) =>
  fc.record({
    original: tupleOf(number),
    far: tupleOf(number),
    router: address,
    length: fc.constantFrom(28, 48, 548),
    type: fc.constantFrom(3, 11, 12),
    rest: fc.integer({ min: 0, max: 0xffff_ffff }),
    data: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 28, maxLength: 40 }),
  }),
);

/** An error about a packet with the ends of `tuple`, addressed to its sender. */
const errorAbout = (
  tuple: Readonly<Tuple>,
  { router, length, type, rest, data }: { router: number; length: number; type: number; rest: number; data: number[] },
): Uint8Array =>
  packets.ipv4(
    { source: formatIpv4(router), destination: formatIpv4(tuple.source) },
    ICMP,
    packets.icmp(type, 1, rest, packetOf(tuple, data).slice(0, length)),
  );

test('an error about a packet that left becomes an error about the packet as it came', () => {
  check(
    fc.property(errors, (one) => {
      const connection = createConnection();
      const { original } = one;
      // Only the source is changed: MASQUERADE. ICMP has one identifier for both ends.
      const left: Tuple = { ...original, source: one.far.source, sourcePort: one.far.sourcePort };
      Object.assign(connection.original, original);
      invert(left, connection.reply);
      connection.status = STATUS.SOURCE_NAT | STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;
      const view = viewOf(errorAbout(left, one));
      const done = translateError(view, 0, view.byteLength, connection, 1, HOOK.PREROUTING);
      assert.is(done, TRANSLATED.CHANGED);
      const expected = viewOf(errorAbout(original, one));
      // A quote cut before the checksum of TCP keeps its other octets; UDP and ICMP lie within the first eight.
      assert.is(text(view), text(expected));
      assert.is(translateError(view, 0, view.byteLength, connection, 1, HOOK.POSTROUTING), TRANSLATED.UNCHANGED);
    }),
    1000,
  );
});

test('errors with a wrong checksum, cut quotes and redirects about NAT are dropped', () => {
  const connection = createConnection();
  const tuple: Tuple = { protocol: UDP, source: 1, destination: 2, sourcePort: 3, destinationPort: 4 };
  const left = { ...tuple, source: 9 };
  Object.assign(connection.original, tuple);
  invert(left, connection.reply);
  connection.status = STATUS.SOURCE_NAT | STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;
  const one = { router: 7, length: 548, type: 3, rest: 0, data: [1] };
  const dropped = (octets: Uint8Array, status: number = connection.status): number => {
    const view = viewOf(octets);
    return translateError(view, 0, view.byteLength, { ...connection, status }, 1, HOOK.PREROUTING);
  };
  assert.is(dropped(errorAbout(left, one)), TRANSLATED.CHANGED);
  const wrong = errorAbout(left, one);
  wrong[22]! ^= 1;
  assert.is(dropped(wrong), TRANSLATED.DROPPED);
  assert.is(dropped(errorAbout(left, { ...one, length: 19 })), TRANSLATED.DROPPED);
  assert.is(dropped(errorAbout(left, { ...one, length: 27 })), TRANSLATED.DROPPED);
  assert.is(dropped(errorAbout(left, { ...one, type: 5 })), TRANSLATED.DROPPED);
  const settled = STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;
  assert.is(dropped(errorAbout(left, { ...one, type: 5 }), settled), TRANSLATED.UNCHANGED);
  assert.is(dropped(errorAbout(left, { ...one, type: 5 }), STATUS.DESTINATION_DONE), TRANSLATED.DROPPED);
});

test('whatever an error quotes, nothing outside the packet is read or written', () => {
  const anything = fc.uint8Array({ minLength: 0, maxLength: 90 });
  check(
    fc.property(anything, protocol, fc.constantFrom(3, 5, 11), (quote, number, type) => {
      const connection = createConnection();
      Object.assign(connection.original, {
        protocol: number,
        source: 1,
        destination: 2,
        sourcePort: 3,
        destinationPort: 4,
      });
      Object.assign(connection.reply, {
        protocol: number,
        source: 5,
        destination: 6,
        sourcePort: 7,
        destinationPort: 8,
      });
      connection.status = STATUS.SOURCE_NAT | STATUS.DESTINATION_NAT | STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;
      const ends = { source: '10.0.0.1', destination: '10.0.0.2' };
      const packet = packets.ipv4(ends, ICMP, packets.icmp(type, 0, 0, quote));
      const margin = 70;
      const view = watched(packet, margin);
      const end = margin + packet.length;
      for (const hook of [HOOK.PREROUTING, HOOK.POSTROUTING]) translateError(view, margin, end, connection, 1, hook);
      const octets = new Uint8Array(view.buffer);
      assert.ok(octets.subarray(0, margin).every((octet) => octet === 0xff));
      assert.ok(octets.subarray(end).every((octet) => octet === 0xff));
    }),
    1000,
  );
});

test('a tuple turned round twice is itself', () => {
  check(
    fc.property(protocol.chain(tupleOf), (tuple) => {
      const once = createTuple();
      const twice = createTuple();
      invert(tuple, once);
      invert(once, twice);
      assert.equal(twice, { ...tuple });
      if (tuple.protocol === ICMP) assert.is(once.destinationPort, 0);
    }),
  );
});

test.run();
