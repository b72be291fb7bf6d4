// What a decision costs by the number of rules, as a ratio in one run: node bench/policy.ts
// Rules are compiled for each tool when its definition is read; a call then looks up what was worked out.

import type { ToolRuleConfig } from '../src/config/index.ts';
import { compilePolicy, createArgumentsCheck, type ToolFacts } from '../src/policy/index.ts';

const rounds = 9;
const calls = 200_000;
const asking = {
  caller: { subject: 'a', issuer: 'i', client: 'c', organization: 'o', scopes: ['mcp:tools:write'] },
  now: 1_764_000_000_000,
};

function rules(count: number, last: Partial<ToolRuleConfig>): ToolRuleConfig[] {
  const blank = {
    server: null,
    hint: null,
    when: null,
    scope: null,
    limit: null,
    confirm: null,
    show: null,
    capture: null,
  };
  return Array.from({ length: count }, (_, index) => ({
    ...blank,
    match: index === count - 1 ? '*' : `tool_${index}_*`,
    scope: 'mcp:tools:write',
    source: `tools[${index}]`,
    ...(index === count - 1 ? last : {}),
  }));
}

function decider(count: number, last: Partial<ToolRuleConfig> = {}): () => void {
  const policy = compilePolicy({
    server: 's',
    rules: rules(count, last),
    resources: { scope: 'r' },
    prompts: { scope: 'p' },
  });
  const facts: ToolFacts = { name: 'pay' };
  const call = { kind: 'tool', name: 'pay', arguments: { amount: 50, to: 'anna' } } as const;
  return () => {
    if (!policy.decide(call, facts, asking).allow) throw new Error('the call is refused');
  };
}

const check = createArgumentsCheck(() => {});
const schema = JSON.stringify({
  type: 'object',
  properties: { amount: { type: 'number', minimum: 0 }, to: { type: 'string', maxLength: 100 } },
  required: ['amount', 'to'],
  additionalProperties: false,
});
const subjects: Record<string, () => void> = {
  '10 rules': decider(10),
  '1,000 rules': decider(1_000),
  '10 rules, the last with when': decider(10, { when: 'args.amount < 100' }),
  '1,000 rules, the last with when': decider(1_000, { when: 'args.amount < 100' }),
  'arguments against a schema': () => {
    if (!check.check({ name: 'pay', inputSchema: schema }, { amount: 50, to: 'anna' }).fits)
      throw new Error('they do not fit');
  },
};

const times = new Map<string, number[]>(Object.keys(subjects).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(subjects)) {
    const count = name.includes('when') ? calls / 20 : calls;
    const from = process.cpuUsage();
    for (let index = 0; index < count; index++) run();
    const { user, system } = process.cpuUsage(from);
    times.get(name)?.push(((user + system) * 1000) / count);
  }
}
const median = (name: string) => times.get(name)?.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
for (const name of times.keys()) process.stdout.write(`${name.padEnd(34)} ${median(name).toFixed(0)} ns\n`);
const ratio = (a: string, b: string) => (median(a) / median(b)).toFixed(2);
process.stdout.write(`1,000 rules / 10 rules             ${ratio('1,000 rules', '10 rules')}\n`);
process.stdout.write(
  `the same with when                 ${ratio('1,000 rules, the last with when', '10 rules, the last with when')}\n`,
);
