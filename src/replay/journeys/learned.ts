/** What captured frames tell of cells before the emulation needs it: drawn numbers, hardware addresses, checksum offload. */
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { DEVICE, type Device } from '../../dataplane/emulate/device.ts';
import { learnPartialChecksums, learnUnderlay } from '../../dataplane/emulate/learn.ts';
import { lookupUnderlay } from '../../foundation/directory.ts';
import { maskOf } from '../../wire/address.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as integrity from '../../wire/integrity.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { locate } from '../../wire/layers.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import type { Captured } from './model.ts';
import { viewOf } from './place.ts';
import { innerFrame, networkOf, packetOf } from './same-packet.ts';
import type { Journeys } from './state.ts';

/** A locally administered address of ours for a cell that no capture shows. */
const MADE_UP_MAC = 0x0200_0000_0000;
/** Hosts outside the foundation that are remembered; a capture may be of a scan. */
const MOST_HOSTS = 65_536;

/** Hardware addresses of the cells and of the router, as long as no frame shows others. */
export const madeUpMacs = ({ cells }: Dataplane, gateway: number): Map<number, number> =>
  new Map([gateway, ...cells.map(({ underlay }) => underlay)].map((address) => [address, MADE_UP_MAC + address]));

/**
 * The router of the underlay: its first address, or the second where a cell has that. No frame shows it; its hardware
 * address is that of frames for elsewhere.
 */
export function gatewayOf({ cells }: Dataplane, prefixLength: number): number {
  const [{ underlay } = { underlay: 0 }] = cells;
  const network = (underlay & maskOf(prefixLength)) >>> 0;
  let gateway = network + 1;
  while (cells.some((cell) => cell.underlay === gateway)) gateway += 1;
  return gateway;
}

/** Look at a captured frame. */
export function learn(journeys: Journeys, captured: Captured): void {
  const { emulation, draws } = journeys;
  const view = viewOf(captured.octets);
  const { length } = captured.octets;
  const network = networkOf(view, 0, length);
  if (network < 0) return;
  const device = emulation.devices[captured.device]!;
  if (device.kind === DEVICE.UNDERLAY) learnFromUnderlay(journeys, device, view, network, length);
  const packet = packetOf(view, 0, length, emulation.dataplane.options.vxlanPort);
  learnDraws(network);
  if (packet >= 0 && packet !== network) learnDraws(packet);

  function learnDraws(at: number): void {
    const source = ipv4.source(view, at);
    const { cells } = emulation.dataplane;
    const cell = cells.find(({ underlay, vtepAddress }) => source === underlay || source === vtepAddress);
    draws.learn(view, 0, length, cell?.index ?? device.cell, captured.time);
  }
}

function learnFromUnderlay(
  { emulation, macs, ownMacs }: Journeys,
  device: Device,
  view: DataView,
  network: number,
  end: number,
): void {
  const { dataplane } = emulation;
  const { directory, options, layers } = dataplane;
  const [source, destination] = [ipv4.source(view, network), ipv4.destination(view, network)];
  const isOurs = (address: number): boolean => lookupUnderlay(directory, address) >= 0;
  const learnMac = (address: number, mac: number): void => {
    if (address === device.address) ownMacs.add(address);
    else if (ownMacs.has(address)) return;
    const known = macs.get(address);
    if (known === mac || (known === undefined && macs.size >= MOST_HOSTS)) return;
    macs.set(address, mac);
    learnUnderlay(emulation, address, mac);
  };
  const mask = maskOf(emulation.options.underlayPrefixLength);
  const { gateway } = emulation.options;
  const hopTo = (address: number): number => (((address ^ gateway) & mask) === 0 ? address : gateway);
  if (isOurs(source) || isOurs(destination)) {
    learnMac(hopTo(source), ethernet.source(view, 0));
    learnMac(hopTo(destination), ethernet.destination(view, 0));
  }
  if (emulation.options.partialChecksums || innerFrame(view, network, end, options.vxlanPort) < 0) return;
  locate(view, 0, end, end, LINKTYPE.ETHERNET, -1, layers);
  if (integrity.transport(view, layers.outer) === integrity.CHECKSUM.PARTIAL) learnPartialChecksums(emulation);
}
