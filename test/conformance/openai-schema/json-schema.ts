/** The subset of JSON Schema that the generator uses for the SDK's types. */
export interface JsonSchema {
  $ref?: string;
  const?: unknown;
  enum?: unknown[];
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  discriminator?: { propertyName: string };
}

export type Definitions = Readonly<Record<string, JsonSchema>>;
