// Shows schemas and makes examples of them.

import { h, spans } from "./dom.js";

let contract;

/** Sets the document that references are looked up in. */
export function useContract(document) {
  contract = document;
}

/** What a `$ref` stands for; anything else as it is. */
export function resolve(node) {
  for (let hops = 0; node?.$ref && hops < 8; hops += 1) {
    const path = node.$ref.replace(/^#\//, "").split("/");
    node = path.reduce((at, key) => at?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], contract);
  }
  return node ?? {};
}

/** A schema with its `allOf` parts taken together. */
function flat(node) {
  const schema = resolve(node);
  if (!schema.allOf) return schema;
  return schema.allOf.map(flat).reduce((whole, part) => ({
    ...whole, ...part,
    properties: { ...whole.properties, ...part.properties },
    required: [...(whole.required ?? []), ...(part.required ?? [])],
  }), { ...schema, allOf: undefined });
}

function types(schema) {
  return [schema.type ?? (schema.properties ? "object" : [])].flat();
}

/** The type in a few words. */
export function typeName(node) {
  const schema = flat(node);
  const choices = (schema.oneOf ?? schema.anyOf)?.map(typeName);
  if (choices) return [...new Set(choices)].join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const named = types(schema).map((type) => {
    if (type === "array") return `list of ${typeName(schema.items)}`;
    return schema.format && type !== "null" ? `${type} (${schema.format})` : type;
  });
  return named.join(" or ") || "anything";
}

const LIMITS = {
  minimum: "at least", maximum: "at most", exclusiveMinimum: "more than", exclusiveMaximum: "less than",
  minLength: "characters at least", maxLength: "characters at most", minItems: "items at least",
  maxItems: "items at most", pattern: "matches", default: "by default",
};

/** The limits of a value in words. */
export function limits(node) {
  const schema = flat(node);
  return Object.entries(LIMITS)
    .filter(([key]) => schema[key] !== undefined)
    .map(([key, words]) => `${words} ${schema[key]}`).join(", ");
}

/** A table of what an object holds, nested objects within. */
export function schemaView(node, depth = 0, seen = []) {
  const schema = flat(node);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) {
    const views = choices.map((choice) => schemaView(choice, depth, seen)).filter((view) => view.length);
    return views.flatMap((view, index) => (index ? [h("div", { class: "type" }, "or"), ...view] : view));
  }
  if (types(schema).includes("array")) return schemaView(schema.items, depth, seen);
  const values = schema.additionalProperties;
  const properties = { ...schema.properties };
  if (values && typeof values === "object") properties["(any name)"] = values;
  const entries = Object.entries(properties);
  if (!entries.length || depth > 5) return [];
  const rows = entries.map(([name, property]) => {
    const required = schema.required?.includes(name);
    const inner = seen.includes(property.$ref) ? [] : schemaView(property, depth + 1, [...seen, property.$ref]);
    const rules = limits(property);
    return h("li", {},
      h("code", { class: "name" }, name), " ",
      h("span", { class: "type" }, typeName(property)),
      required ? h("span", { class: "required" }, " required") : null,
      rules ? h("span", { class: "type" }, ` · ${rules}`) : null,
      resolve(property).description ?? property.description
        ? h("div", { class: "note" }, spans(property.description ?? resolve(property).description)) : null,
      inner);
  });
  return [h("ul", { class: "schema" }, rows)];
}

const FORMATS = {
  uuid: "01890a5d-ac96-774b-bcce-b302099a8057", "date-time": "2030-01-01T12:00:00Z",
  email: "ada@example.com", uri: "https://example.com/",
};

/** An example: the one that is given, otherwise one made from the types. */
export function example(node, depth = 0) {
  const schema = flat(node);
  const given = schema.example ?? schema.examples?.[0] ?? schema.const ?? schema.default ?? schema.enum?.[0];
  if (given !== undefined) return given;
  const choices = (schema.oneOf ?? schema.anyOf)?.filter((choice) => flat(choice).type !== "null");
  if (choices?.length) {
    const first = example(choices[0], depth);
    return schema.properties ? { ...pick(schema, depth), ...first } : first;
  }
  const type = types(schema).find((name) => name !== "null");
  if (type === "array") return depth > 5 ? [] : [example(schema.items, depth + 1)];
  if (type === "object") return pick(schema, depth);
  if (type === "integer" || type === "number") return schema.minimum ?? 1;
  if (type === "boolean") return true;
  return type === "string" ? FORMATS[schema.format] ?? "text" : null;
}

/** What is optional and may be null is left out of examples: most requests do without it. */
function isNullable(node) {
  const schema = flat(node);
  return types(schema).includes("null") || (schema.oneOf ?? schema.anyOf ?? []).some(isNullable);
}

function pick(schema, depth) {
  if (depth > 5) return {};
  const entries = Object.entries(schema.properties ?? {})
    .filter(([name, property]) => schema.required?.includes(name) || !isNullable(property));
  return Object.fromEntries(entries.map(([name, property]) => [name, example(property, depth + 1)]));
}

/** The example of a body or an answer. */
export function mediaExample(media) {
  const named = Object.values(media.examples ?? {})[0];
  const given = media.example ?? resolve(named ?? {}).value;
  return given === undefined ? example(media.schema ?? {}) : given;
}
