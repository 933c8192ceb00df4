import { secret } from '@edgeward/shared/config';
import { isLoopback } from '@edgeward/shared/hosts';
import { z } from 'zod';

const hosted = {
  openai: 'https://api.openai.com/v1',
  gemini: 'https://generativelanguage.googleapis.com/v1beta',
  anthropic: 'https://api.anthropic.com/v1',
} as const;

export type ProviderName = keyof typeof hosted;

/** The language model that words incidents (deploy/llm.md). */
export const llmConfig = z
  .strictObject({
    provider: z.enum(['openai', 'gemini', 'anthropic']).meta({
      description:
        'Interface of the server. openai: chat completions, as OpenAI, Groq, Ollama, llama.cpp and vLLM offer them',
    }),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .meta({
        description:
          'Address up to the version; https unless it is on this machine. Absent: the public one of the provider',
        examples: ['http://127.0.0.1:11434/v1', 'https://api.groq.com/openai/v1'],
      }),
    model: z
      .string()
      .regex(/^[\w.:/@-]{1,100}$/, 'not a name of a model: letters, digits and . : / @ _ - only')
      .meta({ description: 'Model, as the server calls it', examples: ['gpt-4.1-mini'] }),
    key: secret().optional().meta({ description: 'API key; absent: none is sent' }),
    timeoutMs: z
      .int()
      .min(1000)
      .max(60_000)
      .default(30_000)
      .meta({ description: 'What one answer may take', unit: 'ms' }),
    maxTokens: z
      .int()
      .min(100)
      .max(16_000)
      .default(2000)
      .meta({ description: 'Longest answer, with what a model thinks before' }),
    temperature: z.number().min(0).max(2).optional().meta({
      description: 'Absent: what the server takes by itself (some models know no other). 0 for local models',
    }),
    format: z.enum(['schema', 'object', 'none']).default('schema').meta({
      description:
        'openai only: how JSON is asked for, by schema, as any object, or in words alone, for servers that refuse the others',
    }),
    dailyRequests: z
      .int()
      .min(1)
      .max(100_000)
      .default(200)
      .meta({ description: 'Requests a day (UTC); then the templates stay' }),
    dailyTokens: z
      .int()
      .min(1000)
      .default(500_000)
      .meta({ description: 'Tokens a day (UTC), of questions and answers' }),
  })
  .superRefine(({ url }, context) => {
    if (url === undefined || !URL.canParse(url)) return;
    const { protocol, hostname, username, password, search, hash } = new URL(url);
    const fault = (message: string) => context.addIssue({ code: 'custom', path: ['url'], message });
    if (protocol !== 'https:' && !isLoopback(hostname))
      fault('the key and the incident would go over the network readable. Remedy: write https://');
    if (username || password || search || hash)
      fault('has more than an address. Remedy: put the key under key: { file: PATH } or { env: NAME }');
  })
  .transform(config => ({ ...config, url: (config.url ?? hosted[config.provider]).replace(/\/+$/, '') }));

export type LlmConfig = z.output<typeof llmConfig>;
