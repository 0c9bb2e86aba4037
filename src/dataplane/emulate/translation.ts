/**
 * The mangle and nat tables of silk's cells: host ports that lead to containers and are marked, containers that leave the
 * overlay by their cell's address. Connections are tracked by `nat/`, which knows both of their faces.
 */
import { compile } from '../../rules/compile.ts';
import type { Evaluator } from '../../rules/evaluator.ts';
import type { TableName } from '../../rules/model.ts';
import { createOutcome, type Outcome, RULE_VERDICT, type RulePacket } from '../../rules/packet.ts';
import { tableOf } from '../../rules/table.ts';
import { FAULT } from '../../wire/fault.ts';
import * as icmp from '../../wire/icmp.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as quotes from '../../wire/quote.ts';
import type { Stack } from '../../wire/stack.ts';
import type { Cell } from '../cell.ts';
import * as conntrack from '../conntrack.ts';
import type { Dataplane } from '../dataplane.ts';
import { type InterfaceAddresses, silkAddresses } from '../nat/addresses.ts';
import type { PortChoice } from '../nat/binding.ts';
import * as connections from '../nat/connections.ts';
import { TRANSLATED } from '../nat/translate.ts';
import { ctstateBits, HOOK } from '../nat/tuples.ts';
import { type CellNat, createNatTable, pass } from '../nat/walk.ts';
import type { CellRules } from '../setup.ts';
import { attach, isOutrun, relate, show } from '../track-windows.ts';
import type { Frame } from './frame.ts';
import { keep } from './logged.ts';
import type { Translation } from './seams.ts';

/** A table's chains by name, as `evaluate` numbers them. */
interface Mangle {
  readonly evaluator: Evaluator;
  readonly chains: ReadonlyMap<string, number>;
  readonly outcome: Outcome;
}

const evaluatorOf = (dataplane: Dataplane, rules: CellRules | undefined, name: TableName): Evaluator | undefined => {
  const table = rules === undefined ? undefined : tableOf(rules.ruleset, name);
  return table === undefined ? undefined : compile(table, dataplane.interfaces, { backend: rules!.backend });
};

function createMangle(dataplane: Dataplane, rules: CellRules | undefined): Mangle | undefined {
  const evaluator = evaluatorOf(dataplane, rules, 'mangle');
  if (evaluator === undefined) return undefined;
  const chains = [...evaluator.rules.chains.values()].filter(({ policy }) => policy !== null);
  return {
    evaluator,
    chains: new Map(chains.map(({ name }) => [name, evaluator.prepare(name)])),
    outcome: createOutcome(),
  };
}

const addressesOf = ({ interfaces }: Dataplane, cell: Cell): InterfaceAddresses =>
  silkAddresses(interfaces.size, cell.underlayInterface, cell.underlay, cell.vtepInterface, cell.vtepAddress);

/** Translation by the tables in `rules`, which has an entry for every cell, by name. */
export function createTranslation(
  dataplane: Dataplane,
  rules: ReadonlyMap<string, CellRules>,
  choice: PortChoice,
): Translation {
  const tracking = connections.create(dataplane.connections, {
    allows: (slot) => isOutrun(dataplane.connections, slot),
  });
  const mangles = dataplane.cells.map(({ name }) => createMangle(dataplane, rules.get(name)));
  const nats = dataplane.cells.map((cell): CellNat | undefined => {
    const evaluator = evaluatorOf(dataplane, rules.get(cell.name), 'nat');
    if (evaluator === undefined) return undefined;
    const table = createNatTable(evaluator);
    const outcome = createOutcome();
    const walked = (): void => keep(dataplane, cell.index, evaluator.rules, outcome, translated!);
    return { tracking, table, addresses: addressesOf(dataplane, cell), choice, outcome, walked };
  });
  /** The frame that goes through a nat table. */
  let translated: Frame | null = null;

  function mangle(cell: number, chain: string, packet: RulePacket, frame: Frame): boolean {
    const one = mangles[cell];
    const number = one?.chains.get(chain);
    if (one === undefined || number === undefined) return true;
    one.evaluator.evaluate(number, packet, one.outcome);
    keep(dataplane, cell, one.evaluator.rules, one.outcome, frame);
    packet.mark = one.outcome.mark;
    return one.outcome.verdict === RULE_VERDICT.ACCEPT;
  }

  function translate(cell: number, hook: number, packet: RulePacket, frame: Frame): boolean {
    const nat = nats[cell];
    if (nat === undefined) return true;
    translated = frame;
    return pass(nat, hook, packet, frame.view, frame.network, frame.end, frame.partial === 1) !== TRANSLATED.DROPPED;
  }

  return {
    track(cell, view, stack) {
      const { packet } = dataplane;
      track(dataplane, tracking, cell, view, stack);
      packet.ctstate = tracking.table.ctstate | ctstateBits(tracking.connection.status);
      packet.connectionMark = conntrack.connectionMark(tracking.table);
    },
    invalidate: () => connections.invalid(tracking),
    attach() {
      attach(tracking.table);
      tracking.opening = false;
    },
    relate() {
      relate(tracking.table);
      tracking.opening = false;
      tracking.related = true;
    },
    isOpening: () => tracking.opening,
    confirm: () => connections.confirm(tracking),
    prerouting: (cell, packet, frame) =>
      mangle(cell, 'PREROUTING', packet, frame) && translate(cell, HOOK.PREROUTING, packet, frame),
    input: (cell, packet, frame) => mangle(cell, 'INPUT', packet, frame),
    delivering: (cell, packet, frame) => translate(cell, HOOK.INPUT, packet, frame),
    forward: (cell, packet, frame) => mangle(cell, 'FORWARD', packet, frame),
    output: (cell, packet, frame) =>
      mangle(cell, 'OUTPUT', packet, frame) && frame.barred === 0 && translate(cell, HOOK.OUTPUT, packet, frame),
    postrouting: (cell, packet, frame) =>
      mangle(cell, 'POSTROUTING', packet, frame) && translate(cell, HOOK.POSTROUTING, packet, frame),
    tables: (cell) =>
      [mangles[cell]?.evaluator, nats[cell]?.table.evaluator].filter((evaluator) => evaluator !== undefined),
  };
}

/** `trackPacket` with NAT: errors belong to the connection of what they quote, refused headers to none. */
function track(dataplane: Dataplane, tracking: connections.Tracking, cell: Cell, view: DataView, stack: Stack): void {
  const { packet, quote } = dataplane;
  tracking.table.now = packet.time;
  if (stack.transport < 0 && stack.fault !== FAULT.NONE) {
    connections.invalid(tracking);
  } else if (packet.protocol === PROTOCOL.ICMP && icmp.isError(packet.icmpType)) {
    quotes.locate(view, stack, quote);
    if (quote.valid === 0) connections.invalid(tracking);
    else connections.trackError(tracking, cell.index, quote, packet.destination);
  } else {
    show(tracking.table, packet, view, stack);
    connections.track(tracking, cell.index, packet);
  }
}
