import { OperationError, timestamp } from '../../base/index.ts';
import { loadConfig } from '../../config/index.ts';
import { type CommandBody, exitCodes } from '../command.ts';
import { defaultFile } from './serve.ts';

/** `portcullis alerts test`: one alert by the way that real ones take, and what came of it. */
export const alertsTest: CommandBody = {
  usage: ['[--config FILE]'],
  options: { config: { value: 'FILE', help: `configuration; default ${defaultFile} in this directory` } },
  notes: 'Sends it once, signed as real ones are. Needs no running gateway.',
  async run(given, { environment, cwd, clock, output, json }) {
    const file = given.text('config') ?? defaultFile;
    const { config } = await loadConfig({ file, environment, cwd });
    const target = config.alerts.webhook;
    if (!target) {
      throw new OperationError(`${file} names no webhook`, {
        hint: 'add alerts: { webhook: { url: https://…, secret: { env: HOOK_SECRET } } }',
      });
    }
    const { alertOf, attempt, testAlert } = await import('../../alerts/index.ts');
    const { createOutbound } = await import('../../outbound/index.ts');
    const outbound = createOutbound();
    const alert = alertOf(testAlert(timestamp(clock.now())), config.publicUrl);
    try {
      const answer = await attempt(alert, { target, outbound, clock });
      if (answer.kind !== 'taken') {
        throw new OperationError(`the alert was not taken: ${answer.detail}`, {
          hint: 'a receiver answers 2xx; see docs/detections.md for how it checks the signature',
        });
      }
    } finally {
      await outbound.close();
    }
    const host = new URL(target.url).host;
    if (json) output.json({ ok: true, id: alert.id, host });
    else output.line(`${host} took alert ${alert.id}.`);
    return exitCodes.ok;
  },
};
