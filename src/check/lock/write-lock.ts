import { neutralJson, OperationError } from '../../base/index.ts';
import { type ContextOptions, openContext } from '../start.ts';
import { toolList } from '../tools.ts';
import { lockOf } from './lock.ts';

/** The tools as they are now, for the next check to compare with. @returns the text of the file */
export async function writeLock(options: ContextOptions): Promise<string> {
  const list = await toolList(await openContext(options, new Map()));
  if (list === null)
    throw new OperationError('nobody gets a list of tools', { hint: 'give a token, such as by --login' });
  return `${neutralJson(JSON.stringify(lockOf(options.target.href, list.tools), null, 2))}\n`;
}
