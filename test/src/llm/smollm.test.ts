/** The whole way with a real, very small model, whose words mostly do not hold: what is told holds, or nothing is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCatalogue } from '@edgeward/collector/diagnosis/catalogue';
import { AlertBench, pattern } from '@edgeward/collector/testing/alert-bench';
import { aBlockedPump } from '@edgeward/collector/testing/blocked-pump';
import { Tape } from '@edgeward/collector/testing/deliveries';
import { Budget } from '@edgeward/collector/wording/budget';
import { type CheckResult, check } from '@edgeward/collector/wording/checker';
import { type LanguageModel, LlmClient } from '@edgeward/collector/wording/client';
import { llmConfig } from '@edgeward/collector/wording/config';
import { questionOf } from '@edgeward/collector/wording/question';
import { Wordings } from '@edgeward/collector/wording/wordings';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { noService, startSmollm } from '../support/services.js';

test('a real model answers in time, and not a word of it is told that does not hold', {
  skip: noService('smollm'),
  timeout: 120_000,
}, async t => {
  const { service, url } = await startSmollm();
  t.after(() => service[Symbol.asyncDispose]());
  const clock = new FakeClock();
  const catalogue = await loadCatalogue();
  const bench = await AlertBench.open(t, {
    clock,
    diagnose: ({ lastMs }) => aBlockedPump(catalogue, lastMs),
  });
  const given = { provider: 'openai', model: 'smollm2-135m', url, temperature: 0, maxTokens: 400 };
  const config = llmConfig.parse({ ...given, timeoutMs: 60_000 });
  const client = new LlmClient(config, clock);
  const answers: unknown[] = [];
  const model: LanguageModel = {
    name: client.name,
    ask: async (prompt, stop) => {
      const answer = await client.ask(prompt, stop);
      answers.push(answer.value);
      return answer;
    },
  };
  const budget = new Budget(bench.store, config, clock);
  const { engine } = bench;
  const parts = { engine, model, catalogue, budget, maxTokens: config.maxTokens, log: silentLogger, clock };
  using wordings = new Wordings(parts);
  const stop = new AbortController().signal;
  await wordings.next(stop);
  await bench.feed(new Tape({ seed: 1, devices: ['pump-1'] }).block(pattern('pump-1', 'xxx')));
  const before = engine.list(1)[0]!;
  await wordings.next(stop);

  const { outcomes, tokensToday } = wordings.counts();
  const after = engine.list(1)[0]!;
  t.diagnostic(`${JSON.stringify(answers)} → ${JSON.stringify(outcomes)}, ${tokensToday} tokens`);
  assert.equal(answers.length, 1, `it answered JSON in time: ${JSON.stringify(outcomes)}`);
  assert.ok(tokensToday > 100, 'the server counted its tokens');
  const result: CheckResult = check(answers[0], questionOf(before, catalogue)!);
  const { wording, ...rest } = after;
  assert.deepEqual(rest, before, 'it changed nothing but the wording');
  if ('refused' in result) {
    assert.deepEqual([wording, outcomes], [undefined, { unfit: 1 }]);
  } else {
    assert.deepEqual([wording?.text, outcomes], [result.text, { worded: 1 }]);
    const told = JSON.stringify(before.diagnosis);
    for (const number of result.text.match(/\d+(?:\.\d+)?/g) ?? [])
      assert.ok(told.includes(number) || told.includes(`0.${number}`), `${number} is in no evidence`);
  }
});
