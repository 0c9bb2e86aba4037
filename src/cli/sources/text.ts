/** Sentences about where a cell's place and rules come from. */
import { quote } from '../../foundation/error.ts';
import { describeLease, type Inference, type InferredCell } from '../../foundation/infer.ts';
import type { Cell, Foundation } from '../../foundation/model.ts';
import { formatCidr, formatIpv4 } from '../../wire/address.ts';
import type { RulesFile } from './rules.ts';

/**
 * One sentence: where the rules of `cell` come from and, when the cell itself was inferred from them, what was inferred.
 * `planned` names the files that planned rules come from.
 */
export function describeCell(
  cell: Cell,
  rules: RulesFile | undefined,
  inference: Inference | undefined,
  planned: string,
): string {
  if (rules === undefined) return `${cell.name}: rules planned from ${planned}`;
  const backend = rules.backendKnown ? rules.backend : `taken for ${rules.backend}, since the file does not say`;
  const read = `${cell.name}: rules read from ${rules.file} (${backend})`;
  const inferred = inference?.cells.find(({ name }) => name === cell.name);
  return inferred === undefined ? read : `${read}; inferred from them: ${describePlace(inferred)}`;
}

function describePlace({ underlay, lease, containers }: InferredCell): string {
  const place = underlay === null ? [] : [`underlay address ${formatIpv4(underlay.value)}`];
  if (lease !== null) place.push(`lease ${describeLease(lease)}`);
  place.push(containers.length === 1 ? '1 container' : `${containers.length} containers`);
  return place.join(', ');
}

const example = (name: string, lease: string): string =>
  `{ tagplane: 1, cells: [{ name: ${quote(name)}, underlay: ADDRESS, lease: ${lease} }] }`;

/** A cell that is emulated without a known underlay address. */
export const missingUnderlay = ({ name, lease }: Cell): string =>
  `${name}: its underlay address is in none of its rules (no container has a host port), so no frame on the underlay is ` +
  `taken for its own; give a foundation file such as ${example(name, formatCidr(lease))}`;

/** The cells whose rules were read but whose place nothing says. */
export const leftOut = (foundation: Foundation, { cells }: Inference): string[] =>
  cells
    .filter(({ name }) => !foundation.cells.some((cell) => cell.name === name))
    .map(
      ({ name }) =>
        `${name}: left out, because its rules name no container and so neither its lease nor its address; ` +
        `give a foundation file such as ${example(name, 'BLOCK')}`,
    );

/** A list of names, cut when it gets long. */
export const listed = (names: readonly string[]): string =>
  names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
