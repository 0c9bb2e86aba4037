/**
 * ARP that a device receives: net/ipv4/arp.c arp_rcv and arp_process, with the settings that silk leaves as they are: a host
 * answers for each of its addresses on every device (arp_ignore 0), for nobody else (proxy_arp 0), and keeps no address that
 * it was not asked by or had not asked for (arp_accept 0). Containers' devices take no ARP (silk sets NOARP).
 */
import * as arp from '../../wire/arp.ts';
import { ETHER_TYPE } from '../../wire/protocol.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { REASON, VERDICT } from '../verdict.ts';
import { writeReply } from './arp-transmit.ts';
import { DEVICE, type Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop, end } from './end.ts';
import { CAST, type Frame, LOCAL } from './frame.ts';
import { hear, known, NUD, solicited } from './neighbour.ts';
import { sendWaiting } from './output.ts';
import { isOwnAddress, routeBetween } from './route.ts';
import { transmit } from './transmit.ts';

const ETHERNET = 1;
/** Linux takes it for Ethernet, too (RFC 2625). */
const IEEE_802 = 6;
const LOOPBACK = 127;
const MULTICAST = 0xe;

/** `device` received the ARP packet at `at` of `frame`. */
export function receiveArp(emulation: Emulation, host: Host, frame: Frame, device: Device, at: number): void {
  const refused = checks(frame, device, at);
  if (refused !== ACCEPTED) {
    drop(emulation, frame, device.cell, refused);
    return;
  }
  receiveMessage(emulation, host, frame, device, at);
  const isUnderlay = device.kind === DEVICE.UNDERLAY;
  const verdict = isUnderlay ? VERDICT.OBSERVED : VERDICT.DELIVER;
  end(emulation, frame, device.cell, verdict, isUnderlay ? REASON.UNDERLAY_ARP : REASON.INNER_ARP, -1);
}

function checks({ view, cast, end: last }: Frame, device: Device, at: number): number {
  if (device.kind === DEVICE.VETH || cast === CAST.OTHER_HOST) return REASON.ARP_IGNORED;
  if (last - at < arp.HEADER_LENGTH) return REASON.ARP_TOO_SMALL;
  if (arp.check(view, at, last) !== 0) return REASON.ARP_HEADER;
  const hardware = arp.hardwareType(view, at);
  const isSpoken = hardware === ETHERNET || hardware === IEEE_802;
  if (!isSpoken || arp.protocolType(view, at) !== ETHER_TYPE.IPV4) return REASON.ARP_HEADER;
  const operation = arp.operation(view, at);
  if (operation !== arp.OPERATIONS.REQUEST && operation !== arp.OPERATIONS.REPLY) return REASON.ARP_HEADER;
  const target = arp.targetProtocol(view, at);
  return target >>> 28 === MULTICAST || target >>> 24 === LOOPBACK ? REASON.ARP_HEADER : ACCEPTED;
}

/** Answer it when it asks for the host; learn from it. */
function receiveMessage(emulation: Emulation, host: Host, frame: Frame, device: Device, at: number): void {
  const { view } = frame;
  const sender = arp.senderProtocol(view, at);
  const target = arp.targetProtocol(view, at);
  const isRequest = arp.operation(view, at) === arp.OPERATIONS.REQUEST;
  // Somebody asks whether an address is free before taking it (RFC 5227).
  if (sender === 0) {
    if (isRequest && isOwnAddress(emulation, host, target)) answer(emulation, host, frame, device, at);
    return;
  }
  const isRouted = isRequest && routeBetween(emulation, host, frame, device, sender, target) === ACCEPTED;
  if (isRouted && frame.local === LOCAL.ADDRESS) {
    const asker = solicited(emulation, device, sender);
    if (hear(emulation, asker, arp.senderHardware(view, at), NUD.STALE, true)) sendWaiting(emulation, host, asker);
    answer(emulation, host, frame, device, at);
  } else learn(emulation, host, frame, device, at);
}

function answer(emulation: Emulation, host: Host, frame: Frame, device: Device, at: number): void {
  const { view, packet } = frame;
  const [hardware, protocol] = [arp.senderHardware(view, at), arp.senderProtocol(view, at)];
  const reply = writeReply(emulation, device, arp.targetProtocol(view, at), hardware, protocol, packet);
  transmit(emulation, host, reply, device);
}

const SECOND = 1e9;

/** Only a reply to the host itself proves that its sender can be reached; what follows within a second is not believed. */
function learn(emulation: Emulation, host: Host, frame: Frame, device: Device, at: number): void {
  const { view } = frame;
  const neighbour = known(device, arp.senderProtocol(view, at));
  if (neighbour === undefined) return;
  const isReply = arp.operation(view, at) === arp.OPERATIONS.REPLY;
  const state = isReply && frame.cast === CAST.HOST ? NUD.REACHABLE : NUD.STALE;
  const overrides = emulation.now > neighbour.updated + SECOND || isGratuitous(emulation, host, view, at);
  if (hear(emulation, neighbour, arp.senderHardware(view, at), state, overrides))
    sendWaiting(emulation, host, neighbour);
}

/** arp_is_garp: it tells of its sender's own address; a reply names the hardware address twice. */
function isGratuitous(emulation: Emulation, host: Host, view: DataView, at: number): boolean {
  const sender = arp.senderProtocol(view, at);
  if (arp.targetProtocol(view, at) !== sender || isOwnAddress(emulation, host, sender)) return false;
  const isReply = arp.operation(view, at) === arp.OPERATIONS.REPLY;
  return !isReply || arp.targetHardware(view, at) === arp.senderHardware(view, at);
}
