/** Plans against the kernel: dumps of cells that the lab built, and rules loaded into a network namespace here. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { plan } from '../../src/foundation/plan.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { shared, sharedTest, skip } from '../support/shared.ts';
import { edited, refused } from './example.ts';
import { dumpLines, saveText } from './save-text.ts';

const test = suite('foundation/plan');

/** The lab's two cells (its silk-rules.py), in the words of a foundation file. */
const lab = (logging: boolean): string => `
tagplane: 1
cells:
  - { name: cellA, underlay: 10.0.0.101, lease: 10.255.1.0/24 }
  - { name: cellB, underlay: 10.0.0.102, lease: 10.255.2.0/24 }
apps:
  - name: source-app
    guid: 6b817f74-0000-4000-8000-7fe5290ffb61
    instances: [{ cell: cellA, ip: 10.255.1.4, handle: 5a1f0c11-1111-4a4a-5b5b-0001, ports: ["61000:8080"] }]
  - name: other-app
    guid: other
    instances: [{ cell: cellA, ip: 10.255.1.5, handle: a2c4d033-3333-4e4e-5f5f-0005, ports: ["61001:8080"] }]
  - name: dest-app
    guid: 20e39f68-0000-4000-8000-d432d5716f29
    instances:
      - { cell: cellB, ip: 10.255.2.7, handle: d2b7e022-2222-4c4c-5d5d-0007, ports: ["61000:61001", "61001:61002"] }
policies:
  - { source: source-app, destination: dest-app, protocol: tcp, ports: 61443 }
  - { source: source-app, destination: dest-app, protocol: tcp, ports: 8080 }
security_groups:
  - { name: public, running_default: true, rules: [{ protocol: all, destination: 11.0.0.0-169.253.255.255 }] }
properties: { iptables_logging: ${logging} }
`;

/**
 * The lab wrote its two policies in the order of its script; the agent sorts them, and as text port 61443 comes before
 * 8080. So the lines of the vpa-- chain are compared as a set here, and their order in a test of its own.
 */
const policiesSorted = (lines: readonly string[]): string[] => [
  ...lines.filter((line) => !line.startsWith('-A vpa--')),
  ...lines.filter((line) => line.startsWith('-A vpa--')).sort(),
];

for (const cell of ['cellA', 'cellB']) {
  for (const kind of ['nft', 'logging']) {
    const file = `lab/dumps/${cell}.iptables-save.${kind}.txt`;
    sharedTest(test, file, `${cell}, ${kind}: every line of the dump`, () => {
      const dump = readFileSync(shared(file), 'utf8');
      const time = Number(/:vpa--(\d{16}) /.exec(dump)?.[1]);
      const foundation = readFoundation(lab(kind === 'logging'), 'lab.yml');
      const planned = saveText(plan(foundation, cell, { policyChainMicroseconds: time }));
      assert.equal(policiesSorted(planned), policiesSorted(dumpLines(dump)));
    });
  }
}

/** Every setting that changes rules, on one cell. */
const EVERYTHING = `
tagplane: 1
cells: [{ name: c, underlay: 10.0.0.1, lease: 10.255.1.0/24, interfaces: [eth0, eth1] }]
apps:
  - { name: web, guid: web, space: dev, instances: [{ cell: c, ip: 10.255.1.4, handle: web-handle, ports: ["61000:8080"] }] }
  - { name: api, guid: api, space: dev, instances: [{ cell: c, ip: 10.255.1.10, handle: api-handle, workload: staging, application_ports: [8080, 9] }] }
policies:
  - { source: api, destination: web, protocol: udp, ports: 9 }
  - { source: web, destination: api, protocol: tcp, ports: 8080-8090 }
  - { source: api, destination: web, protocol: tcp, ports: 10000 }
  - { source: api, destination: web, protocol: tcp, ports: 10000 }
security_groups:
  - { name: default, running_default: true, rules: [
      { protocol: tcp, destination: "1.1.1.1,2.0.0.0/8", ports: "80,8000-8100" },
      { protocol: icmp, destination: 3.0.0.0/8, type: -1, code: -1 },
      { protocol: icmp, destination: 3.0.0.0/8, type: 8, code: 0 },
      { protocol: all, destination: 4.0.0.1-4.0.0.9, log: true },
      { protocol: tcp, destination: 1.1.1.1, ports: 80 },
      { protocol: tcp, destination: "2001:db8::/32", ports: 80 }] }
  - { name: dev, running_space_guids: [dev], rules: [{ protocol: udp, destination: 5.5.5.5, ports: 53 }] }
  - { name: build, staging_default: true, rules: [{ protocol: all, destination: 0.0.0.0/0 }] }
properties:
  iptables_denied_logs_per_sec: 7
  iptables_accepted_udp_logs_per_sec: 150
  dns_servers: [169.254.0.2, 8.8.8.8]
  host_tcp_services: ["169.254.0.3:9001"]
  host_udp_services: ["169.254.0.3:9002"]
  deny_networks: { always: [192.0.2.0/24, 198.51.100.0/24], running: [203.0.113.0/25, 203.0.113.128/25], staging: [100.64.0.0/10] }
  outbound_connections: { limit: true, logging: true }
  enable_overlay_ingress_rules: true
  masquerade: lease
`;

/** The rules that silk's Go code writes for EVERYTHING, as it spells them (lib/rules/rules.go), in final order. */
const EVERYTHING_SPELT_BY_SILK = `
*filter
-A INPUT -s 10.255.1.4 --jump input--web-handle
-A INPUT -s 10.255.1.10 --jump input--api-handle
-A FORWARD -j vpa--1600000000000000
-A FORWARD -s 10.255.1.4 -o eth0 --jump netout--web-handle
-A FORWARD -s 10.255.1.4 -o eth1 --jump netout--web-handle
-A FORWARD --jump overlay--web-handle
-A FORWARD -s 10.255.1.10 -o eth0 --jump netout--api-handle
-A FORWARD -s 10.255.1.10 -o eth1 --jump netout--api-handle
-A FORWARD --jump overlay--api-handle
-A asg-apihandle -m state --state RELATED,ESTABLISHED -j ACCEPT
-A asg-apihandle -p tcp -m state --state INVALID -j DROP
-A asg-apihandle -p tcp -m conntrack --ctstate NEW -m hashlimit --hashlimit-above 100/sec --hashlimit-burst 1000 --hashlimit-mode dstip,dstport --hashlimit-name api-handle --hashlimit-htable-expire 10000 -j netout--api-handle--rl-log
-A asg-apihandle -d 100.64.0.0/10 --jump REJECT --reject-with icmp-port-unreachable
-A asg-apihandle -d 198.51.100.0/24 --jump REJECT --reject-with icmp-port-unreachable
-A asg-apihandle -d 192.0.2.0/24 --jump REJECT --reject-with icmp-port-unreachable
-A asg-apihandle -m iprange --dst-range 0.0.0.0-255.255.255.255 --jump ACCEPT
-A asg-apihandle --jump REJECT --reject-with icmp-port-unreachable
-A asg-webhandle -m state --state RELATED,ESTABLISHED -j ACCEPT
-A asg-webhandle -p tcp -m state --state INVALID -j DROP
-A asg-webhandle -p tcp -m conntrack --ctstate NEW -m hashlimit --hashlimit-above 100/sec --hashlimit-burst 1000 --hashlimit-mode dstip,dstport --hashlimit-name web-handle --hashlimit-htable-expire 10000 -j netout--web-handle--rl-log
-A asg-webhandle -d 203.0.113.128/25 --jump REJECT --reject-with icmp-port-unreachable
-A asg-webhandle -d 203.0.113.0/25 --jump REJECT --reject-with icmp-port-unreachable
-A asg-webhandle -d 198.51.100.0/24 --jump REJECT --reject-with icmp-port-unreachable
-A asg-webhandle -d 192.0.2.0/24 --jump REJECT --reject-with icmp-port-unreachable
-A asg-webhandle -m iprange -p udp --dst-range 5.5.5.5-5.5.5.5 -m udp --destination-port 53:53 --jump ACCEPT
-A asg-webhandle -m iprange --dst-range 4.0.0.1-4.0.0.9 -g netout--web-handle--log
-A asg-webhandle -m iprange -p icmp --dst-range 3.0.0.0-3.255.255.255 -m icmp --icmp-type 8/0 --jump ACCEPT
-A asg-webhandle -m iprange -p icmp --dst-range 3.0.0.0-3.255.255.255 -m icmp --icmp-type 255/255 --jump ACCEPT
-A asg-webhandle -m iprange -p tcp --dst-range 2.0.0.0-2.255.255.255 -m tcp --destination-port 8000:8100 --jump ACCEPT
-A asg-webhandle -m iprange -p tcp --dst-range 2.0.0.0-2.255.255.255 -m tcp --destination-port 80:80 --jump ACCEPT
-A asg-webhandle -m iprange -p tcp --dst-range 1.1.1.1-1.1.1.1 -m tcp --destination-port 8000:8100 --jump ACCEPT
-A asg-webhandle -m iprange -p tcp --dst-range 1.1.1.1-1.1.1.1 -m tcp --destination-port 80:80 --jump ACCEPT
-A asg-webhandle --jump REJECT --reject-with icmp-port-unreachable
INPUT_CHAINS
-A netout--HANDLE--log ! -p udp -m conntrack --ctstate INVALID,NEW,UNTRACKED -j LOG --log-prefix "OK_HANDLE "
-A netout--HANDLE--log -p udp -m limit --limit 150/s --limit-burst 150 -j LOG --log-prefix "OK_HANDLE "
-A netout--HANDLE--log --jump ACCEPT
-A netout--HANDLE -j asg-SHORT
-A netout--HANDLE --jump REJECT --reject-with icmp-port-unreachable
-A netout--CUT--rl-log -m limit --limit 7/s --limit-burst 7 --jump LOG --log-prefix "DENY_ORL_HANDLE "
-A netout--CUT--rl-log --jump REJECT --reject-with icmp-port-unreachable
-A overlay--HANDLE -s ADDRESS -o silk-vtep -m mark ! --mark 0x0 --jump ACCEPT
-A overlay--HANDLE -d ADDRESS -m state --state RELATED,ESTABLISHED --jump ACCEPT
-A overlay--HANDLE -d ADDRESS -m mark --mark 0xffff0000 --jump ACCEPT
-A overlay--HANDLE -d ADDRESS --jump REJECT --reject-with icmp-port-unreachable
-A input--HANDLE -m state --state RELATED,ESTABLISHED --jump ACCEPT
-A input--HANDLE -p tcp -d 169.254.0.2 --destination-port 53 --jump ACCEPT
-A input--HANDLE -p udp -d 169.254.0.2 --destination-port 53 --jump ACCEPT
-A input--HANDLE -p tcp -d 169.254.0.3 --destination-port 9001 --jump ACCEPT
-A input--HANDLE -p udp -d 169.254.0.3 --destination-port 9002 --jump ACCEPT
-A input--HANDLE --jump REJECT --reject-with icmp-port-unreachable
END
-A vpa--1600000000000000 --source 10.255.1.10 --jump MARK --set-xmark 0x0001 -m comment --comment src:api
-A vpa--1600000000000000 --source 10.255.1.4 --jump MARK --set-xmark 0x0002 -m comment --comment src:web
-A vpa--1600000000000000 -d 10.255.1.10 -p tcp --dport 8080:8090 -m mark --mark 0x0002 --jump ACCEPT -m comment --comment src:web_dst:api
-A vpa--1600000000000000 -d 10.255.1.4 -p tcp --dport 10000:10000 -m mark --mark 0x0001 --jump ACCEPT -m comment --comment src:api_dst:web
-A vpa--1600000000000000 -d 10.255.1.4 -p udp --dport 9:9 -m mark --mark 0x0001 --jump ACCEPT -m comment --comment src:api_dst:web
-A vpa--1600000000000000 -d 10.255.1.10 -p tcp -m tcp --dport 8080 -m mark --mark 0x0003 --jump ACCEPT
-A vpa--1600000000000000 -d 10.255.1.10 -p tcp -m tcp --dport 9 -m mark --mark 0x0003 --jump ACCEPT
COMMIT
*mangle
-A PREROUTING --jump netin--web-handle
-A PREROUTING --jump netin--api-handle
-A netin--web-handle -i eth0 -d 10.0.0.1 -p tcp -m tcp --dport 61000 --jump MARK --set-mark 0xffff0000
-A netin--web-handle -i eth1 -d 10.0.0.1 -p tcp -m tcp --dport 61000 --jump MARK --set-mark 0xffff0000
COMMIT
*nat
-A PREROUTING --jump netin--web-handle
-A PREROUTING --jump netin--api-handle
-A POSTROUTING --source 10.255.1.4 ! -o silk-vtep ! --destination 10.255.1.0/24 --jump MASQUERADE
-A POSTROUTING --source 10.255.1.10 ! -o silk-vtep ! --destination 10.255.1.0/24 --jump MASQUERADE
-A netin--web-handle -d 10.0.0.1 -p tcp -m tcp --dport 61000 --jump DNAT --to-destination 10.255.1.4:8080
COMMIT
`;

/** Write out the part that both containers share, and declare every chain before it is used. */
function spelt(): string {
  const text = EVERYTHING_SPELT_BY_SILK.replace(/INPUT_CHAINS\n([\s\S]*?)END\n/, (_, shared: string) =>
    [
      ['api-handle', '10.255.1.10'],
      ['web-handle', '10.255.1.4'],
    ]
      .map(([handle, address]) =>
        shared
          .replaceAll('CUT', handle!.slice(0, 12))
          .replaceAll('SHORT', handle!.replace('-', ''))
          .replaceAll('HANDLE', handle!)
          .replaceAll('ADDRESS', address!),
      )
      .join(''),
  );
  return text.replace(/\*(\w+)\n([\s\S]*?)COMMIT/g, (_, table: string, rules: string) => {
    const names = new Set([...rules.matchAll(/^-A (\S+)/gm)].map((found) => found[1]!));
    if (table !== 'filter') names.add('netin--api-handle');
    const own = [...names].filter((name) => /[a-z]/.test(name)).map((name) => `:${name} - [0:0]\n`);
    return `*${table}\n${own.join('')}${rules}COMMIT`;
  });
}

type Backend = 'iptables-nft' | 'iptables-legacy';

/** Load `rules` into a network namespace that ends with the call, and read back what the kernel holds. */
function throughKernel(backend: Backend, rules: string): string {
  const save = ['mangle', 'filter', 'nat'].map((table) => `${backend}-save -t ${table}`);
  const script = [`${backend}-restore`, ...save].join(' && ');
  const run = spawnSync('unshare', ['-n', 'sh', '-c', script], { input: rules, encoding: 'utf8' });
  assert.is(run.status, 0, run.stderr);
  return run.stdout;
}

/** Register a test for each of iptables' two backends that works here. */
function kernelTest(name: string, body: (backend: Backend) => void): void {
  for (const backend of ['iptables-nft', 'iptables-legacy'] as const) {
    const works = spawnSync('unshare', ['-n', `${backend}-save`, '-t', 'nat']).status === 0;
    if (works) test(`${name} (${backend})`, () => body(backend));
    else skip(test, `${name} (${backend})`, `needs root and ${backend}`);
  }
}

kernelTest('every setting: the kernel holds the same rules when silk spells them', (backend) => {
  const planned = saveText(plan(readFoundation(EVERYTHING, 'e.yml'), 'c'));
  assert.equal(planned, dumpLines(throughKernel(backend, spelt())));
});

kernelTest('every variant of the settings is taken by iptables and read back unchanged', (backend) => {
  const outbound = '{ limit: true, logging: true }';
  const variants: readonly (readonly [string, string])[] = [
    ['masquerade: lease', 'masquerade: overlay'],
    ['masquerade: lease', 'no_masquerade_cidr_range: 10.0.0.0/8'],
    ['masquerade: lease', 'enable_asg_syncing: false'],
    ['masquerade: lease', 'iptables_logging: true'],
    ['masquerade: lease', 'disable_container_network_policy: true'],
    ['logs_per_sec: 150', 'logs_per_sec: 10000'],
    ['logs_per_sec: 150', 'logs_per_sec: 5001'],
    [outbound, '{ limit: true, burst: 50, rate_per_sec: 60 }'],
    [outbound, '{ limit: true, burst: 1, rate_per_sec: 10000 }'],
    [outbound, '{ limit: true, burst: 10000, rate_per_sec: 1 }'],
    [outbound, '{ dry_run: true, burst: 100 }'],
  ];
  for (const [piece, by] of variants) {
    const planned = saveText(plan(readFoundation(edited(piece, by, EVERYTHING), 'e.yml'), 'c'));
    const text = `${planned.map((line) => line.replace(/^(:.*)$/, '$1 [0:0]')).join('\n')}\n`;
    assert.equal(dumpLines(throughKernel(backend, text)), planned, by);
  }
});

test('static security groups stand in netout-- itself, and no asg- chain is written', () => {
  const text = edited('masquerade: lease', 'enable_asg_syncing: false', EVERYTHING);
  const lines = saveText(plan(readFoundation(text, 'e.yml'), 'c'));
  assert.not.ok(lines.some((line) => line.includes('asg-')));
  assert.ok(lines.includes('-A netout--api-handle -m iprange --dst-range 0.0.0.0-255.255.255.255 -j ACCEPT'));
});

test('the agent logs on its own switch', () => {
  const foundation = readFoundation(EVERYTHING, 'e.yml');
  const logs = (lines: string[]): string[] => lines.filter((line) => line.startsWith('-A vpa') && line.includes('LOG'));
  assert.equal(logs(saveText(plan(foundation, 'c'))), []);
  assert.equal(logs(saveText(plan(foundation, 'c', { policyLogging: true }))), [
    '-A vpa--1600000000000000 -d 10.255.1.10/32 -p tcp -m tcp --dport 8080:8090 -m mark --mark 0x2 -m conntrack --ctstate INVALID,NEW,UNTRACKED -j LOG --log-prefix "OK_0002_api "',
    '-A vpa--1600000000000000 -d 10.255.1.4/32 -p tcp -m tcp --dport 10000 -m mark --mark 0x1 -m conntrack --ctstate INVALID,NEW,UNTRACKED -j LOG --log-prefix "OK_0001_web "',
    '-A vpa--1600000000000000 -d 10.255.1.4/32 -p udp -m udp --dport 9 -m mark --mark 0x1 -m limit --limit 151/sec --limit-burst 150 -j LOG --log-prefix "OK_0001_web "',
  ]);
});

test('the policy agent sorts by JSON text: 10.255.1.10 before 10.255.1.4, port 10000 before 9', () => {
  const lines = saveText(plan(readFoundation(EVERYTHING, 'e.yml'), 'c')).filter((line) => /vpa.*comment/.test(line));
  const order = lines.map((line) => /(?:-s|-d) (\S+)\/32/.exec(line)?.[1]);
  assert.equal(order, ['10.255.1.10', '10.255.1.4', '10.255.1.10', '10.255.1.4', '10.255.1.4']);
  assert.match(lines[3]!, /--dport 10000 /);
  assert.match(lines[4]!, /--dport 9 /);
});

test('an unknown cell is refused with those that are known', () => {
  const error = refused(() => plan(readFoundation(EVERYTHING, 'e.yml'), 'd'));
  assert.is(error.code, 'ERR_FOUNDATION_REFERENCE');
  assert.is(error.message, 'got no cell called "d", expected one of "c"');
});

test.run();
