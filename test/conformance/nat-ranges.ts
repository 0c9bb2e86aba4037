/** Scenarios of NAT beyond silk's rules: ranges of addresses and ports, REDIRECT, random ports. See nat-scenarios.ts. */
import {
  BACKEND,
  BACKEND_VETH,
  CELL,
  CLIENT,
  closedPort,
  DESTINATION_PORT,
  drawn,
  FRONTEND,
  FRONTEND_VETH,
  IDENTIFIER,
  OUT,
  ping,
  portUnreachable,
  type Scenario,
  type Step,
  syn,
  table,
  udp,
} from './nat-packets.ts';

const SERVERS = ['192.0.2.1', '192.0.2.77', '198.51.100.3', '203.0.113.250', '8.8.8.8', '1.1.1.1'];
/** The addresses that the kernel's hash leads to: `*` stands for an address that only the kernel and we compute. */
const ANY_SOURCE = '?';

const RANGES: Scenario = {
  name: 'SNAT to a range of addresses: hashed by both ends, or by the source with --persistent',
  rules: table(
    `POSTROUTING -s ${FRONTEND} -o eth0 -j SNAT --to-source 10.0.0.120-10.0.0.139`,
    `POSTROUTING -s ${BACKEND} -o eth0 -j SNAT --to-source 10.0.0.140-10.0.0.233 --persistent`,
  ),
  steps: SERVERS.flatMap((server, index): Step[] => [
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:${50000 + index}`, `${server}:53`),
      leaves: `${OUT} ${ANY_SOURCE}:${50000 + index} > ${server}:53`,
    },
    {
      in: BACKEND_VETH,
      packet: syn(`${BACKEND}:${50000 + index}`, `${server}:80`),
      leaves: `${OUT} ${ANY_SOURCE}:${50000 + index} > ${server}:80`,
    },
    // From a port that is mapped already: the same address again.
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:50000`, `${server}:54`),
      leaves: `${OUT} ${ANY_SOURCE}:50000 > ${server}:54`,
    },
  ]),
};

const TARGETS: Scenario = {
  name: 'DNAT to ranges, and REDIRECT',
  rules: table(
    `PREROUTING -p udp --dport 1000 -j DNAT --to-destination ${FRONTEND}-${BACKEND}`,
    `PREROUTING -p udp --dport 1001 -j DNAT --to-destination ${FRONTEND}:7000-7003`,
    `PREROUTING -p udp --dport 1002 -j DNAT --to-destination ${FRONTEND}:7010-7013 --random`,
    `PREROUTING -p tcp --dport 1003 -j DNAT --to-destination :7020`,
    'PREROUTING -p tcp --dport 1004 -j REDIRECT --to-ports 8053',
    'PREROUTING -p tcp --dport 1005 -j REDIRECT',
    'INPUT -p tcp --dport 1006 -j SNAT --to-source 10.0.0.77',
    'PREROUTING -p udp --dport 1007 -j REDIRECT --to-ports 8053',
  ),
  steps: [
    ...[1, 2, 3, 4, 5, 6].map(
      (last): Step => ({
        in: OUT,
        packet: udp(`10.0.0.${last}:2000`, `${CELL}:1000`),
        leaves: `? 10.0.0.${last}:2000 > ?:1000`,
      }),
    ),
    ...[1001, 1002].map(
      (port): Step => ({
        in: OUT,
        packet: udp(`${CLIENT}:2000`, `${CELL}:${port}`),
        leaves: `${FRONTEND_VETH} ${CLIENT}:2000 > ${FRONTEND}:*`,
        draws: { at: DESTINATION_PORT, low: port === 1001 ? 7000 : 7010, high: port === 1001 ? 7003 : 7013 },
      }),
    ),
    {
      in: OUT,
      packet: syn(`${CLIENT}:2000`, `${FRONTEND}:1003`),
      leaves: `${FRONTEND_VETH} ${CLIENT}:2000 > ${FRONTEND}:7020`,
    },
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:2000`, '192.0.2.1:1004'),
      leaves: `${FRONTEND_VETH} 192.0.2.1:1004 > ${FRONTEND}:2000`,
      answer: closedPort,
    },
    {
      in: OUT,
      packet: syn(`${CLIENT}:2001`, '192.0.2.1:1005'),
      leaves: `${OUT} 192.0.2.1:1005 > ${CLIENT}:2001`,
      answer: closedPort,
    },
    {
      in: 'silk-vtep',
      packet: syn('10.255.2.7:2001', '192.0.2.1:1004'),
      leaves: 'silk-vtep 192.0.2.1:1004 > 10.255.2.7:2001',
      answer: closedPort,
    },
    // The cell sees another client, and its answer is changed before it is routed.
    {
      in: OUT,
      packet: syn(`${CLIENT}:2002`, `${CELL}:1006`),
      leaves: `${OUT} ${CELL}:1006 > ${CLIENT}:2002`,
      answer: closedPort,
    },
    // The error that the cell itself sends is changed as one from elsewhere would be.
    {
      in: OUT,
      packet: udp(`${CLIENT}:2003`, '192.0.2.1:1007'),
      leaves: `${OUT} 192.0.2.1 > ${CLIENT}`,
      answer: portUnreachable,
    },
  ],
};

const PORTS: Scenario = {
  name: 'port ranges: kept inside, drawn outside, used up',
  rules: table(
    `POSTROUTING -p udp --dport 53 -o eth0 -j SNAT --to-source 10.0.0.120:6000-6001`,
    `POSTROUTING -p tcp --dport 80 -o eth0 -j MASQUERADE --to-ports 6100-6163`,
    `POSTROUTING -p tcp --dport 81 -o eth0 -j MASQUERADE --random`,
    `POSTROUTING -p udp --dport 82 -o eth0 -j SNAT --to-source 10.0.0.121 --random-fully`,
    `POSTROUTING -p tcp --dport 83 -o eth0 -j SNAT --to-source 10.0.0.122:6200-6300 --random-fully`,
    `POSTROUTING -p icmp -o eth0 -j SNAT --to-source 10.0.0.123:300-301`,
  ),
  steps: [
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:6001`, `${CLIENT}:53`),
      leaves: `${OUT} 10.0.0.120:6001 > ${CLIENT}:53`,
    },
    {
      in: BACKEND_VETH,
      packet: udp(`${BACKEND}:6001`, `${CLIENT}:53`),
      ...drawn('10.0.0.120', `${CLIENT}:53`, 6000, 6000),
    },
    // Both ports are taken.
    {
      in: BACKEND_VETH,
      packet: udp(`${BACKEND}:9999`, `${CLIENT}:53`),
      leaves: '',
      draws: { at: -1, low: 6000, high: 6001 },
    },
    // What this source is changed to already is good for another server too.
    {
      in: BACKEND_VETH,
      packet: udp(`${BACKEND}:6001`, '192.0.2.1:53'),
      leaves: `${OUT} 10.0.0.120:6000 > 192.0.2.1:53`,
    },
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:6110`, `${CLIENT}:80`),
      leaves: `${OUT} ${CELL}:6110 > ${CLIENT}:80`,
    },
    { in: BACKEND_VETH, packet: syn(`${BACKEND}:6110`, `${CLIENT}:80`), ...drawn(CELL, `${CLIENT}:80`, 6100, 6163) },
    { in: FRONTEND_VETH, packet: syn(`${FRONTEND}:40000`, `${CLIENT}:80`), ...drawn(CELL, `${CLIENT}:80`, 6100, 6163) },
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:40000`, `${CLIENT}:81`),
      ...drawn(CELL, `${CLIENT}:81`, 1024, 65535),
    },
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:40000`, `${CLIENT}:82`),
      ...drawn('10.0.0.121', `${CLIENT}:82`, 1024, 65535),
    },
    {
      in: FRONTEND_VETH,
      packet: udp(`${FRONTEND}:400`, `${CLIENT}:82`),
      ...drawn('10.0.0.121', `${CLIENT}:82`, 1, 511),
    },
    {
      in: FRONTEND_VETH,
      packet: syn(`${FRONTEND}:6250`, `${CLIENT}:83`),
      ...drawn('10.0.0.122', `${CLIENT}:83`, 6200, 6300),
    },
    { in: FRONTEND_VETH, packet: ping(FRONTEND, CLIENT, 300), leaves: `${OUT} 10.0.0.123 > ${CLIENT}` },
    {
      in: BACKEND_VETH,
      packet: ping(BACKEND, CLIENT, 300),
      leaves: `${OUT} 10.0.0.123 > ${CLIENT}`,
      draws: { at: IDENTIFIER, low: 301, high: 301 },
    },
    { in: OUT, packet: ping(CLIENT, '10.0.0.123', 301, 0), leaves: `${BACKEND_VETH} ${CLIENT} > ${BACKEND}` },
  ],
};

export const RANGE_SCENARIOS: readonly Scenario[] = [RANGES, TARGETS, PORTS];
