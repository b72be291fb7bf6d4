import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { type Clock, timestamp } from '../../base/index.ts';
import type { Copied, CopyTarget } from './copy.ts';

export interface FileCopyOptions {
  /** Absolute. */
  readonly file: string;
  /** A file that would grow beyond this is renamed first; null: never for its size. */
  readonly maxBytes: number | null;
  /** A file whose first record here is older than this is renamed first; null: never for its age. */
  readonly maxAgeMs: number | null;
  /** Renamed files to keep, beside the current one; null: all of them. */
  readonly keepFiles: number | null;
  /** `always`: a delivery is on disk before it counts as one. `never`: the system writes when it likes. */
  readonly fsync: 'always' | 'never';
  readonly clock: Clock;
}

/** A symbolic link that somebody put there would let us write elsewhere: O_NOFOLLOW refuses it. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

/** JSON lines, appended. Rotation by rename, ours or another program's: what was moved away is not written to again. */
export function fileCopy(options: FileCopyOptions): CopyTarget {
  let current: OpenFile | null = null;
  const release = async () => {
    const closing = current;
    current = null;
    await closing?.handle.close();
  };
  return {
    kind: 'file',
    place: options.file,
    most: { records: 1_000, bytes: 1024 * 1024 },
    async deliver(items) {
      const bytes = Buffer.from(linesOf(items));
      try {
        if (current && !(await isStillThere(current, options.file))) await release();
        current ??= await openFile(options);
        if (isFull(current, bytes.length, options)) {
          await release();
          await rotate(options);
          current = await openFile(options);
        }
        await append(current, bytes, options.fsync);
        return 0;
      } catch (error) {
        await release().catch(() => {}); // the first error is the one to tell
        throw error;
      }
    },
    close: release,
  };
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  size: number;
  readonly startedAt: number;
}

function linesOf(items: readonly Copied[]): string {
  return items.map(({ text }) => `${text}\n`).join('');
}

async function openFile({ file, clock }: FileCopyOptions): Promise<OpenFile> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, flags, 0o600);
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw new Error(`${file} is no file`);
    const opened = { handle, inode: stats.ino, size: Number(stats.size) };
    const startedAt = opened.size === 0 ? clock.now() : Number(stats.birthtimeMs);
    if (opened.size > 0 && !(await endsWithNewline(file, opened.size))) {
      // A line that a crash cut off stays what it is; the next one must not be glued to it.
      await append({ ...opened, startedAt }, Buffer.from('\n'), 'never');
    }
    return { ...opened, startedAt };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function endsWithNewline(file: string, size: number): Promise<boolean> {
  const reader = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { buffer } = await reader.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] === 0x0a;
  } finally {
    await reader.close();
  }
}

async function append(opened: OpenFile, bytes: Buffer, fsync: 'always' | 'never'): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += (await opened.handle.write(bytes, written)).bytesWritten;
  }
  opened.size += bytes.length;
  if (fsync === 'always') await opened.handle.datasync();
}

async function isStillThere({ inode }: OpenFile, file: string): Promise<boolean> {
  const found = await lstat(file, { bigint: true }).catch(() => null);
  return found?.ino === inode;
}

function isFull(opened: OpenFile, more: number, { maxBytes, maxAgeMs, clock }: FileCopyOptions): boolean {
  if (opened.size === 0) return false;
  if (maxBytes !== null && opened.size + more > maxBytes) return true;
  return maxAgeMs !== null && clock.now() - opened.startedAt >= maxAgeMs;
}

async function rotate(options: FileCopyOptions): Promise<void> {
  const { file, keepFiles, clock } = options;
  const [folder, stem, end] = [dirname(file), basename(file, extname(file)), extname(file)];
  const time = timestamp(clock.now()).replaceAll(/[-:.]/g, '');
  // `rename` replaces what is there: two rotations in one millisecond must not.
  let target = join(folder, `${stem}-${time}${end}`);
  for (let again = 1; await exists(target); again += 1)
    target = join(folder, `${stem}-${time}-${again}${end}`);
  await rename(file, target);
  if (keepFiles === null) return;
  const rotated = (await readdir(folder)).filter((name) => isRotated(name, stem, end)).sort();
  for (const name of rotated.slice(0, Math.max(0, rotated.length - keepFiles)))
    await unlink(join(folder, name));
}

function isRotated(name: string, stem: string, end: string): boolean {
  if (!name.startsWith(`${stem}-`) || !name.endsWith(end)) return false;
  return /^\d{8}T\d{9}Z(?:-\d+)?$/.test(name.slice(stem.length + 1, name.length - end.length));
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}
