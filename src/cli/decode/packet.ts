/**
 * From a located packet to plain data: every field that `decode` shows, read through the header files.
 *
 * Cold code in one direction: objects and strings are made here, for people and for JSON, and nowhere below.
 */
import type { RecordBurst } from '../../capture/burst.ts';
import { formatIpv4, formatIpv6At, formatMac } from '../../wire/address.ts';
import * as arp from '../../wire/arp.ts';
import * as ethernet from '../../wire/ethernet.ts';
import { explain } from '../../wire/explain.ts';
import * as extension from '../../wire/extension.ts';
import * as faults from '../../wire/fault.ts';
import * as fragment6 from '../../wire/fragment6.ts';
import * as integrity from '../../wire/integrity.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { locate } from '../../wire/layers.ts';
import * as loopback from '../../wire/loopback.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import * as sll from '../../wire/sll.ts';
import * as sll2 from '../../wire/sll2.ts';
import { create as createLayers, type Layers, type Stack } from '../../wire/stack.ts';
import * as vlan from '../../wire/vlan.ts';
import * as vxlan from '../../wire/vxlan.ts';
import type * as model from './model.ts';
import type { Names } from './names.ts';
import { decodeTransport } from './transport.ts';

const MICROSECONDS_PER_SECOND = 1_000_000n;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** Where a packet comes from, beside what its burst says. */
export interface Origin {
  readonly file: string;
  /** Nanoseconds since 1970 of time 0 in the burst. */
  readonly epochNanoseconds: bigint;
  readonly unitsPerSecond: bigint;
  /** UDP port behind which VXLAN is looked for. */
  readonly vxlanPort: number;
  readonly names: Names;
}

const layers: Layers = createLayers();

/** Decode row `row` of `burst`. */
export function decodePacket(burst: Readonly<RecordBurst>, row: number, origin: Origin): model.DecodedPacket {
  const { view } = burst;
  const at = burst.at[row]!;
  const end = burst.end[row]!;
  const linkType = burst.linkType[row]!;
  const originalLength = burst.originalLength[row]!;
  locate(view, at, end, at + originalLength, linkType, origin.vxlanPort, layers);
  const isInside = layers.vxlan >= 0;
  return {
    file: origin.file,
    packet: burst.packet[row]!,
    offset: burst.offset[row]!,
    timestamp: String(timestampOf(burst.time[row]!, origin)),
    timestampDigits: origin.unitsPerSecond > MICROSECONDS_PER_SECOND ? 9 : 6,
    interfaceIndex: burst.interfaceIndex[row]!,
    capturedLength: end - at,
    originalLength,
    linkType,
    outer: decodeStack(view, at, layers.outer, linkType, origin.names),
    vxlan: isInside ? decodeVxlan(view, layers.vxlan, origin.names) : null,
    inner: isInside ? decodeStack(view, at, layers.inner, LINKTYPE.ETHERNET, origin.names) : null,
  };
}

/**
 * Nanoseconds since 1970. More than 104 days from the epoch of the file a number no longer holds every nanosecond, but the
 * whole unit of a coarser clock can still be told.
 */
function timestampOf(time: number, { epochNanoseconds, unitsPerSecond }: Origin): bigint {
  const nanoseconds = epochNanoseconds + BigInt(Math.trunc(time));
  const unit = NANOSECONDS_PER_SECOND / unitsPerSecond;
  if (Number.isSafeInteger(time) || unit <= 1n) return nanoseconds;
  return ((nanoseconds + unit / 2n) / unit) * unit;
}

/** `first` is the first octet of the packet, from which offsets count. */
function decodeStack(
  view: DataView,
  first: number,
  stack: Readonly<Stack>,
  linkType: number,
  names: Names,
): model.DecodedStack {
  const hasLink = stack.link >= 0;
  const isCooked = linkType === LINKTYPE.LINUX_SLL || linkType === LINKTYPE.LINUX_SLL2;
  const isLoopback = linkType === LINKTYPE.NULL || linkType === LINKTYPE.LOOP;
  const hasNetwork = stack.network >= 0;
  return {
    ethernet: hasLink && linkType === LINKTYPE.ETHERNET ? decodeEthernet(view, stack.link) : null,
    cooked: hasLink && isCooked ? decodeCooked(view, stack.link, linkType) : null,
    loopback: hasLink && isLoopback ? { family: loopback.family(view, stack.link) } : null,
    vlans: decodeVlans(view, stack),
    etherType: stack.etherType === 0 ? null : stack.etherType,
    arp: stack.arp < 0 ? null : decodeArp(view, stack.arp),
    ip4: stack.version === 4 ? decodeIp4(view, stack, names) : null,
    ip6: stack.version === 6 ? decodeIp6(view, stack) : null,
    fragment: stack.fragment < 0 ? null : decodeFragment(view, stack.fragment),
    protocol: hasNetwork ? stack.protocol : null,
    ...decodeTransport(view, stack, (quoted) => ({
      ip4: quoted.version === 4 ? decodeIp4(view, quoted, names) : null,
      ip6: quoted.version === 6 ? decodeIp6(view, quoted) : null,
    })),
    payloadLength: stack.payload < 0 ? 0 : Math.max(0, stack.wireEnd - stack.payload),
    payloadCaptured: stack.payload < 0 ? 0 : Math.max(0, stack.end - stack.payload),
    fault: stack.fault === faults.FAULT.NONE ? null : decodeFault(view, first, stack),
  };
}

const decodeEthernet = (view: DataView, at: number): model.DecodedEthernet => ({
  source: formatMac(ethernet.source(view, at)),
  destination: formatMac(ethernet.destination(view, at)),
  type: ethernet.type(view, at),
});

function decodeCooked(view: DataView, at: number, linkType: number): model.DecodedCooked {
  const header = linkType === LINKTYPE.LINUX_SLL ? sll : sll2;
  return {
    version: linkType === LINKTYPE.LINUX_SLL ? 1 : 2,
    packetType: header.packetType(view, at),
    hardwareType: header.hardwareType(view, at),
    address: formatMac(header.address(view, at)),
    protocol: header.protocol(view, at),
    interfaceIndex: linkType === LINKTYPE.LINUX_SLL ? null : sll2.interfaceIndex(view, at),
  };
}

const decodeVlans = (view: DataView, stack: Readonly<Stack>): model.DecodedVlan[] =>
  Array.from({ length: stack.vlanCount }, (_, index) => {
    const at = stack.vlan + index * vlan.HEADER_LENGTH;
    return {
      priority: vlan.priority(view, at),
      dropEligible: vlan.dropEligible(view, at) === 1,
      identifier: vlan.identifier(view, at),
      type: vlan.type(view, at),
    };
  });

const decodeArp = (view: DataView, at: number): model.DecodedArp => ({
  hardwareType: arp.hardwareType(view, at),
  protocolType: arp.protocolType(view, at),
  operation: arp.operation(view, at),
  senderHardware: formatMac(arp.senderHardware(view, at)),
  senderProtocol: formatIpv4(arp.senderProtocol(view, at)),
  targetHardware: formatMac(arp.targetHardware(view, at)),
  targetProtocol: formatIpv4(arp.targetProtocol(view, at)),
});

function decodeIp4(view: DataView, stack: Readonly<Stack>, names: Names): model.DecodedIp4 {
  const at = stack.network;
  return {
    version: 4,
    source: formatIpv4(ipv4.source(view, at)),
    destination: formatIpv4(ipv4.destination(view, at)),
    sourceName: names.ofAddress(ipv4.source(view, at)),
    destinationName: names.ofAddress(ipv4.destination(view, at)),
    headerLength: ipv4.headerLength(view, at),
    totalLength: ipv4.totalLength(view, at),
    identification: ipv4.identification(view, at),
    reservedFlag: ipv4.reserved(view, at) === 1,
    dontFragment: ipv4.dontFragment(view, at) === 1,
    moreFragments: ipv4.moreFragments(view, at) === 1,
    fragmentOffset: ipv4.fragmentOffset(view, at),
    timeToLive: ipv4.timeToLive(view, at),
    protocol: ipv4.protocol(view, at),
    dscp: ipv4.dscp(view, at),
    ecn: ipv4.ecn(view, at),
    checksum: ipv4.headerChecksum(view, at),
    checksumStatus: integrity.ipv4Header(view, stack) === integrity.CHECKSUM.GOOD ? 'good' : 'bad',
  };
}

function decodeIp6(view: DataView, stack: Readonly<Stack>): model.DecodedIp6 {
  const at = stack.network;
  return {
    version: 6,
    source: formatIpv6At(view, ipv6.sourceStart(view, at)),
    destination: formatIpv6At(view, ipv6.destinationStart(view, at)),
    payloadLength: ipv6.payloadLength(view, at),
    nextHeader: ipv6.nextHeader(view, at),
    hopLimit: ipv6.hopLimit(view, at),
    dscp: ipv6.dscp(view, at),
    ecn: ipv6.ecn(view, at),
    flowLabel: ipv6.flowLabel(view, at),
    extensions: extensionsOf(view, stack),
  };
}

/** The chain again, as far as `locate` walked it: up to the payload or to the header that it refused. */
function extensionsOf(view: DataView, stack: Readonly<Stack>): number[] {
  const found: number[] = [];
  const end = stack.transport >= 0 ? stack.transport : stack.payload;
  let protocol = ipv6.nextHeader(view, stack.network);
  let at = ipv6.payloadStart(view, stack.network);
  while (at < end) {
    found.push(protocol);
    const isFragment = at === stack.fragment;
    const next = isFragment ? fragment6.nextHeader(view, at) : extension.nextHeader(view, at);
    at = isFragment ? fragment6.payloadStart(view, at) : extension.payloadStart(view, at, protocol);
    protocol = next;
  }
  return found;
}

const decodeFragment = (view: DataView, at: number): model.DecodedFragment => ({
  nextHeader: fragment6.nextHeader(view, at),
  fragmentOffset: fragment6.fragmentOffset(view, at),
  moreFragments: fragment6.moreFragments(view, at) === 1,
  identification: fragment6.identification(view, at),
});

function decodeVxlan(view: DataView, at: number, names: Names): model.DecodedVxlan {
  const groupPolicy = vxlan.groupPolicy(view, at) === 1;
  const instance = vxlan.instance(view, at) === 1;
  const dontLearn = vxlan.dontLearn(view, at) === 1;
  const policyApplied = vxlan.policyApplied(view, at) === 1;
  const groupPolicyId = vxlan.groupPolicyId(view, at);
  return {
    flags: view.getUint16(at),
    flagLetters: `${groupPolicy ? 'G' : ''}${instance ? 'I' : ''}${dontLearn ? 'D' : ''}${policyApplied ? 'A' : ''}`,
    groupPolicy,
    instance,
    dontLearn,
    policyApplied,
    reservedFlags: vxlan.reservedFlags(view, at),
    groupPolicyId,
    app: groupPolicy ? names.ofTag(groupPolicyId) : null,
    vni: vxlan.vni(view, at),
    reserved: vxlan.reserved(view, at),
  };
}

function decodeFault(view: DataView, first: number, stack: Readonly<Stack>): model.DecodedFault {
  const { fault, faultAt } = stack;
  const why = explain(fault, view, faultAt, stack.end, stack, first);
  // Octets that the capture left out would have held the header.
  const isThere = why.field !== 'header' || stack.wireEnd - faultAt >= why.needed;
  return {
    name: faults.name(fault),
    offset: faultAt - first,
    cut: faults.isTruncation(fault) && why.saidBy === 'captured octets' && isThere,
    sentence: why.sentence,
  };
}
