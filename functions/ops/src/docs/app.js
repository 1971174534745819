// Reads the contract and shows it: routes by tag, each to open, read and try.

import { h, prose, spans } from "./dom.js";
import { limits, mediaExample, resolve, schemaView, typeName, useContract } from "./schema.js";
import { tryView } from "./try.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const search = document.getElementById("search");
const token = document.getElementById("token");
const nav = document.getElementById("nav");
const content = document.getElementById("content");

start().catch((error) => {
  content.replaceChildren(h("p", { role: "alert" }, `The contract cannot be read: ${error.message}`));
});

async function start() {
  setUpTheme();
  setUpToken();
  const response = await fetch("/api/v1/openapi.json");
  if (!response.ok) throw new Error(`the answer was ${response.status}`);
  const contract = await response.json();
  useContract(contract);
  const groups = group(contract);
  content.replaceChildren(intro(contract), ...groups.map(section));
  nav.replaceChildren(...groups.map(navigation));
  setUpSearch(groups);
  addEventListener("hashchange", openLinked);
  openLinked();
}

/** Operations by tag, tags in the contract's order, those that it does not name at the end. */
function group(contract) {
  const groups = new Map((contract.tags ?? []).map((tag) => [tag.name, { ...tag, operations: [] }]));
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const operation = item[method];
      const name = operation.tags?.[0] ?? "other";
      if (!groups.has(name)) groups.set(name, { name, operations: [] });
      const id = operation.operationId ?? `${method}-${path.replace(/\W+/g, "-")}`;
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve);
      groups.get(name).operations.push({ id, method, path, operation, parameters });
    }
  }
  return [...groups.values()].filter((entry) => entry.operations.length);
}

function intro({ info }) {
  return h("section", { class: "intro" },
    h("h2", {}, info.title, " ", h("small", {}, info.version)), prose(info.description),
    h("p", {}, h("a", { href: "/api/v1/openapi.json" }, "openapi.json")));
}

function section(entry) {
  entry.section = h("section", { "aria-labelledby": `tag-${entry.name}` },
    h("h2", { id: `tag-${entry.name}` }, entry.name),
    prose(entry.description),
    entry.operations.map(article));
  return entry.section;
}

/** An operation. What it holds is made when it is first opened. */
function article(entry) {
  const { id, method, path, operation } = entry;
  const locked = operation.security?.some((scheme) => Object.keys(scheme).length);
  entry.element = h("details", { id, class: "operation" },
    h("summary", {},
      h("span", { class: `method ${method}` }, method.toUpperCase()),
      h("code", { class: "path" }, path),
      h("span", { class: "summary" }, spans(operation.summary)),
      locked ? h("span", { class: "lock", title: "needs an access token" }, "token") : null,
      operation.deprecated ? h("span", { class: "lock" }, "deprecated") : null));
  entry.element.addEventListener("toggle", () => fill(entry), { once: true });
  return entry.element;
}

function fill(entry) {
  const { operation, parameters, element } = entry;
  const body = resolve(operation.requestBody);
  element.append(h("div", { class: "inside" },
    h("div", { class: "read" },
      prose(operation.description),
      parameters.length ? [h("h3", {}, "Parameters"), h("ul", { class: "schema" }, parameters.map(parameterView))] : [],
      body.content ? [h("h3", {}, "Body"), prose(body.description), Object.values(body.content).map((media) => schemaView(media.schema))] : [],
      h("h3", {}, "Answers"), Object.entries(operation.responses ?? {}).map(responseView)),
    h("div", { class: "test" }, h("h3", {}, "Try it"),
      tryView({ ...entry, token: () => token.value.trim(), onToken: setToken }))));
}

function parameterView(parameter) {
  const rules = limits(parameter.schema ?? {});
  return h("li", {},
    h("code", { class: "name" }, parameter.name), " ",
    h("span", { class: "type" }, `${parameter.in} · ${typeName(parameter.schema ?? {})}${rules ? ` · ${rules}` : ""}`),
    parameter.required ? h("span", { class: "required" }, " required") : null,
    parameter.description ? h("div", { class: "note" }, spans(parameter.description)) : null);
}

function responseView([status, reference]) {
  const response = resolve(reference);
  const media = Object.entries(response.content ?? {});
  const head = [
    h("span", { class: `status s${status[0]}` }, status), " ", spans(response.description)];
  if (!media.length && !response.headers) return h("p", { class: "response" }, head);
  return h("details", { class: "response" }, h("summary", {}, head),
    Object.entries(response.headers ?? {}).map(([name, header]) =>
      h("p", { class: "note" }, h("code", {}, name), " ", spans(resolve(header).description))),
    media.map(([type, content]) => [
      h("p", { class: "type" }, type), schemaView(content.schema ?? {}),
      type.endsWith("json") ? h("pre", { tabindex: "0" }, JSON.stringify(mediaExample(content), null, 2)) : null]));
}

function navigation(entry) {
  entry.nav = h("div", {},
    h("h2", {}, h("a", { href: `#tag-${entry.name}` }, entry.name)),
    h("ul", {}, entry.operations.map((operation) => {
      operation.nav = h("li", {}, h("a", { href: `#${operation.id}` },
        h("span", { class: `method ${operation.method}` }, operation.method.toUpperCase()), " ",
        h("span", {}, operation.path.replace("/api/v1", ""))));
      return operation.nav;
    })));
  return entry.nav;
}

function setUpSearch(groups) {
  const nothing = h("p", { hidden: true, role: "status" }, "No route matches.");
  content.append(nothing);
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const entry of groups) {
      const visible = entry.operations.filter((operation) => {
        const text = [operation.method, operation.path, operation.operation.summary,
          operation.operation.description, entry.name].join(" ").toLowerCase();
        const matches = words.every((word) => text.includes(word));
        operation.element.hidden = operation.nav.hidden = !matches;
        return matches;
      });
      entry.section.hidden = entry.nav.hidden = !visible.length;
      shown += visible.length;
    }
    nothing.hidden = shown > 0;
  };
  search.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      filter();
    }
  });
}

function openLinked() {
  const linked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (linked?.tagName !== "DETAILS") return;
  linked.open = true;
  linked.querySelector("summary").focus();
  linked.scrollIntoView({ block: "start" });
}

/** The token lives as long as the tab. */
function setUpToken() {
  token.value = sessionStorage.getItem("token") ?? "";
  token.addEventListener("input", () => setToken(token.value));
}

function setToken(value) {
  token.value = value;
  sessionStorage.setItem("token", value);
  document.dispatchEvent(new Event("token"));
}

function setUpTheme() {
  const root = document.documentElement;
  root.dataset.theme = localStorage.getItem("theme") ?? "";
  document.getElementById("theme").addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}
