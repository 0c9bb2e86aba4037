/**
 * ARP on the underlay and in the overlay, and packets that need it, at their times: who is answered, what is learned of it,
 * how long it holds, and what becomes of packets whose neighbour does not answer. Each stranger has a story of its own;
 * they run side by side.
 */
import { ethernet, silkMac } from '../dataplane/packets.ts';
import {
  BACKEND_B,
  CELL_A,
  CELL_B,
  type CraftedFrame,
  datagram,
  echo,
  FRONTEND,
  GATEWAY,
  MAC_A,
  MAC_B,
  ORDERS,
  outerPacket,
  sends,
  syn,
  tunnelled,
  VTEP_A,
  VTEP_B,
} from './emulate-frames.ts';

export interface TimedFrame {
  /** Seconds from the first. */
  readonly at: number;
  readonly frame: CraftedFrame;
}

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const NOBODY = '00:00:00:00:00:00';
const ARP = 0x0806;
const REQUEST = 1;
const REPLY = 2;

/** Fields of an ARP packet; lengths and types may be wrong. */
interface Arp {
  readonly operation?: number;
  readonly sender: readonly [mac: string, address: string];
  readonly target: readonly [mac: string, address: string];
  readonly hardwareType?: number;
  readonly protocolType?: number;
  readonly lengths?: readonly [number, number];
}

const octetsOf = (mac: string): number[] => mac.split(':').map((octet) => Number.parseInt(octet, 16));
const addressOf = (text: string): number[] => text.split('.').map(Number);
const word = (value: number): number[] => [value >>> 8, value & 0xff];

const arp = ({
  operation = REQUEST,
  sender,
  target,
  hardwareType = 1,
  protocolType = 0x0800,
  lengths = [6, 4],
}: Arp) => [
  ...[...word(hardwareType), ...word(protocolType), ...lengths, ...word(operation)],
  ...[...octetsOf(sender[0]), ...addressOf(sender[1]), ...octetsOf(target[0]), ...addressOf(target[1])],
];

const strangerMac = (address: string): string => `02:00:00:00:00:${Number(address.split('.')[3]).toString(16)}`;

interface Link {
  readonly to?: string;
  readonly tags?: readonly number[];
}

/** An ARP frame to cell B from a stranger on the underlay. */
function heard(
  what: string,
  packet: readonly number[],
  from: string,
  { to = BROADCAST, tags }: Link = {},
): CraftedFrame {
  return { what, tap: 'cell-b/eth0', octets: ethernet(to, strangerMac(from), ARP, packet, tags) };
}

/** `from` asks for `address`. */
const asks = (from: string, address: string, more: Partial<Arp> = {}, link: Link = {}): CraftedFrame =>
  heard(
    `${from} asks for ${address}`,
    arp({ sender: [strangerMac(from), from], target: [NOBODY, address], ...more }),
    from,
    link,
  );

/** `from` tells cell B that it is at `mac`. */
const tells = (from: string, mac: string, link: Link = { to: MAC_B }): CraftedFrame =>
  heard(`${from} is at ${mac}`, arp({ operation: REPLY, sender: [mac, from], target: [MAC_B, CELL_B] }), from, link);

/** `from` sends an IPv4 packet to cell B. */
const pings = (from: string): CraftedFrame => ({
  what: `${from} pings`,
  tap: 'cell-b/eth0',
  octets: ethernet(MAC_B, strangerMac(from), 0x0800, echo(from, CELL_B)),
});

/** Whom cell B answers, and whom it does not. */
const ANSWERED: readonly CraftedFrame[] = [
  asks('10.0.0.50', CELL_B),
  asks('10.0.0.50', CELL_B, {}, { to: MAC_B }),
  asks('10.0.0.50', CELL_B, {}, { to: '02:00:00:00:00:99' }),
  asks('10.0.0.50', CELL_B, {}, { tags: [5] }),
  asks('10.0.0.50', CELL_B, {}, { tags: [0] }),
  asks('10.0.0.50', CELL_B, {}, { tags: [0, 0] }),
  asks('10.0.0.50', CELL_B, {}, { tags: [0, 5] }),
  asks('10.0.0.50', VTEP_B),
  asks('10.0.0.50', GATEWAY),
  asks('10.0.0.50', BACKEND_B),
  asks('10.0.0.50', CELL_A),
  asks('10.0.0.50', '10.0.0.255'),
  asks('10.0.0.50', '127.0.0.1'),
  asks('10.0.0.50', '224.0.0.1'),
  asks('0.0.0.0', CELL_B),
  asks('0.0.0.0', CELL_A),
  asks(CELL_B, CELL_B),
  asks('127.0.0.1', CELL_B),
  asks('255.255.255.255', CELL_B),
  asks('8.8.8.8', CELL_B),
  asks(FRONTEND, CELL_B),
  asks('10.0.0.50', CELL_B, { hardwareType: 6 }),
  asks('10.0.0.50', CELL_B, { hardwareType: 7 }),
  asks('10.0.0.50', CELL_B, { protocolType: 0x86dd }),
  asks('10.0.0.50', CELL_B, { lengths: [5, 4] }),
  asks('10.0.0.50', CELL_B, { lengths: [6, 16] }),
  asks('10.0.0.50', CELL_B, { operation: 3 }),
  asks('10.0.0.50', CELL_B, { sender: ['02:00:00:00:00:51', '10.0.0.50'] }),
  heard('cut short', arp({ sender: [NOBODY, CELL_A], target: [NOBODY, CELL_B] }).slice(0, 27), '10.0.0.50'),
  // The entry of a cell is permanent.
  asks(CELL_A, CELL_B),
  {
    what: 'cell A pings, whose entry is permanent',
    tap: 'cell-b/eth0',
    octets: ethernet(MAC_B, MAC_A, 0x0800, echo(CELL_A, CELL_B)),
  },
  {
    what: 'a container asks',
    tap: 'cell-b/s-010255002008/eth0',
    octets: ethernet(
      BROADCAST,
      silkMac('ee', ORDERS),
      ARP,
      arp({ sender: [silkMac('ee', ORDERS), ORDERS], target: [NOBODY, GATEWAY] }),
    ),
  },
];

/** An ARP request out of the tunnel, as cell A would send it. */
const inTunnel = (what: string, sender: readonly [string, string], address: string): CraftedFrame => {
  const packet = arp({ sender, target: [NOBODY, address] });
  const inner = outerPacket(packet, { groupId: 1, destinationMac: BROADCAST }, ARP);
  return { what, tap: 'cell-b/eth0', octets: ethernet(MAC_B, MAC_A, 0x0800, inner) };
};

const OVERLAY_STRANGER = '10.255.99.9';
const OVERLAY: readonly TimedFrame[] = [
  { at: 1.2, frame: inTunnel('cell A’s VTEP asks', [silkMac('ee', VTEP_A), VTEP_A], VTEP_B) },
  { at: 1.3, frame: inTunnel('an unknown MAC asks', ['02:00:00:00:00:55', VTEP_A], VTEP_B) },
  { at: 1.4, frame: inTunnel('for a container', [silkMac('ee', VTEP_A), VTEP_A], BACKEND_B) },
  // A stranger of the overlay is learned, used, asked whether it is there, and given up.
  { at: 1.5, frame: inTunnel('a stranger asks', [silkMac('ee', VTEP_A), OVERLAY_STRANGER], VTEP_B) },
  { at: 2, frame: sends('to the stranger', ORDERS, datagram(ORDERS, OVERLAY_STRANGER, 53)) },
];

const STORIES: readonly TimedFrame[] = [
  // Known by its question, used, asked whether it is there three times, given up; asked for, found, used.
  { at: 2.1, frame: asks('10.0.0.60', CELL_B) },
  { at: 2.3, frame: pings('10.0.0.60') },
  { at: 11.5, frame: pings('10.0.0.60') },
  { at: 12.2, frame: pings('10.0.0.60') },
  { at: 13.1, frame: tells('10.0.0.60', '02:00:00:00:00:61') },
  { at: 13.4, frame: pings('10.0.0.60') },
  // Found by the question that it asks while it is asked for; says that it is there when it is asked again.
  { at: 2.5, frame: pings('10.0.0.62') },
  { at: 2.8, frame: asks('10.0.0.62', CELL_B) },
  { at: 8.1, frame: tells('10.0.0.62', strangerMac('10.0.0.62')) },
  { at: 9.3, frame: pings('10.0.0.62') },
  // The same, by a question for somebody else.
  { at: 2.9, frame: pings('10.0.0.63') },
  { at: 3.4, frame: asks('10.0.0.63', CELL_A) },
  // Moves: by gratuitous replies at once, by others only when a second has passed. Confirmed while it is in doubt.
  { at: 3.1, frame: asks('10.0.0.64', CELL_B) },
  {
    at: 3.3,
    frame: heard(
      'gratuitous',
      arp({ operation: REPLY, sender: ['02:00:00:00:00:65', '10.0.0.64'], target: ['02:00:00:00:00:65', '10.0.0.64'] }),
      '10.0.0.64',
    ),
  },
  { at: 3.5, frame: pings('10.0.0.64') },
  { at: 4, frame: tells('10.0.0.64', '02:00:00:00:00:66') },
  { at: 4.2, frame: pings('10.0.0.64') },
  { at: 6, frame: tells('10.0.0.64', '02:00:00:00:00:67') },
  { at: 6.2, frame: pings('10.0.0.64') },
  // A reply to everybody proves nothing; nobody was asked for, so nothing is learned.
  { at: 3.6, frame: pings('10.0.0.68') },
  { at: 4.1, frame: tells('10.0.0.68', strangerMac('10.0.0.68'), { to: BROADCAST }) },
  { at: 3.7, frame: tells('10.0.0.69', strangerMac('10.0.0.69')) },
  { at: 4.3, frame: pings('10.0.0.69') },
  // Moves by its question.
  { at: 5, frame: asks('10.0.0.70', CELL_B) },
  { at: 5.2, frame: asks('10.0.0.70', CELL_B, { sender: ['02:00:00:00:00:71', '10.0.0.70'] }) },
  { at: 5.4, frame: pings('10.0.0.70') },
];

/** Nobody answers: the sender is told after three seconds, each packet that waited by itself, and the next one asks again. */
const UNREACHABLE: readonly TimedFrame[] = [
  { at: 14, frame: sends('an address that nobody leased', FRONTEND, syn(FRONTEND, '10.255.77.7', 8080)) },
  { at: 15.3, frame: sends('the same again', FRONTEND, datagram(FRONTEND, '10.255.77.7', 8080)) },
  { at: 18, frame: sends('once more', FRONTEND, datagram(FRONTEND, '10.255.77.7', 8080)) },
  { at: 14.1, frame: sends('an address of its lease that is free', FRONTEND, syn(FRONTEND, '10.255.1.77', 8080)) },
  { at: 14.2, frame: sends('an address of another lease that is free', FRONTEND, syn(FRONTEND, '10.255.2.77', 8080)) },
  { at: 14.3, frame: tunnelled('a neighbour’s packet to nobody', syn('10.255.99.8', '10.255.2.99', 8080)) },
  { at: 14.4, frame: tunnelled('to a host of the underlay that is not there', syn(FRONTEND, '10.0.0.9', 443)) },
  // The cell asks as the address that the answer comes from.
  { at: 14.5, frame: tunnelled('an echo to the cell from nobody', echo('10.255.88.8', CELL_B)) },
];

export const TIMED: readonly TimedFrame[] = [
  ...ANSWERED.map((frame, i) => ({ at: i * 0.03, frame })),
  ...OVERLAY,
  ...STORIES,
  ...UNREACHABLE,
].toSorted((a, b) => a.at - b.at);

/** Until the last neighbour has been given up. */
export const SECONDS_AFTER = 9;
