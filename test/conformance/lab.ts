/**
 * A silk foundation on the real kernel: network namespaces for cells and containers, VXLAN with group policy between
 * them, and the iptables rules that silk and the policy agent write. A `Foundation` describes it; the kernel does the rest.
 *
 *     await withLab(foundation, options, async (lab) => { ... });
 *
 * Needs root. Everything it makes carries a prefix of its own and is removed when `body` ends, throws, or the process is
 * interrupted.
 */
import type { Cell, Foundation } from '../../src/foundation/model.ts';
import {
  allNamespaces,
  buildNetwork,
  type Namespaces,
  type NetworkOptions,
  namesFor,
  removeNetwork,
} from './lab-network.ts';
import { cellRules } from './lab-rules.ts';
import { type Background, type Outcome, obstacle, type RunOptions, runIn, start, stop, waitFor } from './lab-shell.ts';
import { startTaps, stopTaps, type Tap } from './lab-taps.ts';

export interface LabOptions extends NetworkOptions {
  readonly backend: 'nft' | 'legacy';
  /** The 16 digits in the name of the policy agent's chain: microseconds since 1970. */
  readonly vpaTimestamp: string;
  /** Documents for iptables-restore in the place of those that silk and the agent would write. */
  readonly rules?: (foundation: Foundation, cell: Cell) => readonly string[];
}

export const DEFAULT_LAB: LabOptions = {
  backend: 'nft',
  offload: false,
  underlayMtu: 1500,
  vpaTimestamp: '1767225600000000',
};

export interface Lab {
  readonly foundation: Foundation;
  readonly options: LabOptions;
  readonly namespaces: Namespaces;
  /** Run a program to its end inside the container of `app/index`. */
  readonly inContainer: (name: string, program: string, args: readonly string[], options?: RunOptions) => Outcome;
  /** Run a program to its end on a cell. */
  readonly onCell: (name: string, program: string, args: readonly string[], options?: RunOptions) => Outcome;
  /** Start a program inside a container; it is ended with the lab. */
  readonly serve: (name: string, program: string, args: readonly string[], directory?: string) => Background;
  /** Wait until something listens on `port` inside a container. */
  readonly listening: (name: string, protocol: 'tcp' | 'udp', port: number) => Promise<void>;
  /** Capture on `taps` while `body` runs. */
  readonly capture: (taps: readonly Tap[], body: () => Promise<void>) => Promise<void>;
}

const PROGRAMS = ['ip', 'bridge', 'sysctl', 'ethtool', 'ss', 'tcpdump', 'dumpcap'];

/** The program that holds all of iptables for one backend; called through it, they have their usual names. */
const multi = (backend: LabOptions['backend']): string => `xtables-${backend}-multi`;

/** What `iptables`, `iptables-save` or another of its programs prints on a cell. */
export const iptablesIn = (lab: Lab, cell: string, program: string, args: readonly string[]): string =>
  lab.onCell(cell, multi(lab.options.backend), [program, ...args]).stdout;

/** Why no lab can be built here, or undefined. `programs` are needed beside the lab's own. */
export const labObstacle = (backend: LabOptions['backend'], programs: readonly string[] = []): Error | undefined =>
  obstacle([...PROGRAMS, multi(backend), ...programs]);

/** Build the lab, run `body` in it and take it down again. */
export async function withLab<T>(
  foundation: Foundation,
  options: LabOptions,
  body: (lab: Lab) => Promise<T>,
): Promise<T> {
  const problem = labObstacle(options.backend);
  if (problem !== undefined) throw problem;
  const namespaces = namesFor(`tagplane-${process.pid}`, foundation);
  const running: Background[] = [];
  const takeDown = (): void => {
    for (const { child } of running) child.kill('SIGKILL');
    removeNetwork(namespaces);
  };
  const interrupted = (signal: NodeJS.Signals): void => process.exit(signal === 'SIGINT' ? 130 : 143);
  process.once('exit', takeDown);
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    buildNetwork(foundation, namespaces, options);
    for (const cell of foundation.cells) applyRules(foundation, cell, namespaces, options);
    return await body(createLab(foundation, options, namespaces, running));
  } finally {
    process.off('exit', takeDown);
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await Promise.all(running.map((one) => stop(one, 'SIGKILL')));
    takeDown();
  }
}

function applyRules(foundation: Foundation, cell: Cell, namespaces: Namespaces, options: LabOptions): void {
  const namespace = namespaces.cells.get(cell.name)!;
  const documents = options.rules?.(foundation, cell) ?? cellRules(foundation, cell, options.vpaTimestamp);
  for (const input of documents) {
    runIn(namespace, multi(options.backend), ['iptables-restore', '--noflush'], { input });
  }
}

function createLab(foundation: Foundation, options: LabOptions, namespaces: Namespaces, running: Background[]): Lab {
  const container = (name: string): string => namespaces.containers.get(name) ?? unknown(name, namespaces);
  const cell = (name: string): string => namespaces.cells.get(name) ?? unknown(name, namespaces);
  return {
    foundation,
    options,
    namespaces,
    inContainer: (name, program, args, runOptions) => runIn(container(name), program, args, runOptions),
    onCell: (name, program, args, runOptions) => runIn(cell(name), program, args, runOptions),
    serve(name, program, args, directory) {
      const background = start(container(name), program, args, directory);
      running.push(background);
      return background;
    },
    async listening(name, protocol, port) {
      const query = ['-H', protocol === 'tcp' ? '-ltn' : '-lun', `sport = :${port}`];
      await waitFor(
        `${name} to listen on ${protocol} ${port}`,
        () => runIn(container(name), 'ss', query).stdout !== '',
      );
    },
    async capture(taps, body) {
      const captures = await startTaps(taps, (one) => running.push(one));
      await body();
      await stopTaps(captures);
    },
  };
}

function unknown(name: string, namespaces: Namespaces): never {
  throw new RangeError(`no ${name} in this lab; there are ${allNamespaces(namespaces).join(', ')}`);
}
