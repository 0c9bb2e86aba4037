/**
 * What goes through a cell with NAT: rules, packets one after the other, and what is to leave. The same packets go through
 * the kernel (nat-kernel.ts) and this project's NAT (nat-cell.ts), which must agree in every octet; `leaves` says in
 * addresses what a reader would expect, so that two wrongs do not make a right.
 */
import * as packets from '../dataplane/packets.ts';
import { ENDING_SCENARIOS } from './nat-endings.ts';
import {
  BACKEND,
  BACKEND_VETH,
  CELL,
  CLIENT,
  data,
  drawn,
  error,
  FRONTEND,
  FRONTEND_VETH,
  IDENTIFIER,
  OUT,
  ping,
  portAt,
  reset,
  type Scenario,
  SILK,
  SOURCE_PORT,
  type Step,
  syn,
  synAck,
  table,
  udp,
} from './nat-packets.ts';
import { RANGE_SCENARIOS } from './nat-ranges.ts';

const HOST_PORT: Scenario = {
  name: 'silk: a host port, and errors about it from both sides',
  rules: SILK,
  steps: [
    {
      in: OUT,
      packet: syn(`${CLIENT}:35250`, `${CELL}:61000`),
      leaves: `${FRONTEND_VETH} ${CLIENT}:35250 > ${FRONTEND}:61001`,
    },
    {
      in: FRONTEND_VETH,
      packet: synAck(`${FRONTEND}:61001`, `${CLIENT}:35250`),
      leaves: `${OUT} ${CELL}:61000 > ${CLIENT}:35250`,
    },
    {
      in: OUT,
      packet: data(`${CLIENT}:35250`, `${CELL}:61000`, [1, 2, 3]),
      leaves: `${FRONTEND_VETH} ${CLIENT}:35250 > ${FRONTEND}:61001`,
    },
    {
      in: FRONTEND_VETH,
      packet: (left) => error(FRONTEND, left[2]!, 3, 4, 548, 1400),
      leaves: `${OUT} ${CELL} > ${CLIENT}`,
    },
    {
      in: FRONTEND_VETH,
      packet: (left) => error(FRONTEND, left[2]!, 3, 1, 28),
      leaves: `${OUT} ${CELL} > ${CLIENT}`,
    },
    // A router between the cell and the client has something to say about the answer.
    {
      in: OUT,
      packet: (left) => error('10.0.0.1', left[1]!, 11, 0),
      leaves: `${FRONTEND_VETH} 10.0.0.1 > ${FRONTEND}`,
    },
    {
      in: OUT,
      packet: (left) => error('10.0.0.1', left[1]!, 11, 0, 28),
      leaves: `${FRONTEND_VETH} 10.0.0.1 > ${FRONTEND}`,
    },
    {
      in: OUT,
      packet: syn(`${CLIENT}:35250`, `${CELL}:61002`),
      leaves: `${BACKEND_VETH} ${CLIENT}:35250 > ${BACKEND}:61001`,
    },
    {
      in: BACKEND_VETH,
      packet: reset(`${BACKEND}:61001`, `${CLIENT}:35250`),
      leaves: `${OUT} ${CELL}:61002 > ${CLIENT}:35250`,
    },
    // Straight to the container, from the same port: answers to it could not be told from those above.
    {
      in: OUT,
      packet: syn(`${CLIENT}:35250`, `${FRONTEND}:61001`),
      leaves: `${FRONTEND_VETH} ${CLIENT}:* > ${FRONTEND}:61001`,
      draws: { at: SOURCE_PORT, low: 1024, high: 65535 },
    },
    {
      in: FRONTEND_VETH,
      packet: (left) => synAck(`${FRONTEND}:61001`, `${CLIENT}:${portAt(left.at(-1)!, SOURCE_PORT)}`),
      leaves: `${OUT} ${FRONTEND}:61001 > ${CLIENT}:35250`,
    },
    // A container of this cell by the cell's own address.
    {
      in: BACKEND_VETH,
      packet: syn(`${BACKEND}:41000`, `${CELL}:61000`),
      leaves: `${FRONTEND_VETH} ${BACKEND}:41000 > ${FRONTEND}:61001`,
    },
    {
      in: FRONTEND_VETH,
      packet: synAck(`${FRONTEND}:61001`, `${BACKEND}:41000`),
      leaves: `${BACKEND_VETH} ${CELL}:61000 > ${BACKEND}:41000`,
    },
  ],
};

const MASQUERADE: Scenario = {
  name: 'silk: containers leave the overlay as their cell',
  rules: SILK,
  steps: [
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:40000`, `${CLIENT}:80`),
      leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:80`,
    },
    {
      in: OUT,
      packet: synAck(`${CLIENT}:80`, `${CELL}:40000`),
      leaves: `${FRONTEND_VETH} ${CLIENT}:80 > ${FRONTEND}:40000`,
    },
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:40000`, `${CLIENT}:53`),
      leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:53`,
    },
    {
      in: OUT,
      packet: udp(`${CLIENT}:53`, `${CELL}:40000`, [4]),
      leaves: `${FRONTEND_VETH} ${CLIENT}:53 > ${FRONTEND}:40000`,
    },
    { in: FRONTEND_VETH, packet: ping(FRONTEND, CLIENT, 77), leaves: `${OUT} ${CELL} > ${CLIENT}` },
    { in: OUT, packet: ping(CLIENT, CELL, 77, 0), leaves: `${FRONTEND_VETH} ${CLIENT} > ${FRONTEND}` },
    // Errors about what left, from the far end and from a router, with more and less of the packet.
    {
      in: OUT,
      packet: (left) => error('10.0.0.1', left[0]!, 11, 0),
      leaves: `${FRONTEND_VETH} 10.0.0.1 > ${FRONTEND}`,
    },
    {
      in: OUT,
      packet: (left) => error('10.0.0.1', left[0]!, 3, 4, 28, 1300),
      leaves: `${FRONTEND_VETH} 10.0.0.1 > ${FRONTEND}`,
    },
    { in: OUT, packet: (left) => error(CLIENT, left[2]!, 3, 3), leaves: `${FRONTEND_VETH} ${CLIENT} > ${FRONTEND}` },
    { in: OUT, packet: (left) => error(CLIENT, left[4]!, 3, 1), leaves: `${FRONTEND_VETH} ${CLIENT} > ${FRONTEND}` },
    {
      in: OUT,
      packet: (left) => error(CLIENT, left[4]!, 12, 0, 28, 0x14000000),
      leaves: `${FRONTEND_VETH} ${CLIENT} > ${FRONTEND}`,
    },
    // The container about what came back.
    { in: FRONTEND_VETH, packet: (left) => error(FRONTEND, left[3]!, 3, 3), leaves: `${OUT} ${CELL} > ${CLIENT}` },
    { in: FRONTEND_VETH, packet: (left) => error(FRONTEND, left[5]!, 3, 2), leaves: `${OUT} ${CELL} > ${CLIENT}` },
    // A redirect would name hosts that its receiver does not know.
    { in: OUT, packet: (left) => error('10.0.0.1', left[0]!, 5, 1, 28, 0x0a000002), leaves: '' },
    // Nothing is masqueraded inside the overlay.
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:40001`, '10.255.2.7:5000'),
      leaves: `silk-vtep ${FRONTEND}:40001 > 10.255.2.7:5000`,
    },
    {
      in: 'silk-vtep',
      packet: udp('10.255.2.7:5000', `${FRONTEND}:40001`),
      leaves: `${FRONTEND_VETH} 10.255.2.7:5000 > ${FRONTEND}:40001`,
    },
    {
      in: 'silk-vtep',
      packet: (left) => error('10.255.2.7', left.at(-2)!, 3, 3),
      leaves: `${FRONTEND_VETH} 10.255.2.7 > ${FRONTEND}`,
    },
    // A protocol without ports: only the address changes.
    {
      in: FRONTEND_VETH,
      packet: packets.ipv4({ source: FRONTEND, destination: CLIENT }, 99, [1, 2, 3, 4, 5]),
      leaves: `${OUT} ${CELL} > ${CLIENT}`,
    },
    {
      in: OUT,
      packet: packets.ipv4({ source: CLIENT, destination: CELL }, 99, [5, 4]),
      leaves: `${FRONTEND_VETH} ${CLIENT} > ${FRONTEND}`,
    },
  ],
};

const COLLISIONS: Scenario = {
  name: 'silk: two containers call the same server from the same port',
  rules: SILK,
  steps: [40000, 800, 300].flatMap((port): Step[] => {
    const [low, high] = port >= 1024 ? [1024, 65535] : port >= 512 ? [600, 1023] : [1, 511];
    return [
      {
        in: FRONTEND_VETH,
        packet: syn(`${FRONTEND}:${port}`, `${CLIENT}:80`),
        leaves: `${OUT} ${CELL}:${port} > ${CLIENT}:80`,
      },
      {
        in: BACKEND_VETH,
        packet: syn(`${BACKEND}:${port}`, `${CLIENT}:80`),
        ...drawn(CELL, `${CLIENT}:80`, low, high),
      },
      {
        in: OUT,
        packet: (left) => synAck(`${CLIENT}:80`, `${CELL}:${portAt(left.at(-1)!, SOURCE_PORT)}`),
        leaves: `${BACKEND_VETH} ${CLIENT}:80 > ${BACKEND}:${port}`,
      },
      {
        in: BACKEND_VETH,
        packet: data(`${BACKEND}:${port}`, `${CLIENT}:80`, [5]),
        leaves: `${OUT} ${CELL}:* > ${CLIENT}:80`,
      },
      {
        in: FRONTEND_VETH,
        packet: udp(`${FRONTEND}:${port}`, `${CLIENT}:53`),
        leaves: `${OUT} ${CELL}:${port} > ${CLIENT}:53`,
      },
      {
        in: BACKEND_VETH,
        packet: udp(`${BACKEND}:${port}`, `${CLIENT}:53`),
        ...drawn(CELL, `${CLIENT}:53`, low, high),
      },
      {
        in: OUT,
        packet: (left) => error('10.0.0.1', left.at(-1)!, 11, 0),
        leaves: `${BACKEND_VETH} 10.0.0.1 > ${BACKEND}`,
      },
      { in: FRONTEND_VETH, packet: ping(FRONTEND, CLIENT, port), leaves: `${OUT} ${CELL} > ${CLIENT}` },
      {
        in: BACKEND_VETH,
        packet: ping(BACKEND, CLIENT, port),
        leaves: `${OUT} ${CELL} > ${CLIENT}`,
        draws: { at: IDENTIFIER, low: 0, high: 65535 },
      },
      {
        in: OUT,
        packet: (left) => ping(CLIENT, CELL, portAt(left.at(-1)!, IDENTIFIER), 0),
        leaves: `${BACKEND_VETH} ${CLIENT} > ${BACKEND}`,
      },
    ];
  }),
};

const REVERSE: Scenario = {
  name: 'silk: the far end calls the container that it knows by another address',
  rules: SILK,
  steps: [
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:40000`, `${CLIENT}:53`),
      leaves: `${OUT} ${CELL}:40000 > ${CLIENT}:53`,
    },
    // Answers to this would look like the packet above.
    {
      in: OUT,
      packet: udp(`${CLIENT}:53`, `${FRONTEND}:40000`),
      leaves: `${FRONTEND_VETH} ${CLIENT}:* > ${FRONTEND}:40000`,
      draws: { at: SOURCE_PORT, low: 1, high: 511 },
    },
    {
      in: FRONTEND_VETH,
      packet: (left) => udp(`${FRONTEND}:40000`, `${CLIENT}:${portAt(left[1]!, SOURCE_PORT)}`),
      leaves: `${OUT} ${FRONTEND}:40000 > ${CLIENT}:53`,
    },
  ],
};

const HAIRPIN: Scenario = {
  name: 'both ends of a connection are changed',
  rules: table(
    `PREROUTING -d ${CELL} -p tcp --dport 61000 -j DNAT --to-destination ${BACKEND}:8080`,
    `PREROUTING -d ${CELL} -p udp --dport 53 -j DNAT --to-destination ${BACKEND}`,
    `POSTROUTING -s 10.255.1.0/24 -d ${BACKEND} -j MASQUERADE`,
  ),
  steps: [
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:40000`, `${CELL}:61000`),
      leaves: `${BACKEND_VETH} ${CELL}:40000 > ${BACKEND}:8080`,
    },
    {
      in: BACKEND_VETH,
      packet: synAck(`${BACKEND}:8080`, `${CELL}:40000`),
      leaves: `${FRONTEND_VETH} ${CELL}:61000 > ${FRONTEND}:40000`,
    },
    {
      in: FRONTEND_VETH,
      packet: data(`${FRONTEND}:40000`, `${CELL}:61000`, [7]),
      leaves: `${BACKEND_VETH} ${CELL}:40000 > ${BACKEND}:8080`,
    },
    {
      in: BACKEND_VETH,
      packet: (left) => error(BACKEND, left[2]!, 3, 13),
      leaves: `${FRONTEND_VETH} ${CELL} > ${FRONTEND}`,
    },
    {
      in: FRONTEND_VETH,
      packet: (left) => error(FRONTEND, left[1]!, 3, 13),
      leaves: `${BACKEND_VETH} ${CELL} > ${BACKEND}`,
    },
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:40000`, `${CELL}:53`),
      leaves: `${BACKEND_VETH} ${CELL}:40000 > ${BACKEND}:53`,
    },
    {
      in: BACKEND_VETH,
      packet: udp(`${BACKEND}:53`, `${CELL}:40000`),
      leaves: `${FRONTEND_VETH} ${CELL}:53 > ${FRONTEND}:40000`,
    },
  ],
};

export const NAT_SCENARIOS: readonly Scenario[] = [
  HOST_PORT,
  MASQUERADE,
  COLLISIONS,
  REVERSE,
  HAIRPIN,
  ...RANGE_SCENARIOS,
  ...ENDING_SCENARIOS,
];
