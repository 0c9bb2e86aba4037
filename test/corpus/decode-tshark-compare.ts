/** One packet as `decode` has it beside the same packet as tshark has it: every difference, field by field. */
import type { DecodedPacket, DecodedStack } from '../../src/cli/decode/model.ts';
import {
  HEADERS,
  type HeaderName,
  ourHeaders,
  ourText,
  type TsharkHeader,
  type TsharkPacket,
  type TsharkStack,
  theirText,
} from './decode-tshark-table.ts';

export interface Difference {
  readonly file: string;
  readonly packet: number;
  readonly at: 'frame' | 'outer' | 'inner';
  readonly header: HeaderName | 'frame';
  /** A field; `present` where only one of the two has the header. */
  readonly field: string;
  readonly ours: string;
  readonly theirs: string;
  readonly our: DecodedPacket;
  /** Of `our`, the frame that the header belongs to. */
  readonly stack: DecodedStack;
  readonly their: TsharkPacket;
  /** Nanoseconds since the first packet of the file. */
  readonly sinceFirst: number;
}

/** Sums over all packets. */
export interface Tally {
  fields: number;
  headers: number;
}

/**
 * Fields that not every message of the protocol has. tshark lists the values of a field without saying which occurrence
 * of the protocol has them; where an ICMP error quotes another message, a value may be that of the quoted one.
 */
const OPTIONAL = ['identifier', 'sequenceNumber', 'mtu', 'address'];

/** Whether a value of tshark's for a field that our header lacks may come from a quoted message. */
const maySpeakOfQuote = (their: TsharkPacket, name: HeaderName, field: string): boolean =>
  name.startsWith('icmp') &&
  OPTIONAL.includes(field) &&
  their.protocols.split(':').filter((protocol) => protocol === HEADERS[name].protocol).length > 1;

const IN_STACK = (Object.keys(HEADERS) as HeaderName[]).filter((name) => name !== 'vxlan');

export function compare(our: DecodedPacket, their: TsharkPacket, sinceFirst: number, tally: Tally): Difference[] {
  const found: Difference[] = [];
  const base = { file: our.file, packet: our.packet, our, their, sinceFirst };
  const say = (
    at: Difference['at'],
    header: Difference['header'],
    field: string,
    ours: string,
    theirs: string,
  ): void => {
    tally.fields++;
    const stack = at === 'inner' ? (our.inner ?? our.outer) : our.outer;
    if (ours !== theirs) found.push({ ...base, at, header, field, ours, theirs, stack });
  };
  say('frame', 'frame', 'originalLength', String(our.originalLength), String(their.length));
  say('frame', 'frame', 'capturedLength', String(our.capturedLength), String(their.capturedLength));
  say('frame', 'frame', 'timestamp', our.timestamp, their.timestamp);
  const header = (
    at: Difference['at'],
    name: HeaderName,
    ours: object | undefined,
    theirs: TsharkHeader | undefined,
  ): void => {
    tally.headers++;
    say(at, name, 'present', String(ours !== undefined), String(theirs !== undefined));
    if (ours === undefined || theirs === undefined) return;
    for (const [field, name_] of Object.entries(HEADERS[name].fields)) {
      const text = ourText(field, ours[field as keyof typeof ours]);
      if (text === '' && maySpeakOfQuote(their, name, field)) continue;
      say(at, name, field, text, theirText(name, field, theirs[name_] ?? ''));
    }
  };
  const stacks = (at: 'outer' | 'inner', ours: DecodedStack, theirs: TsharkStack): void => {
    for (const name of IN_STACK) {
      const [our_, their_] = [ourHeaders(ours, name), theirs[name] ?? []];
      for (let index = 0; index < Math.max(our_.length, their_.length); index++) {
        header(at, name, our_[index], their_[index]);
      }
    }
  };
  stacks('outer', our.outer, their.outer);
  if (our.vxlan !== null || their.vxlan !== null)
    header('outer', 'vxlan', our.vxlan ?? undefined, their.vxlan ?? undefined);
  if (our.inner !== null && their.inner !== null) stacks('inner', our.inner, their.inner);
  return found;
}
