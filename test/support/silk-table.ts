/** The filter table of a Diego cell as silk and the policy agent write it (logging on), at any size. */
import type { Chain, Match, Rule, Table, Target } from '../../src/rules/model.ts';

export interface SilkSize {
  readonly containers: number;
  readonly policies: number;
}

const CONTAINER_NETWORK = 0x0aff0200;
export const containerAddress = (container: number): number => CONTAINER_NETWORK + 2 + container;

const host = (address: number) => ({ address, mask: 0xffffffff, negated: false });
const named = (name: string) => ({ name, negated: false });
const protocol = (number: number) => ({ number, negated: false });
const port = (kind: 'tcp' | 'udp', low: number, high = low): Match => ({
  kind,
  destinationPorts: { low, high, negated: false },
});
const marked = (value: number, negated = false): Match => ({ kind: 'mark', value, mask: 0xffffffff, negated });
const ESTABLISHED: Match = { kind: 'state', states: 6, negated: false };
const NEW: Match = { kind: 'conntrack', states: 73, negated: false };
const limit = (count: number, burst: number): Match => ({ kind: 'limit', rate: { count, per: 'sec' }, burst });
const REJECT: Target = { kind: 'REJECT', with: 'icmp-port-unreachable' };
const ACCEPT: Target = { kind: 'ACCEPT' };
const log = (prefix: string): Target => ({
  kind: 'LOG',
  level: 4,
  prefix,
  tcpSequence: false,
  tcpOptions: false,
  ipOptions: false,
  uid: false,
  macdecode: false,
});
const rule = (ip: Rule['ip'], matches: readonly Match[], target: Target): Rule => ({
  ip,
  matches,
  target,
  counters: null,
  line: 0,
});
const jump = (ip: Rule['ip'], chain: string): Rule => rule(ip, [], { kind: 'jump', chain });
const chain = (name: string, rules: readonly Rule[]): Chain => ({ name, policy: null, counters: null, rules });

/** Policy number `index`: destination container, tag of the source app and ports. */
export const policyOf = (index: number, { containers }: SilkSize) => ({
  destination: containerAddress(index % containers),
  tag: 1 + (Math.imul(index, 0x9e3779b1) >>> 17),
  low: 8000 + (index % 7) * 10,
  high: 8000 + (index % 7) * 10 + (index % 3) * 4,
});

function policyChain(size: SilkSize): Chain {
  const rules: Rule[] = [];
  for (let container = 0; container < size.containers; container += 1) {
    const target: Target = { kind: 'MARK', value: container + 1, mask: 0xffffffff };
    rules.push(rule({ source: host(containerAddress(container)) }, [{ kind: 'comment', text: 'src:guid' }], target));
  }
  for (let index = 0; index < size.policies; index += 1) {
    const { destination, tag, low, high } = policyOf(index, size);
    const matches = [port('tcp', low, high), marked(tag)];
    rules.push(rule({ destination: host(destination), protocol: protocol(6) }, matches, ACCEPT));
  }
  return chain('vpa--1795375409544020', rules);
}

function containerChains(address: number, handle: string): Chain[] {
  const open = { low: 0x0b000000, high: 0xa9fdffff, negated: false };
  return [
    chain(`netout--${handle}`, [jump({}, `asg-${handle}`), rule({}, [], REJECT)]),
    chain(`asg-${handle}`, [
      rule({}, [ESTABLISHED], ACCEPT),
      rule({ protocol: protocol(6) }, [{ kind: 'state', states: 1, negated: false }], { kind: 'DROP' }),
      rule({}, [{ kind: 'iprange', destination: open }], { kind: 'goto', chain: `log-${handle}` }),
      rule({}, [limit(1, 1)], log(`DENY_${handle} `)),
      rule({}, [], REJECT),
    ]),
    chain(`log-${handle}`, [
      rule({ protocol: { number: 17, negated: true } }, [NEW], log(`OK_${handle} `)),
      rule({ protocol: protocol(17) }, [limit(100, 100)], log(`OK_${handle} `)),
      rule({}, [], ACCEPT),
    ]),
    chain(`overlay--${handle}`, [
      rule({ source: host(address), outInterface: named('silk-vtep') }, [marked(0, true)], ACCEPT),
      rule({ destination: host(address) }, [ESTABLISHED], ACCEPT),
      rule({ destination: host(address) }, [marked(0xffff0000)], ACCEPT),
      rule({ destination: host(address) }, [limit(1, 1)], log(`DENY_C2C_${handle} `)),
      rule({ destination: host(address) }, [], REJECT),
    ]),
  ];
}

export function silkTable(size: SilkSize): Table {
  const forward: Rule[] = [jump({}, 'vpa--1795375409544020')];
  const chains: Chain[] = [policyChain(size)];
  for (let container = 0; container < size.containers; container += 1) {
    const address = containerAddress(container);
    const handle = `h${container}`;
    forward.push(jump({ source: host(address), outInterface: named('eth0') }, `netout--${handle}`));
    forward.push(jump({}, `overlay--${handle}`));
    chains.push(...containerChains(address, handle));
  }
  const builtIn = (name: string, rules: readonly Rule[]): Chain => ({ name, policy: 'ACCEPT', counters: null, rules });
  return { name: 'filter', chains: [builtIn('INPUT', []), builtIn('FORWARD', forward), ...chains] };
}
