// Makes TypeScript types of docs/openapi.yaml: one per schema, and one per operation for its JSON answer.
// usage: openapi-types.mjs IN.yaml OUT.ts [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const [input, output, flag] = process.argv.slice(2);
if (!input || !output) {
  console.error('usage: openapi-types.mjs IN.yaml OUT.ts [--check]');
  process.exit(2);
}

const literal = (value) =>
  typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : String(value);
const key = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`);
const upper = (name) => name[0].toUpperCase() + name.slice(1);

function objectType(schema) {
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const doc = property.description
      ? `/** ${property.description.trim().replaceAll('\n', ' ')} */ `
      : '';
    return `${doc}${key(name)}${required.has(name) ? '' : '?'}: ${typeOf(property)};`;
  });
  if (lines.length === 0) return 'Record<string, unknown>';
  return `{\n${lines.join('\n').replace(/^/gm, '  ')}\n}`;
}

function single(schema, type) {
  switch (type) {
    case 'object':
      return objectType(schema);
    case 'array': {
      const item = typeOf(schema.items ?? {});
      return /[|&]/.test(item) && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
    }
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
    case 'string':
    case 'null':
      return type;
    default:
      return 'unknown';
  }
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.allOf) return schema.allOf.map(typeOf).join(' & ');
  const any = schema.oneOf ?? schema.anyOf;
  if (any) return any.map(typeOf).join(' | ');
  if (schema.enum) return schema.enum.map(literal).join(' | ');
  const types = Array.isArray(schema.type)
    ? schema.type
    : [schema.type ?? (schema.properties ? 'object' : '')];
  return types.map((type) => single(schema, type)).join(' | ');
}

function answerOf(document, operation) {
  for (const code of ['200', '201']) {
    let response = operation.responses?.[code];
    if (response?.$ref) response = document.components.responses[response.$ref.split('/').pop()];
    const schema = response?.content?.['application/json']?.schema;
    if (schema) return typeOf(schema);
  }
  return null;
}

const document = parse(readFileSync(input, 'utf8'));
const out = ['// Generated from docs/openapi.yaml by `npm run gen`; do not edit.', ''];
for (const [name, schema] of Object.entries(document.components.schemas)) {
  out.push(`export type ${name} = ${typeOf(schema)};`, '');
}
for (const path of Object.values(document.paths)) {
  for (const operation of Object.values(path)) {
    if (!operation?.operationId) continue;
    const answer = answerOf(document, operation);
    if (answer) out.push(`export type ${upper(operation.operationId)}Answer = ${answer};`, '');
  }
}
const text = out.join('\n');
if (flag === '--check') {
  if (readFileSync(output, 'utf8') !== text) {
    console.error(
      `${output} does not match ${input}: run "npm run gen" in web/ and commit the result`,
    );
    process.exit(1);
  }
} else {
  writeFileSync(output, text);
}
