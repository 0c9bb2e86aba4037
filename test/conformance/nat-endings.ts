/** Scenarios of NAT: checksums of every kind, and connections that end, come back and make way. See nat-scenarios.ts. */
import {
  BACKEND,
  BACKEND_VETH,
  CELL,
  CLIENT,
  error,
  FLAG,
  FRONTEND,
  FRONTEND_VETH,
  OUT,
  ping,
  type Scenario,
  SILK,
  type Step,
  syn,
  synAck,
  table,
  tcp,
  udp,
  udpBecomingZero,
  unfinished,
  withChecksum,
} from './nat-packets.ts';

const DATAGRAM = udp(`${FRONTEND}:40000`, `${CLIENT}:53`);
const SEGMENT = syn(`${FRONTEND}:40000`, `${CLIENT}:80`);
const damaged = (packet: Uint8Array, at: number): Uint8Array =>
  packet.map((octet, index) => (index === at ? octet ^ 0x55 : octet));

const CHECKSUMS: Scenario = {
  name: 'checksums: none, 0, wrong ones, and those left to the network card',
  rules: SILK,
  settings: ['net.netfilter.nf_conntrack_checksum=0'],
  steps: [
    { in: FRONTEND_VETH, packet: withChecksum(DATAGRAM, 0), leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:53` },
    { in: OUT, packet: (left) => error(CLIENT, left[0]!, 3, 3), leaves: `${FRONTEND_VETH} ${CLIENT} > ${FRONTEND}` },
    {
      in: FRONTEND_VETH,
      packet: udpBecomingZero(`${FRONTEND}:40001`, `${CLIENT}:53`, `${CELL}:40001`),
      leaves: `${OUT} ${CELL}:40001 > ${CLIENT}:53`,
    },
    { in: FRONTEND_VETH, packet: withChecksum(DATAGRAM, 0xffff), leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:53` },
    { in: FRONTEND_VETH, packet: damaged(SEGMENT, 36), leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:80` },
    { in: FRONTEND_VETH, packet: damaged(ping(FRONTEND, CLIENT, 5), 22), leaves: `${OUT} ${CELL} > ${CLIENT}` },
    { in: OUT, packet: (left) => damaged(error(CLIENT, left[3]!, 3, 3), 22), leaves: '' },
    {
      in: FRONTEND_VETH,
      packet: unfinished(syn(`${FRONTEND}:40002`, `${CLIENT}:80`)),
      partial: true,
      leaves: `${OUT} ${CELL}:40002 > ${CLIENT}:80`,
    },
    {
      in: FRONTEND_VETH,
      packet: unfinished(udp(`${FRONTEND}:40002`, `${CLIENT}:53`)),
      partial: true,
      leaves: `${OUT} ${CELL}:40002 > ${CLIENT}:53`,
    },
    {
      in: OUT,
      packet: unfinished(synAck(`${CLIENT}:80`, `${CELL}:40002`)),
      partial: true,
      leaves: `${FRONTEND_VETH} ${CLIENT}:80 > ${FRONTEND}:40002`,
    },
    {
      in: OUT,
      packet: unfinished(syn(`${CLIENT}:35250`, `${CELL}:61000`)),
      partial: true,
      leaves: `${FRONTEND_VETH} ${CLIENT}:35250 > ${FRONTEND}:61001`,
    },
    // The quoted segment has the sum of the pseudo-header that the container's host never saw completed.
    {
      in: OUT,
      packet: (left) => error('10.0.0.1', left[7]!, 11, 0),
      leaves: `${FRONTEND_VETH} 10.0.0.1 > ${FRONTEND}`,
    },
  ],
};

/** A TCP exchange that `container` opened with sequence number 1000, answered and closed first by the far end. */
const closed = (veth: string, container: string, shown: string): Step[] =>
  [
    [OUT, FLAG.SYN | FLAG.ACK, 5000, 1001],
    [veth, FLAG.ACK, 1001, 5001],
    [OUT, FLAG.FIN | FLAG.ACK, 5001, 1001],
    [veth, FLAG.FIN | FLAG.ACK, 1001, 5002],
    [OUT, FLAG.ACK, 5002, 1002],
  ].map(([device, flags, sequence, acknowledgement]): Step => {
    const segment = { flags: Number(flags), sequence: Number(sequence), acknowledgement: Number(acknowledgement) };
    return device === OUT
      ? { in: OUT, packet: tcp(`${CLIENT}:80`, shown, segment), leaves: `${veth} ${CLIENT}:80 > ${container}` }
      : { in: veth, packet: tcp(container, `${CLIENT}:80`, segment), leaves: `${OUT} ${shown} > ${CLIENT}:80` };
  });

const AGAIN: Scenario = {
  name: 'connections that end give their ports back',
  rules: SILK,
  steps: [
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:40000`, `${CLIENT}:80`),
      leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:80`,
    },
    // Again, before any answer: the binding stays.
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:40000`, `${CLIENT}:80`),
      leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:80`,
    },
    // A reset before an answer ends the connection at once.
    {
      in: OUT,
      packet: tcp(`${CLIENT}:80`, `${CELL}:40000`, { flags: FLAG.RST | FLAG.ACK, acknowledgement: 1001 }),
      leaves: `${FRONTEND_VETH} ${CLIENT}:80 > ${FRONTEND}:40000`,
    },
    {
      in: BACKEND_VETH,
      packet: syn(`${BACKEND}:40001`, `${CLIENT}:80`),
      leaves: `${OUT} ${CELL}:40001 > ${CLIENT}:80`,
    },
    {
      in: BACKEND_VETH,
      packet: udp(`${BACKEND}:40001`, `${CLIENT}:80`),
      leaves: `${OUT} ${CELL}:40001 > ${CLIENT}:80`,
    },
    // Closed from both sides, and opened again from the same port: the old connection makes way.
    ...closed(BACKEND_VETH, `${BACKEND}:40001`, `${CELL}:40001`),
    {
      in: BACKEND_VETH,
      packet: tcp(`${BACKEND}:40001`, `${CLIENT}:80`, { flags: FLAG.SYN, sequence: 900000 }),
      leaves: `${OUT} ${CELL}:40001 > ${CLIENT}:80`,
    },
    // No connection of its own: an error about nothing.
    {
      in: OUT,
      packet: (left) =>
        error(
          '10.0.0.1',
          left[3]!.map((octet, at) => (at === 21 ? octet ^ 1 : octet)),
          11,
          0,
        ),
      leaves: '',
    },
  ],
};

const late = (sequence: number, leaves: string): Step => ({
  in: BACKEND_VETH,
  packet: tcp(`${BACKEND}:40000`, `${CLIENT}:80`, { flags: FLAG.SYN, sequence }),
  leaves,
});

const EVICTION: Scenario = {
  name: 'a closed connection makes way for another when its port is the last one',
  rules: table('POSTROUTING -p tcp -o eth0 -j SNAT --to-source 10.0.0.120:6000'),
  steps: [
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:6000`, `${CLIENT}:80`),
      leaves: `${OUT} 10.0.0.120:6000 > ${CLIENT}:80`,
    },
    late(900000, ''),
    ...closed(FRONTEND_VETH, `${FRONTEND}:6000`, '10.0.0.120:6000'),
    // The far end could take this for a segment of the old connection.
    late(500, ''),
    late(1001, ''),
    late(1002, `${OUT} 10.0.0.120:6000 > ${CLIENT}:80`),
  ],
};

export const ENDING_SCENARIOS: readonly Scenario[] = [CHECKSUMS, AGAIN, EVICTION];
