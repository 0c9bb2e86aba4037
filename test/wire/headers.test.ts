/** Every header through the shared tests; what is peculiar to one header has a file of its own. */
import { suite } from 'uvu';
import * as arp from '../../src/wire/arp.ts';
import * as ethernet from '../../src/wire/ethernet.ts';
import * as extension from '../../src/wire/extension.ts';
import { FAULT } from '../../src/wire/fault.ts';
import * as fragment6 from '../../src/wire/fragment6.ts';
import * as icmp from '../../src/wire/icmp.ts';
import * as icmp6 from '../../src/wire/icmp6.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import * as loopback from '../../src/wire/loopback.ts';
import { PROTOCOL } from '../../src/wire/protocol.ts';
import * as sll from '../../src/wire/sll.ts';
import * as sll2 from '../../src/wire/sll2.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as udp from '../../src/wire/udp.ts';
import * as vlan from '../../src/wire/vlan.ts';
import * as vxlan from '../../src/wire/vxlan.ts';
import { testHeader } from '../support/header.ts';

const ethernetTest = suite('wire/ethernet');
testHeader(ethernetTest, {
  file: 'ethernet',
  header: ethernet,
  short: FAULT.ETHERNET_SHORT,
  vectors: [
    {
      from: 'the inner frame of the documentation packet',
      octets: 'eeee0aff9000 eeee0aff5200 0800',
      fields: { destination: 0xeeee0aff9000, source: 0xeeee0aff5200, type: 0x0800 },
    },
  ],
  positions: [ethernet.payloadStart],
});
ethernetTest.run();

const vlanTest = suite('wire/vlan');
testHeader(vlanTest, {
  file: 'vlan',
  header: vlan,
  short: FAULT.VLAN_SHORT,
  vectors: [
    {
      from: 'the service tag of a Q-in-Q frame as tshark reads it',
      octets: '001e 8100',
      fields: { priority: 0, dropEligible: 0, identifier: 30, type: 0x8100 },
    },
    {
      from: 'a tag with priority 5 and drop eligible as tshark reads it',
      octets: 'b064 0800',
      fields: { priority: 5, dropEligible: 1, identifier: 100, type: 0x0800 },
    },
  ],
  positions: [vlan.payloadStart],
});
vlanTest.run();

const arpTest = suite('wire/arp header');
testHeader(arpTest, {
  file: 'arp',
  header: arp,
  short: FAULT.ARP_SHORT,
  vectors: [
    {
      from: 'an ARP reply of Linux',
      octets: '0001 0800 06 04 0002 02000000000b 0a090802 02000000000a 0a090801',
      fields: {
        hardwareType: 1,
        protocolType: 0x0800,
        hardwareLength: 6,
        protocolLength: 4,
        operation: 2,
        senderHardware: 0x02000000000b,
        senderProtocol: 0x0a090802,
        targetHardware: 0x02000000000a,
        targetProtocol: 0x0a090801,
      },
    },
  ],
  positions: [arp.payloadStart],
  mend: (view, at) => view.setUint16(at + 4, 0x0604),
});
arpTest.run();

const ipv4Test = suite('wire/ipv4 header');
testHeader(ipv4Test, {
  file: 'ipv4',
  header: ipv4,
  short: FAULT.IPV4_SHORT,
  vectors: [
    {
      from: 'the unreachable message of Linux (class selector 6)',
      octets:
        '45c0 003b 0d8b 0000 40 01 4863 0a090802 0a090801 0303a3c2000000004500001fa3bb4000401172fe0a0908010a090802c28b0009000b243168690a',
      fields: {
        version: 4,
        ihl: 5,
        dscp: 48,
        ecn: 0,
        totalLength: 59,
        identification: 0x0d8b,
        reserved: 0,
        dontFragment: 0,
        moreFragments: 0,
        fragmentOffset: 0,
        timeToLive: 64,
        protocol: 1,
        headerChecksum: 0x4863,
        source: 0x0a090802,
        destination: 0x0a090801,
      },
    },
    {
      from: 'a first fragment with all flags and ECN as tshark reads it',
      octets: '4503 0014 abcd e0b9 02 11 0000 c0a80001 ffffffff',
      fields: {
        version: 4,
        ihl: 5,
        dscp: 0,
        ecn: 3,
        totalLength: 20,
        identification: 0xabcd,
        reserved: 1,
        dontFragment: 1,
        moreFragments: 1,
        fragmentOffset: 1480,
        timeToLive: 2,
        protocol: 17,
        headerChecksum: 0,
        source: 0xc0a80001,
        destination: 0xffffffff,
      },
    },
  ],
  positions: [ipv4.optionsStart, ipv4.payloadStart, ipv4.payloadEnd],
  others: [
    ipv4.headerLength,
    ipv4.checkOptions,
    ipv4.badOption,
    (view, at) => ipv4.findOption(view, at, 7),
    (view, at) => Number(ipv4.isFragment(view, at)),
  ],
  mend: (view, at, size) => {
    view.setUint8(at, 0x40 | (5 + (view.getUint8(at) % 11)));
    view.setUint16(at + 2, Math.min(size, 20 + view.getUint8(at + 3)));
  },
});
ipv4Test.run();

const ipv6Test = suite('wire/ipv6 header');
testHeader(ipv6Test, {
  file: 'ipv6',
  header: ipv6,
  short: FAULT.IPV6_SHORT,
  vectors: [
    {
      from: 'a fragment of Linux, with the payload length of its first octet only and DSCP EF, ECN CE',
      octets: '6bbced62 0001 2c40 fd000009000000000000000000000001 fd000009000000000000000000000002 3a',
      fields: {
        version: 6,
        dscp: 46,
        ecn: 3,
        flowLabel: 0xced62,
        payloadLength: 1,
        nextHeader: 44,
        hopLimit: 64,
        source0: 0xfd000009,
        source1: 0,
        source2: 0,
        source3: 1,
        destination0: 0xfd000009,
        destination1: 0,
        destination2: 0,
        destination3: 2,
      },
    },
  ],
  positions: [ipv6.payloadStart, ipv6.payloadEnd, ipv6.sourceStart, ipv6.destinationStart],
  mend: (view, at, size) => {
    view.setUint8(at, 0x60);
    view.setUint16(at + 4, size < 40 ? 0 : view.getUint8(at + 5) % (size - 39));
  },
});
ipv6Test.run();

const fragmentTest = suite('wire/fragment6');
testHeader(fragmentTest, {
  file: 'fragment6',
  header: fragment6,
  short: FAULT.FRAGMENT6_SHORT,
  vectors: [
    {
      from: 'the last fragment of an ICMPv6 echo of Linux',
      octets: '3a 00 05a8 cca48123',
      fields: {
        nextHeader: 58,
        reserved: 0,
        fragmentOffset: 1448,
        reservedBits: 0,
        moreFragments: 0,
        identification: 0xcca48123,
      },
    },
  ],
  positions: [fragment6.payloadStart],
});
fragmentTest.run();

const extensionTest = suite('wire/extension header');
testHeader(extensionTest, {
  file: 'extension',
  header: {
    ...extension,
    check: (view, at, end) => extension.check(view, at, end, PROTOCOL.HOP_BY_HOP),
  },
  short: FAULT.EXTENSION_SHORT,
  length: 2,
  vectors: [
    {
      from: 'the router alert of a listener report of Linux',
      octets: '3a 00 0502 0000 0100',
      fields: { nextHeader: 58, length: 0 },
    },
  ],
  positions: [(view, at) => extension.payloadStart(view, at, PROTOCOL.HOP_BY_HOP)],
  others: [extension.jumboOption, (view, at) => extension.badOption(view, at, PROTOCOL.HOP_BY_HOP)],
  mend: (view, at) => {
    view.setUint8(at + 1, 0);
    view.setUint8(at + 3, view.getUint8(at + 3) % 5);
    view.setUint8(at + 4, view.getUint8(at + 4) % 5);
  },
});
extensionTest.run();

const icmpTest = suite('wire/icmp header');
testHeader(icmpTest, {
  file: 'icmp',
  header: icmp,
  short: FAULT.ICMP_SHORT,
  vectors: [
    {
      from: 'an echo request of Linux',
      octets: '08 00 56e6 020c 0001',
      fields: { type: 8, code: 0, checksum: 0x56e6, identifier: 0x020c, sequenceNumber: 1 },
    },
  ],
  positions: [icmp.payloadStart],
  others: [icmp.gateway, icmp.pointer, icmp.nextHopMtu],
});
icmpTest.run();

const icmp6Test = suite('wire/icmp6 header');
testHeader(icmp6Test, {
  file: 'icmp6',
  header: icmp6,
  short: FAULT.ICMP6_SHORT,
  vectors: [
    {
      from: 'an echo request of Linux',
      octets: '80 00 64ce 020d 0001',
      fields: { type: 128, code: 0, checksum: 0x64ce, identifier: 0x020d, sequenceNumber: 1 },
    },
  ],
  positions: [icmp6.payloadStart],
  others: [icmp6.mtu, icmp6.pointer],
});
icmp6Test.run();

const udpTest = suite('wire/udp header');
testHeader(udpTest, {
  file: 'udp',
  header: udp,
  short: FAULT.UDP_SHORT,
  vectors: [
    {
      from: 'a datagram of Linux',
      octets: 'c28b 0009 000b 2431 68690a',
      fields: { sourcePort: 49803, destinationPort: 9, length: 11, checksum: 0x2431 },
    },
  ],
  positions: [udp.payloadStart, udp.payloadEnd],
  mend: (view, at, size) => view.setUint16(at + 4, 8 + (view.getUint8(at + 5) % (size - 7))),
});
udpTest.run();

const tcpTest = suite('wire/tcp header');
testHeader(tcpTest, {
  file: 'tcp',
  header: tcp,
  short: FAULT.TCP_SHORT,
  vectors: [
    {
      from: 'the SYN of the worked example',
      octets: '9c40 1f90 11223344 00000000 a0 02 fd5c ef46 0000 020405820402080a000f42400000000001030307',
      fields: {
        sourcePort: 40000,
        destinationPort: 8080,
        sequenceNumber: 0x11223344,
        acknowledgmentNumber: 0,
        dataOffset: 10,
        reserved: 0,
        flags: tcp.FLAG.SYN,
        window: 64860,
        checksum: 0xef46,
        urgentPointer: 0,
      },
    },
  ],
  positions: [tcp.optionsStart, tcp.payloadStart],
  others: [
    tcp.headerLength,
    (view, at) => tcp.checkOptions(view, at, tcp.payloadStart(view, at)),
    (view, at) => tcp.badOption(view, at, tcp.payloadStart(view, at)),
    (view, at) => tcp.findOption(view, at, tcp.payloadStart(view, at), tcp.OPTION.TIMESTAMPS),
  ],
  mend: (view, at) => view.setUint8(at + 12, (5 + (view.getUint8(at + 12) % 11)) << 4),
});
tcpTest.run();

const vxlanTest = suite('wire/vxlan header');
testHeader(vxlanTest, {
  file: 'vxlan',
  header: vxlan,
  short: FAULT.VXLAN_SHORT,
  vectors: [
    {
      from: 'the documentation packet, tag 3',
      octets: '88 00 0003 000001 00',
      fields: {
        groupPolicy: 1,
        instance: 1,
        dontLearn: 0,
        policyApplied: 0,
        reservedFlags: 0,
        groupPolicyId: 3,
        vni: 1,
        reserved: 0,
      },
    },
    {
      from: 'a header with D, A, a reserved flag and a reserved octet, as tshark reads it',
      octets: '89 48 ffff abcdef 01',
      fields: {
        groupPolicy: 1,
        instance: 1,
        dontLearn: 1,
        policyApplied: 1,
        reservedFlags: 0x0100,
        groupPolicyId: 0xffff,
        vni: 0xabcdef,
        reserved: 1,
      },
    },
  ],
  positions: [vxlan.payloadStart],
  others: [vxlan.flags, vxlan.mark],
});
vxlanTest.run();

const sllTest = suite('wire/sll');
testHeader(sllTest, {
  file: 'sll',
  header: sll,
  short: FAULT.SLL_SHORT,
  vectors: [
    {
      from: 'a packet sent by us, tcpdump -i any',
      octets: '0004 0001 0006 02000000000a 0000 0800',
      fields: {
        packetType: 4,
        hardwareType: 1,
        addressLength: 6,
        address: 0x02000000000a,
        padding: 0,
        protocol: 0x0800,
      },
    },
  ],
  positions: [sll.payloadStart],
  others: [sll.etherType],
});
sllTest.run();

const sll2Test = suite('wire/sll2');
testHeader(sll2Test, {
  file: 'sll2',
  header: sll2,
  short: FAULT.SLL2_SHORT,
  vectors: [
    {
      from: 'a packet sent by us, tcpdump -i any -y LINUX_SLL2',
      octets: '0800 0000 00000002 0001 04 06 02000000000a 0000',
      fields: {
        protocol: 0x0800,
        reserved: 0,
        interfaceIndex: 2,
        hardwareType: 1,
        packetType: 4,
        addressLength: 6,
        address: 0x02000000000a,
        padding: 0,
      },
    },
  ],
  positions: [sll2.payloadStart],
  others: [sll2.etherType],
});
sll2Test.run();

const loopbackTest = suite('wire/loopback header');
testHeader(loopbackTest, {
  file: 'loopback',
  header: loopback,
  short: FAULT.LOOPBACK_SHORT,
  vectors: [{ from: 'AF_INET in network order, LINKTYPE_LOOP', octets: '00000002', fields: { family: 2 } }],
  positions: [loopback.payloadStart],
  others: [loopback.etherType],
  canonical: (view) => view.setUint16(0, 0),
});
loopbackTest.run();
