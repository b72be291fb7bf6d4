// Writes docs/sigma/: the detections as Sigma rules for the JSON lines of the audit trail. A test holds them to the rule
// table. Sigma: https://sigmahq.io/sigma-specification/
import { mkdirSync, writeFileSync } from 'node:fs';
import { sigmaFiles } from '../test/detections/sigma.ts';

const folder = new URL('../docs/sigma/', import.meta.url);
mkdirSync(folder, { recursive: true });
for (const [name, text] of sigmaFiles()) writeFileSync(new URL(name, folder), text);
