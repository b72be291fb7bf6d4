import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ConfigurationError, type ConfigurationFault } from '../../../src/base/index.ts';
import { type Environment, type LoadedConfig, loadConfig } from '../../../src/config/index.ts';

/** A directory that goes away with the test. */
export function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'portcullis-config-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What every configuration needs, without servers. */
export const head = 'publicUrl: http://127.0.0.1:4180\ndata: ./data\n';
/** The smallest one. */
export const smallest = `${head}servers: { notes: { upstream: { command: [notes] } } }\n`;

export async function load(
  t: TestContext,
  text: string,
  environment: Environment = {},
): Promise<LoadedConfig> {
  const cwd = directory(t);
  writeFileSync(join(cwd, 'portcullis.yaml'), text);
  return loadConfig({ file: 'portcullis.yaml', environment, cwd });
}

/** The faults of a text that must not load. */
export async function faultsOf(
  t: TestContext,
  text: string,
  environment: Environment = {},
): Promise<readonly ConfigurationFault[]> {
  return faultsFrom(load(t, text, environment));
}

export async function faultsFrom(loading: Promise<unknown>): Promise<readonly ConfigurationFault[]> {
  try {
    await loading;
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** `path: message`, or `line path: message`. */
export function brief(faults: readonly ConfigurationFault[]): string[] {
  return faults.map(({ path, message }) => `${path}: ${message}`);
}
