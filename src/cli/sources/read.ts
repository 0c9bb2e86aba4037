/** Reading the files that the shared options name, as far as parsing them one by one. */
import type { Item } from '../../foundation/item.ts';
import type { Artefact } from '../../foundation/join.ts';
import { UsageError } from '../exit.ts';
import { nameOfFile, type ReadText } from '../files.ts';
import type { SourceOptions } from './options.ts';

/** `CELL=FILE`; a file name may hold another `=`. */
export function splitCellFile(option: string, value: string): { readonly cell: string; readonly file: string } {
  const at = value.indexOf('=');
  const [cell, file] = [value.slice(0, at), value.slice(at + 1)];
  if (at > 0 && file !== '') return { cell, file };
  const example = at > 0 ? `${cell}=FILE` : `cell-a=${file}`;
  throw new UsageError(`${option} ${value}: expected CELL=FILE, the name of a cell and its file: ${option} ${example}`);
}

/** What joins into a foundation, but for rules. */
export interface Given {
  readonly foundation?: Item;
  readonly policies: readonly Artefact[];
  readonly tags: readonly Artefact[];
  readonly securityGroups: readonly Artefact[];
  readonly stores: readonly (Artefact & { readonly cell: string })[];
}

/** One after the other, so that of two bad files it is always the same one that is told. */
export async function inTurn<T, U>(list: readonly T[] | undefined, read: (one: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const one of list ?? []) results.push(await read(one));
  return results;
}

/** Read everything but rules. Throws InputError and FoundationError. */
export async function readGiven(options: SourceOptions, readText: ReadText): Promise<Given> {
  const read = async (file: string): Promise<Artefact> => ({ text: await readText(file), file: nameOfFile(file) });
  const stores = (options.store ?? []).map((one) => splitCellFile('--store', one));
  return {
    ...(options.foundation === undefined ? {} : { foundation: await readItem(options.foundation, readText) }),
    policies: await inTurn(options.policies, read),
    tags: await inTurn(options.tags, read),
    securityGroups: await inTurn(options.asgs, read),
    stores: await inTurn(stores, async ({ cell, file }) => ({ ...(await read(file)), cell })),
  };
}

/** The YAML parser is loaded only where there is something for it. */
export async function readItem(file: string, readText: ReadText): Promise<Item> {
  const text = await readText(file);
  const { parseItem } = await import('../../foundation/read.ts');
  return parseItem(text, nameOfFile(file));
}

/** Names of the cells that a foundation file lists; what is wrong with it, its reader says. */
export function cellNames(foundation: Item | undefined): string[] {
  const cells = foundation?.kind === 'object' ? foundation.entries.get('cells') : undefined;
  if (cells?.kind !== 'array') return [];
  return cells.items.flatMap((cell) => {
    const name = cell.kind === 'object' ? cell.entries.get('name') : undefined;
    return name?.kind === 'text' ? [name.value] : [];
  });
}
