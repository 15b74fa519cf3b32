import { expect, test } from '@jest/globals';
import { providerOf } from './provider-names.ts';

test.each([
  [{ model: 'openai/gpt-5.4' }, 'openai'],
  [{ model: 'openai/gpt-5.4', apiBase: 'https://eu.api.openai.com/v1' }, 'openai'],
  [{ model: 'openai/llama3', apiBase: 'http://127.0.0.1:11434/v1' }, 'openai-compatible'],
  [{ model: 'openai/llama3', apiBase: 'https://openai.com.example.org/v1' }, 'openai-compatible'],
  [{ model: 'azure/chat', apiBase: 'https://rail.openai.azure.com' }, 'azure'],
  [{ model: 'azure_ai/phi-4' }, 'azure'],
  [{ model: 'bedrock/global.anthropic.claude-sonnet-4-6' }, 'bedrock'],
  [{ model: 'bedrock/converse/arn:aws:bedrock:eu-central-1:1:inference-profile/x' }, 'bedrock'],
  [{ model: 'gemini/gemini-2.5-flash' }, 'gemini'],
  [{ model: 'vertex_ai/gemini-2.5-flash' }, 'gemini'],
  [{ model: 'vertex_ai/claude-sonnet-4' }, 'vertex_ai'],
  [{ model: 'anthropic/claude-sonnet-4-6' }, 'anthropic'],
  [{ model: 'gpt-5.4', listed: 'openai' }, 'openai'],
  [{ model: 'amazon.nova-lite-v1:0', listed: 'bedrock_converse' }, 'bedrock'],
  [{ model: 'my/model', named: 'azure' }, 'azure'],
  [{ model: 'of-our-own' }, 'unknown'],
])('the provider of %j is %s', (deployment, provider) => {
  expect(providerOf(deployment)).toBe(provider);
});
