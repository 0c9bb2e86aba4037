/**
 * Fields of a decoded packet by name: what `decode --fields` can print.
 *
 * A name is the path through the JSON of the packet, `outer.ip4.source`. One table of the headers of a frame serves both
 * the outer and the inner one.
 */

import { UsageError } from '../exit.ts';
import { printable } from '../text.ts';
import type { DecodedPacket } from './model.ts';

const PACKET = `file packet offset timestamp interfaceIndex capturedLength originalLength linkType`;
const VXLAN = `flags flagLetters groupPolicy instance dontLearn policyApplied reservedFlags groupPolicyId app vni reserved`;
const IP4 = `version source destination sourceName destinationName headerLength totalLength identification reservedFlag
  dontFragment moreFragments fragmentOffset timeToLive protocol dscp ecn checksum checksumStatus`;
const IP6 = `version source destination payloadLength nextHeader hopLimit dscp ecn flowLabel extensions`;
const ICMP = `type code checksum checksumStatus identifier sequenceNumber address mtu pointer quoted.protocol
  quoted.sourcePort quoted.destinationPort`;

/** The fields of each header of a frame; those of the empty name belong to the frame itself. */
const FRAME: Readonly<Record<string, string>> = {
  ethernet: 'source destination type',
  cooked: 'version packetType hardwareType address protocol interfaceIndex',
  loopback: 'family',
  vlans: 'priority dropEligible identifier type',
  arp: 'hardwareType protocolType operation senderHardware senderProtocol targetHardware targetProtocol',
  ip4: IP4,
  ip6: IP6,
  fragment: 'nextHeader fragmentOffset moreFragments identification',
  tcp: `sourcePort destinationPort sequenceNumber acknowledgmentNumber headerLength reserved flags flagLetters window urgentPointer
    options checksum checksumStatus`,
  udp: 'sourcePort destinationPort length checksum checksumStatus',
  icmp: ICMP,
  'icmp.quoted.ip4': IP4,
  icmp6: ICMP,
  'icmp6.quoted.ip6': IP6,
  fault: 'name offset cut sentence',
  '': 'etherType protocol payloadLength payloadCaptured',
};

const below = (prefix: string, names: string): string[] =>
  names.split(/\s+/).map((name) => (prefix === '' ? name : `${prefix}.${name}`));

const frameFields = (prefix: string): string[] =>
  Object.entries(FRAME).flatMap(([header, names]) => below(prefix, below(header, names).join(' ')));

/** Every name that `--fields` takes, in the order of the JSON's headers. */
export const FIELD_NAMES: readonly string[] = [
  ...below('', PACKET),
  ...frameFields('outer'),
  ...below('vxlan', VXLAN),
  ...frameFields('inner'),
];

/** Split `a,b,c`. Throws UsageError for a name that does not exist. */
export function parseFields(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (FIELD_NAMES.includes(name)) continue;
    const near = FIELD_NAMES.filter((one) => name !== '' && one.endsWith(`.${name}`));
    const hint = near.length === 0 ? 'see --fields list' : `did you mean ${near.join(' or ')}?`;
    throw new UsageError(`--fields: no field is called "${name}"; ${hint}`);
  }
  return names;
}

/** The value at `path`: of a list, the value in each of its items. */
function valueAt(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => valueAt(item, path));
  const [first, ...rest] = path;
  if (first === undefined) return value;
  return typeof value === 'object' && value !== null ? valueAt(value[first as keyof typeof value], rest) : null;
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(',');
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'string' || typeof value === 'number' ? printable(String(value)) : '';
}

/** The values of `names`, separated by tabs; empty where a packet has no such header. Booleans are 1 and 0. */
export const fieldsOf = (packet: DecodedPacket, names: readonly string[]): string =>
  names.map((name) => textOf(valueAt(packet, name.split('.')))).join('\t');
