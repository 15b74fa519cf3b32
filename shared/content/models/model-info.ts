import { z } from 'zod';

const modelInfo = z.object({
  data: z.array(
    z.object({
      model_name: z.string(),
      model_info: z.object({
        max_input_tokens: z.number().nullish(),
        max_tokens: z.number().nullish(),
        max_output_tokens: z.number().nullish(),
        supports_assistant_prefill: z.boolean().nullish(),
        /** US dollars. */
        input_cost_per_token: z.number().nullish(),
        output_cost_per_token: z.number().nullish(),
      }),
    }),
  ),
});
export type ModelInfo = z.infer<typeof modelInfo>['data'][number];

export interface LitellmAddress {
  litellmUrl: string;
  masterKey: string;
}

/** LiteLLM's data of all its models (`/model/info`). Rejects when LiteLLM is unavailable or the response is invalid. */
export async function fetchModelInfo(
  { litellmUrl, masterKey }: LitellmAddress,
  signal: AbortSignal,
): Promise<ModelInfo[]> {
  const headers = { authorization: `Bearer ${masterKey}` };
  const response = await fetch(`${litellmUrl}/model/info`, { headers, signal });
  if (!response.ok) throw new Error(`/model/info answered ${response.status}`);
  return modelInfo.parse(await response.json()).data;
}
