// The form that sends a request, the same request for curl, and its answer.

import { copyButton, h, uuid } from "./dom.js";
import { example, mediaExample, resolve } from "./schema.js";

/** The form of one operation. `token` gives the access token; `onToken` gets a new one. */
export function tryView({ method, path, operation, parameters, token, onToken }) {
  const fields = parameters.map(field);
  const media = Object.entries(resolve(operation.requestBody).content ?? {})[0];
  const body = media && h("textarea", {
    rows: 10, spellcheck: "false", "aria-label": "Body",
  }, JSON.stringify(mediaExample(media[1]), null, 2));
  const curl = h("pre", { class: "curl", tabindex: "0" });
  const answer = h("div", { class: "answer", "aria-live": "polite" });
  const button = h("button", { type: "submit" }, "Send");

  const request = () => build({ method, path, fields, media, body, operation, token: token() });
  const refresh = () => { curl.textContent = asCurl(request()); };
  const submit = async (event) => {
    event.preventDefault();
    refresh();
    button.disabled = true;
    answer.replaceChildren(h("p", {}, "Waiting for the answer…"));
    answer.replaceChildren(...await send(request(), onToken));
    button.disabled = false;
  };

  refresh();
  document.addEventListener("token", refresh);
  return h("form", { class: "try", onsubmit: submit, oninput: refresh },
    fields.map(({ row }) => row),
    body && h("label", { class: "field" }, h("span", {}, "Body ", h("small", {}, media[0])), body),
    h("div", { class: "buttons" }, button, copyButton("Copy for curl", () => curl.textContent)),
    curl, answer);
}

function field(parameter) {
  const isKey = parameter.name.toLowerCase() === "idempotency-key";
  const suggested = parameter.required || parameter.in === "path"
    ? parameter.example ?? example(parameter.schema ?? {}) : "";
  const input = h("input", {
    name: parameter.name, autocomplete: "off", spellcheck: "false",
    value: isKey ? uuid() : String(suggested ?? ""),
    placeholder: parameter.required ? "required" : "",
  });
  const renew = () => {
    input.value = uuid();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const row = h("div", { class: "field" },
    h("label", {}, h("span", {}, parameter.name, " ", h("small", {}, parameter.in)), input),
    isKey && h("p", { class: "note" }, "Sent again with this key, the first answer is replayed. ",
      h("button", { type: "button", class: "quiet", onclick: renew }, "New key")) || null);
  return { row, input, parameter };
}

function build({ method, path, fields, media, body, operation, token }) {
  const headers = {};
  const query = new URLSearchParams();
  let url = path;
  for (const { input, parameter: { name, in: place } } of fields) {
    if (place === "path") url = url.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value === "") continue;
    else if (place === "query") query.append(name, input.value);
    else if (place === "header") headers[name] = input.value;
  }
  if (token && operation.security?.length) headers.Authorization = `Bearer ${token}`;
  if (media) headers["Content-Type"] = media[0];
  const search = query.size ? `?${query}` : "";
  return { method: method.toUpperCase(), url: location.origin + url + search, headers, body: body?.value };
}

function asCurl({ method, url, headers, body }) {
  const quote = (text) => `'${text.replace(/'/g, `'\\''`)}'`;
  // The token is not shown: what is on a screen gets copied into tickets.
  const lines = Object.entries(headers).map(([name, value]) =>
    name === "Authorization" ? `-H "Authorization: Bearer $TOKEN"` : `-H ${quote(`${name}: ${value}`)}`);
  if (body) lines.push(`-d ${quote(compact(body))}`);
  return [`curl -i -X ${method} ${quote(url)}`, ...lines].join(" \\\n  ");
}

function compact(body) {
  try {
    return JSON.stringify(JSON.parse(body));
  } catch {
    return body; // What is not JSON is sent as it is, to see how it is refused.
  }
}

async function send({ method, url, headers, body }, onToken) {
  const started = performance.now();
  try {
    const response = await fetch(url, { method, headers, body, redirect: "manual", cache: "no-store" });
    const text = await response.text();
    const spent = Math.round(performance.now() - started);
    const body = read(text);
    const token = body?.access_token;
    if (token) onToken(token);
    const shown = [
      h("p", {},
        h("span", { class: `status s${String(response.status)[0]}` }, `${response.status} ${response.statusText}`),
        ` in ${spent} ms`, token ? " · its access token is used from now on" : ""),
      h("details", {}, h("summary", {}, "Headers"),
        h("pre", { tabindex: "0" }, [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"))),
      body?.type === "/problems/step-up-required" ? h("p", { class: "note" },
        "Send ", h("a", { href: "#step_up" }, "POST /api/v1/auth/step-up"), " with a code first: its access token is used from then on.") : null,
      text ? h("pre", { class: "body", tabindex: "0" }, pretty(text)) : h("p", { class: "note" }, "No body."),
    ];
    return shown.filter(Boolean);
  } catch (error) {
    return [h("p", { class: "status s5" }, `No answer: ${error.message}`)];
  }
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pretty(text) {
  const value = read(text);
  return value === undefined ? text : JSON.stringify(value, null, 2);
}
